"""registry: an agency's table, clean and dirty."""

import io
from datetime import date, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.foreign_tables import TextFormat
from screening.analytics.registry import WITHHELD, pseudonymize, read_registry, withheld
from screening.analytics.views import read_reference
from screening.errors import ReferenceTableError, UsageError
from screening.privacy import Pseudonymizer
from tests.told import Told

KEY = Pseudonymizer(b"a key of sixteen bytes or more")
CSV = b"""PatientID,Name,specimen_date,result_date,result,reading
 007,Doe^Jane,2020-03-01,2020-03-02T10:15,Positive,covid
0042,Roe^Rick,,2020-03-04 08:00:00,negative,
"""


@pytest.mark.parametrize("as_parquet", [False, True])
def test_identifiers_become_pseudonyms_and_names_go(as_parquet: bool):
    data = CSV
    if as_parquet:
        buffer = io.BytesIO()
        pl.read_csv(CSV, infer_schema=False).write_parquet(buffer)
        data = buffer.getvalue()
    told = Told()
    table = pseudonymize(read_registry(data, "t"), KEY, told)
    assert told.ended == {"making pseudonyms": (2, 2), "checking cells": (0, 0)}
    assert table.schema.equals(REFERENCE_SCHEMA, check_metadata=True)
    assert table["patient_pseudonym"].to_pylist() == [KEY.pseudonym("007", "PatientID"), KEY.pseudonym("0042", "PatientID")]
    assert table["result_date"].to_pylist() == [date(2020, 3, 2), date(2020, 3, 4)]
    assert table["specimen_date"].to_pylist() == [date(2020, 3, 1), None]
    assert table["result"].to_pylist() == ["positive", "negative"]
    assert table["symptom_onset_date"].null_count == 2
    assert table["reading"].to_pylist() == ["covid", None]


@pytest.mark.parametrize(("csv", "message"), [
    (b"id,result\n1,positive\n", "no column PatientID, but id, result. Say which holds it: --id-column COLUMN"),
    (b"PatientID,outcome\n1,positive\n", "no column result, but PatientID, outcome. .*: --column result=COLUMN"),
    (b"PatientID,result\n1.0,SMITH\n2.0,\n", r"t\.csv: PatientID: every identifier ends in \.0"),
    (b"PatientID,result\nSMITH,positive\n ,negative\n", r"PatientID is empty in 1 rows: 2"),
    (b"PatientID,result\nSMITH,positive,more\n", "neither Parquet nor CSV: row 1 has 3 cells for 2 columns"),
    (b"PAR1 but not really", "damaged, cut or no Parquet"),
])  # fmt: skip
def test_faults_are_named_without_values(csv: bytes, message: str):
    with pytest.raises(ReferenceTableError, match=message) as error:
        pseudonymize(read_registry(csv, "t.csv"), KEY)
    assert "SMITH" not in str(error.value)


def test_dirty_cells_are_left_to_the_views():
    csv = b"PatientID,Name,PatientSex,specimen_date,result_date,result\n"
    csv += b"A,x,male,03/04/2020,2020-03-05,positive\nB,y,F,2020-03-01,,perhaps\nC,z,,,,\n"
    table = pseudonymize(read_registry(csv, "t"), KEY)
    assert table.column_names == [*REFERENCE_SCHEMA.names, "PatientSex"]
    assert table["specimen_date"].to_pylist() == ["03/04/2020", "2020-03-01", None]
    assert table["result_date"].to_pylist() == [date(2020, 3, 5), None, None]
    assert table["result"].to_pylist() == ["positive", "withheld", None]
    assert table["PatientSex"].to_pylist() == ["male", "F", None]
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    assert pq.read_table(buffer).equals(table)


def test_a_name_in_a_wrong_column_does_not_pass():
    csv = b"PatientID,specimen_date,result_date,result,reading\nA,Doe^Jane,2020-03-05,positive,\nB,2020-03-01,2020-03-02,Roe Rick,covid\n"
    table = pseudonymize(read_registry(csv, "t"), KEY)
    assert table["specimen_date"].to_pylist() == [WITHHELD, "2020-03-01"]
    assert table["result"].to_pylist() == ["positive", WITHHELD]
    assert withheld(table) == {"specimen_date": 1, "result": 1}


def parquet(**columns: object) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def test_identifiers_that_were_stored_as_floats_are_whole_numbers():
    table = pseudonymize(read_registry(parquet(PatientID=[7.0, 42.0], result=["positive", "negative"]), "t"), KEY)
    assert table["patient_pseudonym"].to_pylist() == [KEY.pseudonym("7", "PatientID"), KEY.pseudonym("42", "PatientID")]
    for wrong in ([7.5], [2.0**60]):
        with pytest.raises(ReferenceTableError, match="t: PatientID holds numbers that are not whole"):
            read_registry(parquet(PatientID=wrong, result=["positive"]), "t")


def test_the_day_of_a_test_is_that_of_its_own_time_zone():
    night = pa.array([datetime(2020, 3, 3, 19)], pa.timestamp("us", "Asia/Taipei"))  # given in UTC: 3 o'clock of the fourth there
    data = parquet(PatientID=["1"], result=["positive"], result_date=night, specimen_date=["2020-03-04T03:00:00+08:00"])
    table = pseudonymize(read_registry(data, "t"), KEY)
    assert [table[name].to_pylist() for name in ("specimen_date", "result_date")] == [[date(2020, 3, 4)]] * 2


def test_columns_of_usual_and_of_other_names_are_taken_and_the_rest_is_told():
    csv = "Patient ID;採檢日;Report date;RT-PCR;onset;telephone\n007;109/03/01;2020-03-02;陽性;;123\n".encode("big5")
    registry = read_registry(csv, "t", {}, TextFormat("big5", ";"))
    assert registry.taken == {
        "PatientID": "Patient ID",
        "symptom_onset_date": "onset",
        "specimen_date": "採檢日",
        "result_date": "Report date",
        "result": "RT-PCR",
    }
    assert (registry.dropped, registry.undated) == (["telephone"], False)
    assert read_reference(pseudonymize(registry, KEY))["specimen_date"].to_pylist() == [date(2020, 3, 1)]
    csv = b"number,day,result\n1,2020-03-01,positive\n"
    assert read_registry(csv, "t", id_column="number").undated
    named = read_registry(csv, "t", {"specimen_date": "day"}, id_column="number")
    assert pseudonymize(named, KEY)["specimen_date"].to_pylist() == [date(2020, 3, 1)]
    with pytest.raises(UsageError, match="no column datum, but number, day, result"):
        read_registry(csv, "t", {"specimen_date": "datum"}, id_column="number")

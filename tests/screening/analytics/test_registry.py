"""registry: an agency's table, clean and dirty."""

import io
from datetime import date

import polars as pl
import pyarrow.parquet as pq
import pytest

from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.registry import WITHHELD, pseudonymize, read_registry, withheld
from screening.errors import ReferenceTableError
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
    table = pseudonymize(read_registry(data, "t"), KEY, "t", on_progress=told)
    assert told.ended == {"making pseudonyms": (2, 2), "checking cells": (0, 0)}
    assert table.schema.equals(REFERENCE_SCHEMA, check_metadata=True)
    assert table["patient_pseudonym"].to_pylist() == [KEY.pseudonym("007", "PatientID"), KEY.pseudonym("0042", "PatientID")]
    assert table["result_date"].to_pylist() == [date(2020, 3, 2), date(2020, 3, 4)]
    assert table["specimen_date"].to_pylist() == [date(2020, 3, 1), None]
    assert table["result"].to_pylist() == ["positive", "negative"]
    assert table["symptom_onset_date"].null_count == 2
    assert table["reading"].to_pylist() == ["covid", None]


@pytest.mark.parametrize(("csv", "message"), [
    (b"id,result\n1,positive\n", "no column PatientID"),
    (b"PatientID,outcome\n1,positive\n", "no column result"),
    (b"PatientID,result\nSMITH,positive\n ,negative\n", r"PatientID is empty in 1 rows: 2"),
    (b"PatientID,result\nSMITH,positive,more\n", "neither Parquet nor CSV"),
    (b"PAR1 but not really", "neither Parquet nor CSV"),
])  # fmt: skip
def test_faults_are_named_without_values(csv: bytes, message: str):
    with pytest.raises(ReferenceTableError, match=message) as error:
        pseudonymize(read_registry(csv, "t.csv"), KEY, "t.csv")
    assert "SMITH" not in str(error.value)


def test_dirty_cells_are_left_to_the_views():
    csv = b"PatientID,Name,PatientSex,specimen_date,result_date,result\n"
    csv += b"A,x,male,03/04/2020,2020-03-05,positive\nB,y,F,2020-03-01,,perhaps\nC,z,,,,\n"
    table = pseudonymize(read_registry(csv, "t"), KEY, "t")
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
    table = pseudonymize(read_registry(csv, "t"), KEY, "t")
    assert table["specimen_date"].to_pylist() == [WITHHELD, "2020-03-01"]
    assert table["result"].to_pylist() == ["positive", WITHHELD]
    assert withheld(table) == {"specimen_date": 1, "result": 1}

"""The reference table's loader: what it takes, and what it says of what it does not take."""

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.foreign_tables import TextFormat
from screening.analytics.reference import OPTIONAL, load_reference
from screening.analytics.views import read_reference
from screening.errors import ReferenceTableError, UsageError

HEADER = "patient_pseudonym,symptom_onset_date,specimen_date,result_date,result,reading"


def load(folder: Path, text: str) -> pa.Table:
    """Return the reference table that a CSV file of `text` gives."""
    (folder / "reference.csv").write_text(text)
    return load_reference(str(folder / "reference.csv"))


def test_csv_and_parquet_give_the_same_table(tmp_path: Path):
    table = load(tmp_path, f"{HEADER},further\n0012,2020-03-01,,2020-03-05, Positive,covid,x\n00ab,,,,negative,,\n")
    assert table.column_names == [*REFERENCE_SCHEMA.names, *OPTIONAL]
    assert table.to_pylist()[0] == {
        "patient_pseudonym": "0012",  # as text: it is no number
        "symptom_onset_date": "2020-03-01",
        "specimen_date": None,
        "result_date": "2020-03-05",
        "result": " Positive",  # as it was given
        "reading": "covid",
        "PatientSex": None,
        "death_date": None,
    }
    pq.write_table(table, tmp_path / "reference.parquet")
    assert load_reference(str(tmp_path / "reference.parquet")).equals(table)


def test_a_byte_order_mark_and_quotes(tmp_path: Path):
    header = ",".join(f'"{name}"' for name in HEADER.split(","))
    assert load(tmp_path, f'\ufeff{header}\r\n"0012",,,,"negative",\r\n').num_rows == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "patient_pseudonym,result\na,positive\n",
            r"lacks symptom_onset_date \(date32\[day\]: first day of.*Add the column",
        ),
        (f"{HEADER.replace('patient_pseudonym', 'PatientID')}\nDoe,,,,positive,\n", r"raw patient identifiers.*`screening pseudonymize`"),
        (f"{HEADER.replace('patient_pseudonym', 'patient_id')}\nDoe,,,,positive,\n", r"`screening pseudonymize`"),
        (f"{HEADER}\nDoe,positive\n", "neither Parquet nor CSV: row 1 has 2 cells for 6 columns; put quotes"),
        ("", "is empty, so it is neither Parquet nor CSV"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(tmp_path: Path, text: str, message: str):
    with pytest.raises(ReferenceTableError, match=message) as caught:
        load(tmp_path, text)
    assert "Doe" not in str(caught.value)


def test_the_day_of_a_timestamp_is_that_of_its_own_zone(tmp_path: Path):
    night = datetime(2020, 3, 4, 3, 30, tzinfo=ZoneInfo("Asia/Taipei"))  # still the third of March in UTC
    columns = {name: ["x"] for name in REFERENCE_SCHEMA.names} | {
        "symptom_onset_date": pa.array([night], pa.timestamp("us", "UTC")),
        "specimen_date": ["2020-03-04T03:30:00+08:00"],
        "result_date": pa.array([night], pa.timestamp("us", "Asia/Taipei")),
        "result": ["positive"],
    }
    pq.write_table(pa.table(columns), tmp_path / "reference.parquet")
    read = read_reference(load_reference(str(tmp_path / "reference.parquet"))).to_pylist()[0]
    assert [read[name] for name in ("specimen_date", "result_date")] == [date(2020, 3, 4)] * 2
    assert read["symptom_onset_date"] == date(2020, 3, 3), "it was written as UTC"
    assert read_reference(pa.table(columns)).to_pylist()[0]["result_date"] == date(2020, 3, 4)


def test_columns_of_other_names_and_another_encoding(tmp_path: Path):
    header = HEADER.replace("specimen_date", "採檢日").replace("result_date", "報告")
    (tmp_path / "reference.csv").write_text(f"{header}\n0012,,2020-03-01,2020-03-05,陽性,\n".replace(",", ";"), "big5")
    names = {"specimen_date": "採檢日", "result_date": "報告"}
    table = load_reference(str(tmp_path / "reference.csv"), names, TextFormat("big5", ";"))
    assert table.select(["specimen_date", "result_date", "result"]).to_pylist() == [
        {"specimen_date": "2020-03-01", "result_date": "2020-03-05", "result": "陽性"}
    ]
    with pytest.raises(UsageError, match=r"--column label=x: ours are patient_pseudonym, symptom_onset_date"):
        load_reference(str(tmp_path / "reference.csv"), {"label": "x"}, TextFormat("big5", ";"))


def test_files_that_are_none(tmp_path: Path):
    with pytest.raises(ReferenceTableError, match=r"no reference table at .*check the path"):
        load_reference(str(tmp_path / "none.csv"))
    (tmp_path / "reference.parquet").write_bytes(b"no Parquet")
    with pytest.raises(ReferenceTableError, match="damaged, cut or no Parquet"):
        load_reference(str(tmp_path / "reference.parquet"))

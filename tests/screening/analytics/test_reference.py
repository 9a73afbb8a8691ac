"""The reference table's loader: what it takes, and what it says of what it does not take."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.reference import OPTIONAL, load_reference
from screening.errors import ReferenceTableError

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
        (f"{HEADER}\nDoe,positive\n", "neither CSV.*: row 1 has 2 cells for 6 columns"),
        ("", "neither CSV"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(tmp_path: Path, text: str, message: str):
    with pytest.raises(ReferenceTableError, match=message) as caught:
        load(tmp_path, text)
    assert "Doe" not in str(caught.value)


def test_files_that_are_none(tmp_path: Path):
    with pytest.raises(ReferenceTableError, match=r"no reference table at .*check the path"):
        load_reference(str(tmp_path / "none.csv"))
    (tmp_path / "reference.parquet").write_bytes(b"no Parquet")
    with pytest.raises(ReferenceTableError, match="nor Parquet"):
        load_reference(str(tmp_path / "reference.parquet"))

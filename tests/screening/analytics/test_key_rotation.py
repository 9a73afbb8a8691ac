"""Rotation of the pseudonym key: pairs by hand, without a PatientID, one a person."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from screening.analytics.key_rotation import PAIRS, pairs_of
from screening.errors import ReferenceTableError, UsageError
from screening.privacy import Pseudonymizer

EARLIER, LATER = Pseudonymizer(b"the key of last year"), Pseudonymizer(b"the key of this year")


def test_a_row_a_person_with_both_pseudonyms() -> None:
    pairs = pairs_of(b"PatientID,name\n017,x\nB-2,y\n 017 ,z\n,w\n", "people.csv", EARLIER, LATER)
    assert pairs.schema.equals(PAIRS)
    expected = sorted((EARLIER.pseudonym(value, "PatientID"), LATER.pseudonym(value, "PatientID")) for value in ("017", "B-2"))
    assert [tuple(row.values()) for row in pairs.to_pylist()] == expected
    assert "017" not in str(pairs.to_pylist())


def test_a_parquet_file_and_a_column_of_another_name() -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"number": [7, 8]}), buffer)
    pairs = pairs_of(buffer.getvalue(), "people.parquet", EARLIER, LATER, id_column="number")
    assert EARLIER.pseudonym("7", "PatientID") in pairs["earlier_pseudonym"].to_pylist()


def test_what_gives_no_pairs_is_refused() -> None:
    with pytest.raises(UsageError, match="both pseudonym keys are the same"):
        pairs_of(b"PatientID\n1\n", "people.csv", EARLIER, EARLIER)
    with pytest.raises(ReferenceTableError, match="has no column PatientID, but town"):
        pairs_of(b"town\nx\n", "people.csv", EARLIER, LATER)
    with pytest.raises(ReferenceTableError, match="every cell of PatientID is empty"):
        pairs_of(b"PatientID,name\n,x\n", "people.csv", EARLIER, LATER)

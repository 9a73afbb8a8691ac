"""Readings in files: they come back as they were put, oldest first, and nothing else passes for one."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.reading import ADDED_COLUMNS, READING_SCHEMA, Reading
from screening.errors import ReferenceTableError
from screening.results.layout import ResultsLayout
from screening.results.readings import list_readings, put_reading, read_readings, reading_id_of
from screening.storage import put_atomic
from tests.readings import reading_of, write_readings
from tests.screening.instance_rows import instance_row


def test_readings_come_back_in_the_order_of_time(tmp_path: Path) -> None:
    first, second, third = (reading_of(instance_row(number), "covid", comment="ä" if number == 2 else None) for number in (1, 2, 3))
    folder = write_readings(tmp_path, third, first, second)
    table = read_readings(list_readings(folder))
    assert table.schema.equals(READING_SCHEMA, check_metadata=True)
    assert [Reading(**row) for row in table.to_pylist()] == [first, second, third]


def test_each_reading_is_a_file_of_its_own_by_day(tmp_path: Path) -> None:
    made = reading_of(instance_row(1), "normal")
    url = put_reading(ResultsLayout(str(tmp_path)), made)
    assert reading_id_of(url) == made.reading_id
    assert Path(url) == tmp_path / "readings" / made.read_at.date().isoformat() / f"{made.reading_id}.parquet"


def test_readings_on_s3(s3_bucket: str) -> None:
    folder = write_readings(f"{s3_bucket}/nights", reading_of(instance_row(1), "unreadable"))
    assert read_readings(list_readings(folder)).column("finding").to_pylist() == ["unreadable"]


def test_no_readings_are_an_empty_table(tmp_path: Path) -> None:
    assert read_readings(list_readings(str(tmp_path / "none"))).equals(READING_SCHEMA.empty_table())


def test_readings_of_an_earlier_version_have_null_where_columns_were_added(tmp_path: Path) -> None:
    made = reading_of(instance_row(1), "covid")
    url = put_reading(ResultsLayout(str(tmp_path)), made)
    pq.write_table(pq.read_table(url, partitioning=None).drop_columns(list(ADDED_COLUMNS)), url)
    [row] = read_readings([url]).to_pylist()
    assert row == made.model_dump() | {"pixel_hash": None}


def test_other_files_are_no_readings(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"finding": ["covid"]}), buffer)
    for name, content, said in (("a.parquet", buffer.getvalue(), "holds no readings"), ("b.parquet", b"text", "is no Parquet file")):
        put_atomic(str(tmp_path / name), content)
        with pytest.raises(ReferenceTableError, match=said):
            read_readings([str(tmp_path / name)])

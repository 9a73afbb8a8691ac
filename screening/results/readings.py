"""Readings of radiologists below `readings/`: one small file each, which is never changed afterwards."""

import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.columns import SCHEMA_NAME_KEY
from schemas.reading import ADDED_COLUMNS, READING_SCHEMA, Reading
from screening.errors import ReferenceTableError
from screening.results.layout import ResultsLayout
from screening.storage import list_files, put_atomic, read_bytes

READ_AT_ONCE = 16
_SCHEMA_NAME = (READING_SCHEMA.metadata or {})[SCHEMA_NAME_KEY]


def put_reading(layout: ResultsLayout, reading: Reading) -> str:
    """Write one reading in one atomic put, under a name of its own, and return its URL."""
    url = layout.reading(reading.read_at.date(), reading.reading_id)
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([reading.model_dump()], READING_SCHEMA), buffer)
    put_atomic(url, buffer.getvalue())
    return url


def list_readings(url: str) -> list[str]:
    """Return the URLs of the files below a folder of readings."""
    return list_files(url, ".parquet")


def reading_id_of(url: str) -> str:
    """Return the reading that a file's URL or path names."""
    return url.rsplit("/", 1)[-1].removesuffix(".parquet")


def read_readings(urls: Iterable[str]) -> pa.Table:
    """Return the readings in some files (READING_SCHEMA), oldest first. Raises ReferenceTableError for a file that holds other things."""
    with ThreadPoolExecutor(READ_AT_ONCE, thread_name_prefix="readings") as pool:
        tables = list(pool.map(_read, urls))
    return pa.concat_tables([READING_SCHEMA.empty_table(), *tables]).sort_by([("read_at", "ascending"), ("reading_id", "ascending")])


def _read(url: str) -> pa.Table:
    try:
        table = pq.read_table(io.BytesIO(read_bytes(url)))
    except pa.ArrowInvalid as error:
        raise ReferenceTableError(f"{url} is no Parquet file: only readings belong into this folder") from error
    if (table.schema.metadata or {}).get(SCHEMA_NAME_KEY) != _SCHEMA_NAME:
        raise ReferenceTableError(f"{url} holds no readings: give a table of RT-PCR results as a file, and only readings as a folder")
    for name in ADDED_COLUMNS:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(len(table), READING_SCHEMA.field(name).type))
    return table.select(READING_SCHEMA.names).cast(READING_SCHEMA)

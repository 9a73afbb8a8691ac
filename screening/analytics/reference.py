"""The reference table: the agency's RT-PCR results, from Parquet or CSV, as they are.

Whether it has the columns is checked here; its cells are read, cleaned and counted by `analytics/sql/reference_read.sql`.
"""

import csv
import io

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from schemas.columns import description_of
from schemas.reference import REFERENCE_SCHEMA
from screening.errors import ReferenceTableError
from screening.storage import read_bytes

OPTIONAL = ("PatientSex", "death_date")  # columns that help to find wrong rows


def load_reference(url: str) -> pa.Table:
    """Return a reference table as the agency wrote it: the columns of REFERENCE_SCHEMA and of OPTIONAL, in whatever types it has.

    Files whose name ends in .csv are CSV, every cell a text; all others are Parquet. `analytics/sql/reference_read.sql` reads the cells.
    Raises ReferenceTableError naming what is missing and the remedy; a value is never repeated, for it may be a patient's name.
    """
    try:
        data = read_bytes(url)
    except FileNotFoundError as error:
        raise ReferenceTableError(f"no reference table at {url}: check the path") from error
    try:
        table = _read_csv(data) if url.lower().endswith(".csv") else pq.read_table(io.BytesIO(data))
    except pa.ArrowInvalid as error:
        raise ReferenceTableError(f"{url} is neither CSV (name ending in .csv) nor Parquet{_uneven_row(data)}") from error
    return as_given(table, url)


def as_given(table: pa.Table, name: str = "the reference table") -> pa.Table:
    """Return the columns of `table` that the views read; optional ones that it lacks are null. Raises ReferenceTableError."""
    _check_columns(table.column_names, name)
    optional = {column: pa.nulls(len(table), pa.string()) for column in OPTIONAL if column not in table.column_names}
    for column, values in optional.items():
        table = table.append_column(column, values)
    return table.select([*REFERENCE_SCHEMA.names, *OPTIONAL])


def _read_csv(data: bytes) -> pa.Table:
    names = next(csv.reader([data.split(b"\n", 1)[0].decode("utf-8-sig", "replace")]), [])
    text = dict.fromkeys((name.strip() for name in names), pa.string())
    options = pa_csv.ConvertOptions(column_types=text, strings_can_be_null=True, null_values=[""])
    return pa_csv.read_csv(io.BytesIO(data), convert_options=options)


def _uneven_row(data: bytes) -> str:
    """Return which row has another number of cells than the header, empty where none has."""
    lines = csv.reader(io.StringIO(data.decode("utf-8", "replace")))
    columns = len(next(lines, []))
    uneven = (f": row {row} has {len(cells)} cells for {columns} columns" for row, cells in enumerate(lines, 1) if len(cells) != columns)
    return next(uneven, "")


def _check_columns(header: list[str], name: str) -> None:
    if "patient_pseudonym" not in header and any(column.lower().replace("_", "") == "patientid" for column in header):
        raise ReferenceTableError(
            f"{name} has raw patient identifiers and no patient_pseudonym. Run `screening pseudonymize` on it, with the key of the runs"
        )
    missing = [field for field in REFERENCE_SCHEMA if field.name not in header]
    if missing:
        needs = "; ".join(f"{field.name} ({field.type}: {description_of(field)})" for field in missing)
        raise ReferenceTableError(f"{name} lacks {needs}. Add the column, empty where nothing is known")

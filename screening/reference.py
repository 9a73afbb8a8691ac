"""The reference table: the agency's RT-PCR results, from Parquet or CSV, checked before anything is compared with them."""

import csv
import io

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from schemas.columns import description_of
from schemas.reference import REFERENCE_SCHEMA, TestResult
from screening.errors import ReferenceTableError
from screening.storage import read_bytes

_NULLS = ["", "NA", "N/A", "NULL", "null"]
_READINGS = ("normal", "pneumonia", "covid")


def load_reference(url: str) -> pa.Table:
    """Return a reference table as REFERENCE_SCHEMA; further columns are left out.

    Files whose name ends in .csv are CSV with ISO 8601 dates and empty cells for what is unknown; all others are Parquet.
    Raises ReferenceTableError naming the column, the row and the remedy; a value is never repeated, for it may be a patient's name.
    """
    try:
        data = read_bytes(url)
    except FileNotFoundError as error:
        raise ReferenceTableError(f"no reference table at {url}: check the path") from error
    try:
        table = _read_csv(data) if url.lower().endswith(".csv") else pq.read_table(io.BytesIO(data))
    except pa.ArrowInvalid as error:
        raise ReferenceTableError(f"{url} is neither CSV (name ending in .csv) nor Parquet{_uneven_row(data)}") from error
    return check_reference(table, url)


def check_reference(table: pa.Table, name: str = "the reference table") -> pa.Table:
    """Return `table` as REFERENCE_SCHEMA. Raises ReferenceTableError as `load_reference` does."""
    _check_columns(table.column_names, name)
    columns = {field.name: _cast(table.column(field.name), field, name) for field in REFERENCE_SCHEMA}
    for column in ("result", "reading"):
        columns[column] = pc.utf8_lower(pc.utf8_trim_whitespace(columns[column]))
    _check_values(columns["result"], "result", tuple(TestResult), name)
    _check_values(columns["reading"], "reading", _READINGS, name)
    for column in ("patient_pseudonym", "result"):
        if columns[column].null_count:
            row = columns[column].is_null().to_pylist().index(True) + 1
            raise ReferenceTableError(f"{name}: {column} is empty in row {row}. Fill it in or leave out the row")
    return pa.table(columns, REFERENCE_SCHEMA)


def _read_csv(data: bytes) -> pa.Table:
    names = next(csv.reader([data.split(b"\n", 1)[0].decode("utf-8-sig", "replace")]), [])
    text = dict.fromkeys((name.strip() for name in names), pa.string())
    options = pa_csv.ConvertOptions(column_types=text, strings_can_be_null=True, null_values=_NULLS)
    return pa_csv.read_csv(io.BytesIO(data), convert_options=options)


def _uneven_row(data: bytes) -> str:
    """Return which row has another number of cells than the header, empty where none has."""
    lines = csv.reader(io.StringIO(data.decode("utf-8", "replace")))
    columns = len(next(lines, []))
    uneven = (f": row {row} has {len(cells)} cells for {columns} columns" for row, cells in enumerate(lines, 1) if len(cells) != columns)
    return next(uneven, "")


def _check_columns(found: list[str], name: str) -> None:
    if "patient_pseudonym" not in found and any(column.lower().replace("_", "") == "patientid" for column in found):
        raise ReferenceTableError(
            f"{name} has raw patient identifiers and no patient_pseudonym. Run `screening pseudonymize` on it, with the key of the runs"
        )
    missing = [field for field in REFERENCE_SCHEMA if field.name not in found]
    if missing:
        needs = "; ".join(f"{field.name} ({field.type}: {description_of(field)})" for field in missing)
        raise ReferenceTableError(f"{name} lacks {needs}. Add the column, empty where nothing is known")


def _cast(values: pa.ChunkedArray, field: pa.Field, name: str) -> pa.ChunkedArray:
    try:
        return values.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        row = next((index for index, value in enumerate(values, 1) if not _casts(value, field.type)), 1)
        kind = "dates as YYYY-MM-DD" if pa.types.is_date(field.type) else str(field.type)
        raise ReferenceTableError(f"{name}: {field.name} cannot be read in row {row}. Write {kind}, empty where unknown") from error


def _casts(value: pa.Scalar, type: pa.DataType) -> bool:
    try:
        value.cast(type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def _check_values(values: pa.ChunkedArray, column: str, allowed: tuple[str, ...], name: str) -> None:
    known = pc.fill_null(pc.is_in(values, pa.array(allowed, pa.string()), skip_nulls=False), False)
    wrong = pc.and_not(values.is_valid(), known)
    if pc.any(wrong).as_py():
        row = wrong.to_pylist().index(True) + 1
        raise ReferenceTableError(f"{name}: {column} in row {row} means nothing here. Write one of {', '.join(allowed)}")

"""Turns an agency's table of RT-PCR tests into the reference table: PatientID out, its pseudonym in, only known columns kept."""

import io

import polars as pl
import pyarrow as pa

from schemas.reference import REFERENCE_SCHEMA
from screening.errors import ReferenceTableError
from screening.privacy import Pseudonymizer
from screening.reference import check_reference

_MAX_ROWS_NAMED = 5


def read_registry(data: bytes, name: str) -> pl.DataFrame:
    """Return a CSV or Parquet file as a table of texts; an identifier keeps its leading zeros. Raises ReferenceTableError."""
    try:
        if data[:4] == b"PAR1":
            return pl.read_parquet(io.BytesIO(data)).with_columns(pl.all().cast(pl.String))
        return pl.read_csv(io.BytesIO(data), infer_schema=False)
    except pl.exceptions.PolarsError:
        raise ReferenceTableError(f"{name} is neither Parquet nor CSV in UTF-8 with a header line and equally long rows") from None


def pseudonymize(table: pl.DataFrame, pseudonymizer: Pseudonymizer, name: str, id_column: str = "PatientID") -> pa.Table:
    """Return the rows of `table` as REFERENCE_SCHEMA: columns that it lacks are null, columns that the schema lacks are dropped.

    `id_column` holds the PatientID as the DICOM files have it. Dates may have a time behind them. Raises ReferenceTableError with the
    number of a row that is wrong (the first one after the header is 1) and never its value.
    """
    for needed in (id_column, "result"):
        if needed not in table.columns:
            raise ReferenceTableError(f"{name} has no column {needed}. Rename the column that holds it")
    texts = table.with_columns(pl.all().str.strip_chars(" \0\t\r\n")).with_columns(pl.all().replace("", None))
    identifiers = texts[id_column].to_list()
    empty = [number for number, value in enumerate(identifiers, 1) if value is None]
    if empty:
        rows = ", ".join(map(str, empty[:_MAX_ROWS_NAMED])) + (", ..." if len(empty) > _MAX_ROWS_NAMED else "")
        raise ReferenceTableError(f"{name}: {id_column} is empty in {len(empty)} rows: {rows}. Fill it in or leave out the rows")
    columns = {field.name: _texts(texts, field) for field in REFERENCE_SCHEMA}
    columns["patient_pseudonym"] = pa.array([pseudonymizer.pseudonym(value, "PatientID") for value in identifiers], pa.string())
    return check_reference(pa.table(columns), name)


def _texts(texts: pl.DataFrame, field: pa.Field) -> pa.Array:
    if field.name not in texts.columns:
        return pa.nulls(len(texts), pa.string())
    values = texts[field.name]
    if pa.types.is_date(field.type):
        values = values.str.replace(r"[T ]\d.*$", "")
    return pa.array(values.to_list(), pa.string())

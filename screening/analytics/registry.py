"""Turns an agency's table of RT-PCR tests into the reference table: PatientID out, its pseudonym in, only known columns kept."""

import io

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from schemas.progress import OnProgress, counter, unwatched
from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.reference import OPTIONAL
from screening.analytics.views import read_reference
from screening.errors import ReferenceTableError
from screening.privacy import Pseudonymizer

WITHHELD = "withheld"  # stands for a text that means nothing: it may be a patient's name that slipped into the wrong column

_MAX_ROWS_NAMED = 5
_AT_ONCE = 10_000  # pseudonyms made between two reports of progress
# what reference_read.sql calls the columns whose reasons bear another name there
_TEXT_OF = {"symptom_onset_date": "onset", "specimen_date": "specimen", "result_date": "report", "PatientSex": "sex", "death_date": "death"}


def read_registry(data: bytes, name: str) -> pl.DataFrame:
    """Return a CSV or Parquet file as a table of texts; an identifier keeps its leading zeros. Raises ReferenceTableError."""
    try:
        if data[:4] == b"PAR1":
            return pl.read_parquet(io.BytesIO(data)).with_columns(pl.all().cast(pl.String))
        return pl.read_csv(io.BytesIO(data), infer_schema=False)
    except pl.exceptions.PolarsError:
        raise ReferenceTableError(f"{name} is neither Parquet nor CSV in UTF-8 with a header line and equally long rows") from None


def pseudonymize(
    table: pl.DataFrame, pseudonymizer: Pseudonymizer, name: str, id_column: str = "PatientID", on_progress: OnProgress = unwatched
) -> pa.Table:
    """Return the rows of `table` with the columns of REFERENCE_SCHEMA: those that it lacks are null, others are dropped but OPTIONAL ones.

    `id_column` holds the PatientID as the DICOM files have it. Dates may have a time behind them. A column with cells that are no dates of
    the form YYYY-MM-DD stays text: the views clean it with a reason per row (`analytics/sql/reference_cleaning.sql`). A cell that even
    they cannot read is WITHHELD. Raises ReferenceTableError where a column or an identifier is missing, with the number of the row (the
    first one after the header is 1).
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
    columns = {field.name: _column(texts, field) for field in REFERENCE_SCHEMA}
    columns |= {column: _column(texts, pa.field(column, pa.string())) for column in OPTIONAL if column in texts.columns}
    pseudonyms, count = [], counter(on_progress, "making pseudonyms", len(identifiers))
    for start in range(0, len(identifiers), _AT_ONCE):
        pseudonyms += [pseudonymizer.pseudonym(value, "PatientID") for value in identifiers[start : start + _AT_ONCE]]
        count(len(pseudonyms) - start)
    columns["patient_pseudonym"] = pa.array(pseudonyms, pa.string())
    on_progress("checking cells", 0, 0)
    fields = [_field(column, values) for column, values in columns.items()]
    return _without_strange_texts(pa.table(columns, pa.schema(fields, REFERENCE_SCHEMA.metadata)))


def withheld(table: pa.Table) -> dict[str, int]:
    """Return the columns of a pseudonymized table that have cells WITHHELD, and how many."""
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    counts = {column: pc.sum(pc.equal(table[column], WITHHELD)).as_py() or 0 for column in texts}
    return {column: n for column, n in counts.items() if n}


def _without_strange_texts(table: pa.Table) -> pa.Table:
    """Return the table with WITHHELD in the place of every cell that the views cannot read."""
    read = read_reference(table)
    for index, field in enumerate(table.schema):
        reason = f"{_TEXT_OF.get(field.name, field.name)}_reason"
        if pa.types.is_string(field.type) and reason in read.column_names:
            strange = pc.fill_null(pc.equal(read[reason], "not read"), False)
            table = table.set_column(index, field, pc.if_else(strange, WITHHELD, table[field.name]))
    return table


def _column(texts: pl.DataFrame, field: pa.Field) -> pa.Array:
    """Return the cells of a column, as dates where all that are not empty are."""
    if field.name not in texts.columns:
        return pa.nulls(len(texts), field.type)
    values = texts[field.name]
    if not pa.types.is_date(field.type):
        return pa.array((values.str.to_lowercase() if field.name in ("result", "reading") else values).to_list(), pa.string())
    days = values.str.replace(r"[T ]\d.*$", "").str.to_date("%Y-%m-%d", strict=False)
    if days.null_count() > values.null_count():
        return pa.array(values.to_list(), pa.string())
    return pa.array(days.to_list(), field.type)


def _field(name: str, values: pa.Array) -> pa.Field:
    """Return the field of the schema, or one of its name where the values are not of its type."""
    known = REFERENCE_SCHEMA.field(name) if name in REFERENCE_SCHEMA.names else pa.field(name, values.type)
    return known.with_type(values.type).with_nullable(known.nullable or values.null_count > 0)

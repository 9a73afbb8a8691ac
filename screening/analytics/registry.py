"""Turns an agency's table of RT-PCR tests into the reference table: PatientID out, its pseudonym in, only known columns kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from schemas.progress import OnProgress, counter, unwatched
from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.columns import find_columns
from screening.analytics.foreign_tables import TextFormat, as_texts, read_cells
from screening.analytics.reference import OPTIONAL
from screening.analytics.views import read_reference
from screening.errors import ReferenceTableError
from screening.privacy import Pseudonymizer

REGISTRY_COLUMNS = ("PatientID", *REFERENCE_SCHEMA.names[1:], *OPTIONAL)
WITHHELD = "withheld"  # stands for a text that means nothing: it may be a patient's name that slipped into the wrong column

_MAX_ROWS_NAMED = 5
_AT_ONCE = 10_000  # pseudonyms made between two reports of progress
# what reference_read.sql calls the columns whose reasons bear another name there
_TEXT_OF = {"symptom_onset_date": "onset", "specimen_date": "specimen", "result_date": "report", "PatientSex": "sex", "death_date": "death"}


@dataclass(frozen=True)
class Registry:
    """A register as texts, under our names, and which of its columns these were."""

    name: str  # of the file, for messages
    texts: pl.DataFrame
    taken: Mapping[str, str]  # ours → theirs
    dropped: Sequence[str]  # theirs that nothing of ours was taken from

    @property
    def undated(self) -> bool:
        """Whether no column says when a test was taken or reported, so that nothing tells which radiographs it belongs to."""
        return not {"specimen_date", "result_date"} & self.taken.keys()


def read_registry(
    data: bytes, name: str, columns: Mapping[str, str] | None = None, form: TextFormat | None = None, id_column: str | None = None
) -> Registry:
    """Return the bytes of a CSV or Parquet file as a register; an identifier keeps its leading zeros.

    columns: ours → the register's own, for what the usual names do not find (`analytics.columns`). form: how its text is written.
    id_column: the register's own column of PatientID. Numbers and dates of Parquet are read as `analytics.foreign_tables` says.
    Raises ReferenceTableError where the file cannot be read, or PatientID or result is missing, or identifiers are fractions; UsageError
    where two columns could each be one of ours.
    """
    table = read_cells(data, name, form)
    given = {**(columns or {}), **({} if id_column is None else {"PatientID": id_column})}
    taken = find_columns(table.column_names, given, name, REGISTRY_COLUMNS)
    for needed, option in (("PatientID", "--id-column COLUMN"), ("result", "--column result=COLUMN")):
        if needed not in taken:
            there = ", ".join(table.column_names)
            raise ReferenceTableError(f"{name} has no column {needed}, but {there}. Say which holds it: {option}")
    _check_identifiers(table[taken["PatientID"]], f"{name}: {taken['PatientID']}")
    texts = pl.DataFrame(pl.from_arrow(as_texts(table.select(list(taken.values())).rename_columns(list(taken)))))
    dropped = [column for column in table.column_names if column not in taken.values()]
    return Registry(name, texts.with_columns(pl.all().str.strip_chars(" \0\t\r\n").replace("", None)), taken, dropped)


def _check_identifiers(values: pa.ChunkedArray, where: str) -> None:
    """Raise ReferenceTableError for identifiers that were turned into fractions: their pseudonyms would fit nobody."""
    if pa.types.is_floating(values.type):
        raise ReferenceTableError(f"{where} holds numbers that are not whole, so they are no identifiers; write them as text")
    texts = pc.drop_null(values.cast(pa.string()))
    if len(texts) and pc.all(pc.match_substring_regex(texts, r"^\s*\d+\.0+\s*$")).as_py():
        raise ReferenceTableError(f"{where}: every identifier ends in .0, as a spreadsheet writes numbers; write them as text, without it")


def pseudonymize(registry: Registry, pseudonymizer: Pseudonymizer, on_progress: OnProgress = unwatched) -> pa.Table:
    """Return the rows of a register with the columns of REFERENCE_SCHEMA, null where it lacks them, and those of OPTIONAL that it has.

    Dates may have a time behind them. A column with cells that are no dates of the form YYYY-MM-DD stays text: the views clean it with a
    reason per row (`analytics/sql/reference_cleaning.sql`). A cell that even they cannot read is WITHHELD. Raises ReferenceTableError
    where an identifier is missing, with the number of the row (the first one after the header is 1).
    """
    texts = registry.texts
    identifiers = texts["PatientID"].to_list()
    empty = [number for number, value in enumerate(identifiers, 1) if value is None]
    if empty:
        rows = ", ".join(map(str, empty[:_MAX_ROWS_NAMED])) + (", ..." if len(empty) > _MAX_ROWS_NAMED else "")
        column = registry.taken["PatientID"]
        raise ReferenceTableError(f"{registry.name}: {column} is empty in {len(empty)} rows: {rows}. Fill it in or leave out the rows")
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

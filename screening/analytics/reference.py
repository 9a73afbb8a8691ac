"""The reference table: the agency's RT-PCR results, from Parquet or CSV, as they are.

Whether it has the columns is checked here; its cells are read, cleaned and counted by `analytics/sql/reference_read.sql`.
"""

from collections.abc import Mapping

import pyarrow as pa

from schemas.columns import description_of
from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.columns import check_mapping
from screening.analytics.foreign_tables import TextFormat, plain_cells, read_foreign
from screening.errors import ReferenceTableError

OPTIONAL = ("PatientSex", "death_date")  # columns that help to find wrong rows


def load_reference(url: str, columns: Mapping[str, str] | None = None, form: TextFormat | None = None) -> pa.Table:
    """Return a reference table as the agency wrote it: the columns of REFERENCE_SCHEMA and of OPTIONAL.

    Every cell of CSV is a text, those of Parquet are as `foreign_tables.plain_cells` gives them; `analytics/sql/reference_read.sql` reads
    them. The day of a timestamp with a time zone is that of the zone. columns: ours → the table's own. form: how its text is written.
    Raises ReferenceTableError naming what is missing and the remedy, UsageError for a mapping of what is no column; a value is never
    repeated, for it may be a patient's name.
    """
    try:
        table, _ = read_foreign(url, form)
    except FileNotFoundError as error:
        raise ReferenceTableError(f"no reference table at {url}: check the path") from error
    check_mapping(table.column_names, columns or {}, url, [*REFERENCE_SCHEMA.names, *OPTIONAL])
    theirs = {name: ours for ours, name in (columns or {}).items()}
    kept = [name for name in table.column_names if name in theirs or name not in theirs.values()]
    return as_given(table.select(kept).rename_columns([theirs.get(name, name) for name in kept]), url)


def as_given(table: pa.Table, name: str = "the reference table") -> pa.Table:
    """Return the columns of `table` that the views read, with plain cells; optional ones that it lacks are null.

    Raises ReferenceTableError for a column that is missing or holds no cells.
    """
    _check_columns(table.column_names, name)
    optional = {column: pa.nulls(len(table), pa.string()) for column in OPTIONAL if column not in table.column_names}
    for column, values in optional.items():
        table = table.append_column(column, values)
    return plain_cells(table.select([*REFERENCE_SCHEMA.names, *OPTIONAL]), name)


def _check_columns(header: list[str], name: str) -> None:
    if "patient_pseudonym" not in header and any(column.lower().replace("_", "") == "patientid" for column in header):
        raise ReferenceTableError(
            f"{name} has raw patient identifiers and no patient_pseudonym. Run `screening pseudonymize` on it, with the key of the runs"
        )
    missing = [field for field in REFERENCE_SCHEMA if field.name not in header]
    if missing:
        needs = "; ".join(f"{field.name} ({field.type}: {description_of(field)})" for field in missing)
        raise ReferenceTableError(f"{name} lacks {needs}. Add the column, empty where nothing is known")

"""What the views are: their grain, the meaning of their columns and an example each, from the headers of the SQL files.

Grain and meaning stand as comments in the database, too.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from schemas.columns import description_of, unit_of
from schemas.heatmap import HEATMAP_SCHEMA
from schemas.instance import INSTANCE_SCHEMA
from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.sql_files import read_sql

_SCHEMAS = {"instance_rows": INSTANCE_SCHEMA, "instances": INSTANCE_SCHEMA, "heatmaps": HEATMAP_SCHEMA, "reference": REFERENCE_SCHEMA}


@dataclass(frozen=True)
class ColumnInfo:
    """One column of a view, for people."""

    name: str
    type: str
    description: str
    unit: str

    @property
    def meaning(self) -> str:
        """The description with the unit, where there is one."""
        return f"{self.description} ({self.unit})" if self.unit else self.description


def grain_of(view: str) -> str:
    """Return what one row of a view is, as the header of its file says."""
    match = re.search(r"^-- grain: (.*)$", read_sql("analytics", view), re.MULTILINE)
    assert match is not None, f"{view}.sql states no grain"
    return match[1]


def example_of(view: str) -> str:
    """Return a query over a view that somebody might ask, as the header of its file gives it."""
    match = re.search(r"^-- example: (.*)$", read_sql("analytics", view), re.MULTILINE)
    assert match is not None, f"{view}.sql has no example"
    return match[1]


def columns_of(connection: duckdb.DuckDBPyConnection, view: str) -> list[ColumnInfo]:
    """Return the columns of a view or table of the catalogue with what they mean."""
    known = {field.name: (description_of(field), unit_of(field)) for field in _SCHEMAS.get(view, ())}
    known |= {name: (text, "") for name, text in _described(view).items()}
    bound = connection.table(view)  # duckdb_columns() would bind every view there is
    return [ColumnInfo(name, str(type).lower(), *known.get(name, ("", ""))) for name, type in zip(bound.columns, bound.types, strict=True)]


def comment(connection: duckdb.DuckDBPyConnection, views: Iterable[str], *, columns: bool = False) -> None:
    """Write the grain of views into the database, and on demand the meaning of their columns, where every tool over DuckDB shows them.

    DuckDB binds a view anew for the comment of each column: a second for the columns of all views, and some hundredths without them.
    """
    tables = {name for (name,) in connection.sql("select table_name from duckdb_tables() where not internal").fetchall()}
    statements = []
    for view in views:
        statements.append(f"comment on {'table' if view in tables else 'view'} {view} is {_quoted(grain_of(view))}")
        for column in columns_of(connection, view) if columns else ():
            statements.append(f'comment on column {view}."{column.name}" is {_quoted(column.meaning)}')
    connection.execute(";".join(["begin", *statements, "commit"]))


def _described(view: str) -> dict[str, str]:
    """Return the descriptions that the header of a view's file gives, lines of `--   name  description`."""
    return dict(re.findall(r"^--   (\w+)  +(.*)$", read_sql("analytics", view), re.MULTILINE))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

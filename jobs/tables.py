"""An answer of DuckDB as a table for people."""

import pyarrow as pa
from rich.markup import escape
from rich.table import Table

from schemas.bundle import DIGEST_LENGTH


def answer_table(answer: pa.Table, title: str | None = None) -> Table:
    """Return rows as a table: numbers to the right, floats with 4 significant digits, null in grey, bundle digests short."""
    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for field in answer.schema:
        number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_decimal(field.type)
        table.add_column(field.name, justify="right" if number else "left", overflow="fold")
    for row in zip(*(answer.column(i).to_pylist() for i in range(answer.num_columns)), strict=True):  # names may occur twice
        table.add_row(*(_cell(name, value) for name, value in zip(answer.column_names, row, strict=True)))
    return table


def _cell(name: str, value: object) -> str:
    if value is None:
        return "[dim]null[/dim]"
    if name == "bundle_digest":
        return str(value)[:DIGEST_LENGTH]  # as in the folders' names
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))

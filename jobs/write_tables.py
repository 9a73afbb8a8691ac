"""`screening tables`: every answer of analytics at once, as files."""

import json as json_text
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.analytics_source import (
    Bundles,
    CasesFiles,
    Columns,
    Delimiter,
    Encoding,
    EpisodeDays,
    Groups,
    Indeterminate,
    Json,
    Reference,
    Repeated,
    Results,
    Threshold,
    Undated,
    WindowAfter,
    WindowBefore,
)
from jobs.console import err, out, print_json, run_command

if TYPE_CHECKING:
    import polars as pl

    from screening.analytics.views import ViewRows

WORKBOOK = "answers.xlsx"
SHEET_NAME = 31  # characters that a spreadsheet takes


class Format(StrEnum):
    """How the tables are written."""

    CSV = "csv"
    PARQUET = "parquet"
    XLSX = "xlsx"


def command(
    results: Results = None,
    reference: Reference = None,
    output: Annotated[str, typer.Option(help="folder or URL that the files are written to")] = "tables",
    format: Annotated[Format, typer.Option(help="csv and parquet: a file for each table; xlsx: one workbook")] = Format.CSV,
    cases: CasesFiles = None,
    column: Columns = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    bundle: Bundles = None,
    threshold: Threshold = None,
    group: Groups = None,
    unit: Annotated[str, typer.Option(help="unit of analysis: instance, study or patient")] = "patient",
    min_cell: Annotated[int, typer.Option(min=1, help="subgroups with fewer verified units are not shown; 1 shows all")] = 5,
    window_before: WindowBefore = 14,
    window_after: WindowAfter = 21,
    undated: Undated = False,
    repeated: Repeated = "positive",
    indeterminate: Indeterminate = "apart",
    episode_days: EpisodeDays = 90,
    json: Json = False,
) -> None:
    """Write the flow, the nights, accuracy, subgroups, lead time and thresholds as tables, for a spreadsheet or a statistician.

    Without a reference table there are the flow and the nights. No row is a person. The table `about` says how tests were linked.

    Example:

        screening tables s3://results/nightly --reference rt_pcr.parquet --output tables --format xlsx
    """
    from jobs.analytics_source import open_source
    from jobs.display import Steps
    from screening.analytics.linking import LinkRule
    from screening.analytics.tables import all_tables
    from screening.storage import join, put_atomic

    rule = LinkRule(window_before, window_after, undated, repeated, indeterminate, episode_days)
    source = (results, reference, cases, column, bundle, rule)
    options = {"encoding": encoding, "delimiter": delimiter, "threshold": threshold, "groups": group}
    with Steps(err) as steps, open_source(*source, **options, on_progress=steps.show) as connection:
        known = reference is not None or bool(connection.sql("select 1 from reference limit 1").fetchall())
        tables = all_tables(connection, has_reference=known, unit=unit, min_cell=min_cell, on_progress=steps.show)
    files = _files({name: _flat(rows) for name, rows in tables.items()}, format)
    for name, content in files.items():
        put_atomic(join(output, name), content)
    if json:
        print_json({"output": output, "files": list(files), "tables": {name: len(rows) for name, rows in tables.items()}})
    else:
        out.print(f"{len(tables)} tables → {output}: {', '.join(files)}", markup=False, soft_wrap=True)


def _flat(rows: "ViewRows") -> "pl.DataFrame":
    """Return rows as a table whose cells are single values: a list, such as of deciles, is written as JSON."""
    import polars as pl

    cells = [{name: json_text.dumps(value) if isinstance(value, list | dict) else value for name, value in row.items()} for row in rows]
    return pl.DataFrame(cells, infer_schema_length=None)


def _files(tables: "dict[str, pl.DataFrame]", format: Format) -> dict[str, bytes]:
    """Return name → content of each file."""
    import io

    if format is Format.CSV:
        return {f"{name}.csv": table.write_csv().encode() for name, table in tables.items()}
    if format is Format.PARQUET:
        files = {}
        for name, table in tables.items():
            table.write_parquet(buffer := io.BytesIO())
            files[f"{name}.parquet"] = buffer.getvalue()
        return files
    import xlsxwriter

    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"strings_to_formulas": False, "strings_to_urls": False}) as workbook:
        for name, table in tables.items():
            table.write_excel(workbook, worksheet=name[:SHEET_NAME], autofit=True)
    return {WORKBOOK: buffer.getvalue()}


if __name__ == "__main__":
    run_command(command)

"""`screening sql`: ask the results in SQL, once or at a prompt."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.analytics_source import (
    Columns,
    Delimiter,
    Encoding,
    EpisodeDays,
    Indeterminate,
    Repeated,
    Undated,
    WindowAfter,
    WindowBefore,
    check_results,
    parse_columns,
)
from jobs.console import EXIT_FAILED, err, print_json, run_command

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SHOWN_ROWS = 1000  # of a table for people; files and other formats hold all


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def command(
    results: Annotated[str, typer.Argument(help="folder or URL that was --results of `screening run`")],
    query: Annotated[str | None, typer.Argument(help="SQL of DuckDB; without it a prompt opens, or a pipe is read")] = None,
    reference: Annotated[
        str | None, typer.Option(help="RT-PCR results, Parquet or CSV, for the views accuracy, lead_time and lead_time_summary")
    ] = None,
    format: Annotated[Format, typer.Option(help="how the answer is written")] = Format.TABLE,
    output: Annotated[str | None, typer.Option(help="file or URL to write the answer of QUERY to; needed for parquet")] = None,
    export: Annotated[
        str | None, typer.Option(help="folder of this machine that COPY … TO may write below; without it nothing is written")
    ] = None,
    views: Annotated[
        bool, typer.Option("--views", help="print every view with its grain, an example, its columns and what they mean")
    ] = False,
    column: Columns = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    bundle: Annotated[str | None, typer.Option(help="see only the rows of this bundle: its digest or the first digits of it")] = None,
    window_before: WindowBefore = 14,
    window_after: WindowAfter = 21,
    undated: Undated = False,
    repeated: Repeated = "positive",
    indeterminate: Indeterminate = "apart",
    episode_days: EpisodeDays = 90,
) -> None:
    """Ask the results in SQL: views instances, heatmaps, flow and, with a reference table, accuracy and lead_time.

    At the prompt a statement ends with `;`, `.views` lists the views and `.help` the commands. Queries read the results and nothing else:
    no other file, no network. They change no row.

    Example: screening sql s3://results/nightly "from accuracy" --reference rt_pcr.parquet
    """
    from jobs.display import Steps
    from jobs.sql_prompt import Prompt
    from screening.analytics.confined_sql import confine, export_folder
    from screening.analytics.foreign_tables import TextFormat
    from screening.analytics.linking import LinkRule
    from screening.analytics.views import connect
    from screening.errors import UsageError
    from screening.results.check import damage_named

    if views and query is not None:
        raise UsageError("--views prints the catalogue of the views: leave out the query")
    rule = LinkRule(window_before, window_after, undated, repeated, indeterminate, episode_days)
    if query is None and output is not None and not views:
        raise UsageError("--output writes the answer of one query: give the query too")
    if format is Format.PARQUET and output is None:
        raise UsageError("--format parquet cannot be printed: give --output FILE")
    check_results(results)
    folder = None if export is None else export_folder(export, results)
    options = {"bundle": bundle, "rule": rule, "columns": parse_columns(column or ()), "form": TextFormat(encoding, delimiter)}
    if views:
        with connect(results, reference, **options) as connection:
            _write_views(connection, format, output)
        return
    if query is not None:
        with Steps(err) as steps, damage_named(results), connect(results, reference, **options, on_progress=steps.show) as connection:
            steps.show("asking", 0, 0)
            confine(connection, folder)
            answer = _answer(connection, query, folder)
        _write(answer, format, output)
        return
    with connect(results, reference, **options, comments=sys.stdin.isatty()) as connection:
        confine(connection, folder)
        prompt = Prompt(connection, lambda answer: _write(answer, format, None), results, folder)
        if prompt.run(interactive=sys.stdin.isatty()):
            return
    raise typer.Exit(EXIT_FAILED)


def _answer(connection: "duckdb.DuckDBPyConnection", query: str, export: str | None) -> "pa.Table | None":
    """Return the rows of a query, None for a statement without any. Raises UsageError for SQL that is wrong or does more than ask."""
    import duckdb

    from screening.analytics.confined_sql import LEFT_OUT, check_statements
    from screening.errors import ResultsError, UsageError

    try:
        check_statements(query, export)
        relation = connection.sql(query)
        return None if relation is None else relation.to_arrow_table()
    except (duckdb.ProgrammingError, duckdb.NotSupportedError, duckdb.InvalidInputException) as error:
        raise UsageError(str(error)) from error
    except duckdb.PermissionException as error:
        raise UsageError(f"{error}. {LEFT_OUT}") from error
    except duckdb.Error as error:
        raise ResultsError(str(error)) from error


def _write_views(connection: "duckdb.DuckDBPyConnection", format: Format, output: str | None) -> None:
    """Write the catalogue of the views: for people view by view, else one row a column."""
    import pyarrow as pa

    from jobs.console import out
    from screening.analytics.catalogue import example_of
    from screening.analytics.views import describe, list_views

    columns = {view: describe(connection, view) for view in list_views()}
    if format is not Format.TABLE or output is not None:
        rows = [
            {"view": view, "grain": grain, "column": column.name, "type": column.type, "unit": column.unit, "meaning": column.description}
            | {"example": example_of(view)}
            for view, grain in list_views().items()
            for column in columns[view]
        ]
        _write(pa.Table.from_pylist(rows), format, output)
        return
    for view, grain in list_views().items():
        out.print(f"{view}: {grain}", style="bold", markup=False)
        out.print(f"  {example_of(view)}", style="italic", markup=False, soft_wrap=True)
        for column in columns[view]:
            out.print(f"  {column.name} ({column.type}): {column.meaning}", markup=False)


def _write(answer: "pa.Table | None", format: Format, output: str | None) -> None:
    """Write an answer to stdout or to `output`."""
    if answer is None:
        return
    if output is not None:
        from screening.storage import put_atomic

        put_atomic(output, _encode(answer, format))
    elif format is Format.TABLE:
        _print_table(answer)
    elif format is Format.JSON:
        print_json(answer.to_pylist())
    else:
        sys.stdout.write(_encode(answer, format).decode())
    sys.stdout.flush()


def _encode(answer: "pa.Table", format: Format) -> bytes:
    import io
    import json

    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pq
    from rich.console import Console

    from jobs.tables import answer_table

    buffer = io.BytesIO()
    if format is Format.PARQUET:
        pq.write_table(answer, buffer, compression="zstd")
    elif format is Format.CSV:
        pa_csv.write_csv(answer, buffer)
    elif format is Format.JSON:
        buffer.write(json.dumps(answer.to_pylist(), indent=2, default=str).encode())
    else:
        text = io.StringIO()
        Console(file=text, width=10_000, emoji=False).print(answer_table(answer))
        buffer.write(text.getvalue().encode())
    return buffer.getvalue()


def _print_table(answer: "pa.Table") -> None:
    from jobs.console import out
    from jobs.tables import answer_table

    out.print(answer_table(answer.slice(0, SHOWN_ROWS)))
    if answer.num_rows > SHOWN_ROWS:
        out.print(f"{SHOWN_ROWS:,} of {answer.num_rows:,} rows; --format csv or --output FILE gives all")


if __name__ == "__main__":
    run_command(command)

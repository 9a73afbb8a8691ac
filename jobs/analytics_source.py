"""The one way in which every command of analytics opens its data: a results folder with a reference table, or files of cases."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.console import err, out
from schemas.progress import OnProgress, unwatched

if TYPE_CHECKING:
    import duckdb

    from screening.analytics.linking import LinkRule

# the options that these commands share, one description each
Results = Annotated[str | None, typer.Argument(help="folder or URL that was --results of `screening run`; or give --cases")]
Reference = Annotated[
    str | None, typer.Option(help="RT-PCR results, Parquet or CSV, as `screening pseudonymize` writes them; or the folder RESULTS/readings")
]
CasesFiles = Annotated[
    list[str] | None, typer.Option("--cases", help="CSV of results made elsewhere, one person a row; twice for two side by side")
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column", help="ours=theirs: what the cases, or without them the reference table, call a column of ours; may be repeated"
    ),
]
Encoding = Annotated[str | None, typer.Option(help="of text files, for example big5 or cp1252  [default: by their mark, else utf-8]")]
Delimiter = Annotated[str | None, typer.Option(help="between the cells of text files: one character, or tab  [default: ,]")]
Bundles = Annotated[list[str] | None, typer.Option("--bundle", help="see only the bundle whose digest begins so; may be repeated")]
Threshold = Annotated[float | None, typer.Option(help="cases without a call are positive at or above this score, in the scores' own unit")]
Groups = Annotated[list[str] | None, typer.Option("--group", help="a further column to make subgroups by; may be repeated")]
WindowBefore = Annotated[int, typer.Option(help="a specimen counts when taken at most that many days before the radiograph")]
WindowAfter = Annotated[int, typer.Option(help="and at most that many days after it")]
Undated = Annotated[bool, typer.Option(help="a test counts too where its date or the radiograph's is unknown")]
Repeated = Annotated[
    str,
    typer.Option(help="of several tests: positive (a positive one decides), nearest (the nearest does) or agree (else indeterminate)"),
]
Indeterminate = Annotated[str, typer.Option(help="an indeterminate result stands apart, or is taken for positive, or for negative")]
EpisodeDays = Annotated[
    int, typer.Option(help="positive tests of a person at most that many days after the first of them belong to one episode")
]
Prevalence = Annotated[float | None, typer.Option(help="share of cases among those screened  [default: as in the data]")]
CostScreen = Annotated[float | None, typer.Option(help="of screening one person, in any currency")]
CostTest = Annotated[float | None, typer.Option(help="of one RT-PCR test, in the same currency")]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]


@contextlib.contextmanager
def open_source(
    results: str | None = None,
    reference: str | None = None,
    cases: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    bundle: Sequence[str] | None = None,
    rule: "LinkRule | None" = None,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    threshold: float | None = None,
    groups: Sequence[str] | None = None,
    verified: bool = False,
    on_progress: OnProgress = unwatched,
) -> "Iterator[duckdb.DuckDBPyConnection]":
    """Give a DuckDB connection with the same views whichever source was given: see `screening.analytics`.

    columns: "ours=theirs", for every file of `cases`, and where there are none for the reference table. encoding, delimiter: of files that
    are text. threshold: for cases with scores and no calls.
    groups: further columns to make subgroups by. verified: a reference standard is needed, from a table or from the cases' labels.
    Raises UsageError where not exactly one source is given, or an argument does not go with it, and ResultsError where a part of the
    results is damaged, also when the block finds that out.
    """
    from screening.analytics.cases import load_cases
    from screening.analytics.foreign_tables import TextFormat
    from screening.analytics.views import connect, connect_cases
    from screening.errors import UsageError
    from screening.results.check import damage_named

    if (results is None) == (not cases):
        raise UsageError("give either the folder that was --results of `screening run`, or --cases FILE.csv")
    mapping, form = parse_columns(columns or ()), TextFormat(encoding, delimiter)
    if results is not None:
        if threshold is not None or (columns and reference is None):
            raise UsageError("--threshold goes with --cases, and --column with --cases or --reference: results have their own")
        check_results(results)
        if verified and reference is None:
            raise UsageError("the RT-PCR results are needed: give --reference FILE")
        options = {"bundle": bundle, "rule": rule, "groups": groups or (), "columns": mapping, "form": form, "on_progress": on_progress}
        with damage_named(results), connect(results, reference, **options) as connection:
            yield connection
        return
    if bundle:
        raise UsageError("--bundle goes with a results folder: files of cases are told apart by their names")
    files = [load_cases(file, mapping, form) for file in cases or ()]
    if verified and reference is None and not any("label" in file.mapping for file in files):
        raise UsageError("the cases have no labels: name their column, --column label=COLUMN, or give --reference FILE")
    with connect_cases(files, reference, threshold=threshold, rule=rule, groups=groups or (), form=form) as connection:
        yield connection


def check_results(results: str) -> None:
    """Raise UsageError where no run has written: a mistyped folder is not one with nothing found."""
    from screening.errors import UsageError
    from screening.storage import join, list_files

    if not any(list_files(join(results, folder)) for folder in ("instances", "runs")):
        raise UsageError(f"{results}: no run has written here; give the folder that was --results of `screening run`")


def parse_columns(columns: Sequence[str]) -> dict[str, str]:
    """Return ours → theirs. Raises UsageError where an option is not of the form ours=theirs."""
    from screening.errors import UsageError

    pairs = [tuple(text.split("=", 1)) for text in columns]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise UsageError("--column is ours=theirs, for example --column covid_score=ai_output")
    return dict(pairs)


def print_links(answer: dict[str, Any]) -> None:
    """Print the link rule of an answer, whom the reference table and the radiographs have in common, and what was cleaned in the table.

    answer: has the keys of `screening.analytics.linking.describe_links`.
    """
    out.print(answer["link_rule"], style="italic", markup=False)
    reference = answer["reference"]
    if reference["rows"]:
        out.print(f"Reference table: {reference['rows']:,} rows, {reference['used']:,} of them used.", markup=False)
        for row in reference["cleaning"]:
            taken = "left out" if row["column_name"] == "row" else "taken" if row["used"] else "taken as unknown"
            out.print(f"  {row['k']:,} × {row['column_name']}: {row['reason']}, {taken}; first in row {row['first_row']:,}", markup=False)
    print_match(answer["match"])


def print_match(match: dict[str, Any]) -> None:
    """Print how many persons the reference table and the radiographs have in common; the warning, where there is one, on stderr."""
    if not match["reference_persons"]:
        return
    out.print(
        f"Persons of the reference standard: {match['reference_persons']:,}, of whom {match['with_radiograph']:,} "
        f"({match['share']:.1%}) have a radiograph and {match['without_radiograph']:,} have none. "
        f"Persons with a radiograph: {match['radiograph_persons']:,}, of whom {match['with_test']:,} have a reference test and "
        f"{match['without_test']:,} have none.",
        markup=False,
    )
    if match["warning"]:
        err.print(f"warning: {match['warning']}", style="yellow", markup=False, soft_wrap=True)

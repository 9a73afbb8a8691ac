"""`screening export`: answers as DICOM SR, SEG or Secondary Capture, or as FHIR, for the systems of a hospital."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.console import EXIT_FAILED, err, out, print_json, run_command
from serve.outputs.form import Form

if TYPE_CHECKING:
    from serve.outputs.export import ExportSummary

SHOWN_ROWS = 20  # of those that could not be written; --json lists all
HEATMAPS = ("covid", "pneumonia")


def command(
    results: Annotated[str, typer.Argument(help="the folder or URL given to `screening run --results`")],
    format: Annotated[Form, typer.Option(help="what each row becomes")],
    output: Annotated[str, typer.Option(help="folder or URL for the files, outside the archive, or dicomweb:// URL of a PACS")],
    where: Annotated[
        str, typer.Option(help="which rows: a condition in SQL over the view instances, e.g. covid_positive and counts", metavar="SQL")
    ] = "counts",
    bundle: Annotated[
        str | None, typer.Option(help="the rows of this bundle: its digest or the first digits of it  [default: that of the latest run]")
    ] = None,
    bundle_url: Annotated[
        str | None, typer.Option(help="folder or URL of that bundle, where it was moved  [default: where its run found it]")
    ] = None,
    heatmap: Annotated[
        str | None, typer.Option(help="what sc shows: covid or pneumonia  [default: covid where there is one, else pneumonia]")
    ] = None,
    pseudonym_key: Annotated[
        Path | None,
        typer.Option(
            help="file with the key of the run, where it encrypted names  [default: SCREENING_PSEUDONYM_KEY_FILE, or that of run]"
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print the counts, and every row that could not be written, as JSON")] = False,
) -> None:
    """Write one file for each chosen row: its answer as DICOM SR, SEG or Secondary Capture, or as a FHIR bundle.

    Patient and study are copied from the archive's own files, so what is written names patients, unlike results. Exit code 0 when every
    chosen row was written, 1 when some could not be, 2 for wrong usage.

    Example:

        screening export s3://insurance/screening --format sr --where "covid_positive and counts" --output s3://insurance/reports
    """
    from jobs.analytics_source import check_results
    from screening.errors import UsageError

    if heatmap is not None and (heatmap not in HEATMAPS or format is not Form.SC):
        raise UsageError(f"--heatmap {heatmap}: it goes with --format sc and is one of {', '.join(HEATMAPS)}")
    check_results(results)
    from jobs.display import Steps
    from jobs.keys import existing_key
    from schemas.heatmap import HeatmapKind
    from serve.outputs.export import Export, export

    request = Export(
        results, format, output, where, bundle, bundle_url, HeatmapKind(heatmap) if heatmap else None, existing_key(pseudonym_key)
    )
    with Steps(err) as steps:
        summary = export(request, steps.show)
    _print(summary, output, json)
    if summary.refused:
        raise typer.Exit(EXIT_FAILED)


def _print(summary: "ExportSummary", output: str, json: bool) -> None:
    if json:
        print_json(vars(summary))
        return
    out.print(f"{summary.written} of {summary.rows} chosen rows of bundle {summary.bundle_digest[:12]} written to {output}", markup=False)
    for object_id, reason in list(summary.refused.items())[:SHOWN_ROWS]:
        out.print(f"  {object_id} not written: {reason}", markup=False)
    if len(summary.refused) > SHOWN_ROWS:
        out.print(f"  and {len(summary.refused) - SHOWN_ROWS} more; --json lists all", markup=False)


if __name__ == "__main__":
    run_command(command)

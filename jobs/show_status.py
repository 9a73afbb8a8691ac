"""`screening status`: what each run did."""

from typing import Annotated

import typer

from jobs.console import out, print_json, run_command


def command(
    results: Annotated[str, typer.Argument(help="the folder or URL given to `screening run --results`")],
    json: Annotated[bool, typer.Option("--json", help="print the run manifests as JSON")] = False,
) -> None:
    """Show each run of a results folder: its counts by outcome and reason, and its speed.

    Example:

        screening status s3://insurance/screening
    """
    from jobs.run_table import run_table
    from screening.results.layout import ResultsLayout
    from screening.results.manifests import list_runs

    runs = list(list_runs(ResultsLayout(results)))
    if json:
        print_json([run.model_dump(mode="json") for run in runs])
        return
    for run in runs:
        out.print(run_table(run))
        out.print()
    if not runs:
        out.print(f"{results}: no runs yet")


if __name__ == "__main__":
    run_command(command)

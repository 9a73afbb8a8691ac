"""`screening redrive`: score failed rows again."""

from pathlib import Path
from typing import Annotated

import typer

from jobs.console import answer_apart, err, out, print_json, run_command


def command(
    results: Annotated[str, typer.Argument(help="the folder or URL given to `screening run --results`")],
    bundle: Annotated[str | None, typer.Option(help="the bundle that the rows failed with  [default: that of the latest run]")] = None,
    reason: Annotated[list[str] | None, typer.Option(help="only rows that failed for this reason; may be given several times")] = None,
    pseudonym_key: Annotated[
        Path | None, typer.Option(help="file with the key of the pseudonyms  [default: SCREENING_PSEUDONYM_KEY_FILE]")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print the manifests as JSON")] = False,
) -> None:
    """Score failed rows again; the new answer takes the place of the old one, so that every object keeps exactly one row.

    Rejected rows are not failed ones: the same image is rejected again, so send a better one.

    Example:

        screening redrive s3://insurance/screening --reason read_failed
    """
    from jobs.display import RunDisplay
    from jobs.keys import key_of
    from jobs.run_table import run_table
    from schemas.reasons import Outcome, Reason
    from screening.errors import UsageError
    from screening.run.redrive import Redrive, redrive

    failing = sorted(code for code in Reason if code.outcome is Outcome.FAILED)
    for code in reason or []:
        if code not in failing:
            raise UsageError(f"--reason {code}: no row fails for that; one of {', '.join(failing)}")
    with RunDisplay(err) as display, answer_apart(json):
        runs = redrive(Redrive(results, key_of(pseudonym_key), bundle, frozenset(reason or [])), display.show)
    if json:
        print_json([run.model_dump(mode="json") for run in runs])
        return
    for run in runs:
        out.print(run_table(run))
    if not runs:
        out.print("no failed rows")


if __name__ == "__main__":
    run_command(command)

"""`screening redrive`: score failed rows again."""

from pathlib import Path
from typing import Annotated

import typer

from jobs.console import answer_apart, err, out, print_json, run_command


def command(
    results: Annotated[str, typer.Argument(help="the folder or URL given to `screening run --results`")],
    bundle: Annotated[str | None, typer.Option(help="the bundle that the rows failed with  [default: that of the latest run]")] = None,
    reason: Annotated[
        list[str] | None,
        typer.Option(help="only rows with this reason, also one that rejects, e.g. corrupt after an update; may be given several times"),
    ] = None,
    actors: Annotated[
        int | None,
        typer.Option(
            help="cascade actors, each with all three networks  [default: one for each 8 cores; 1 with GPUs; a cluster's by its machines]"
        ),
    ] = None,
    gpus_per_actor: Annotated[float, typer.Option(help="GPUs for each actor; 0 runs on the CPU, whatever the run ran on")] = 0.0,
    batch_size: Annotated[int | None, typer.Option(help="images a forward pass  [default: what suits the device]")] = None,
    decoders: Annotated[
        int | None, typer.Option(help="decode tasks at once  [default: a quarter of the cores, all beside GPUs; in a cluster what is free]")
    ] = None,
    pseudonym_key: Annotated[
        Path | None, typer.Option(help="file with the key of the pseudonyms  [default: SCREENING_PSEUDONYM_KEY_FILE]")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print the manifests as JSON")] = False,
) -> None:
    """Score failed rows again; the new answer takes the place of the old one, so that every object keeps exactly one row.

    What decides the content of a row (precision too) is as in the run that wrote it; the machine may be another. Rejected rows are not
    failed ones: the same image is rejected again, so send a better one.

    Example:

        screening redrive s3://insurance/screening --reason read_failed
    """
    from jobs.display import RunDisplay
    from jobs.keys import key_of
    from jobs.run_table import run_table
    from schemas.reasons import Reason
    from screening.errors import UsageError
    from screening.results.compaction import merge_redriven
    from screening.results.layout import ResultsLayout
    from screening.results.lock import holding
    from screening.run.config import MachineConfig
    from screening.run.redrive import Redrive, redrive

    for code in reason or []:
        if code not in set(Reason):
            raise UsageError(f"--reason {code}: there is no such reason; one of {', '.join(sorted(Reason))}")
    machine = MachineConfig(actors=actors, gpus_per_actor=gpus_per_actor, batch_size=batch_size, decoders=decoders)
    with holding(results, "screening redrive") as lease, RunDisplay(err) as display, answer_apart(json):
        runs = redrive(Redrive(results, key_of(pseudonym_key), bundle, frozenset(reason or []), machine), display.show)
        merge_redriven(ResultsLayout(results), check_lock=lease.check)
    if json:
        print_json([run.model_dump(mode="json") for run in runs])
        return
    for run in runs:
        out.print(run_table(run))
    if not runs:
        out.print("no such rows" if reason else "no failed rows")


if __name__ == "__main__":
    run_command(command)

"""`screening status`: what each run did, and what its driver and workers logged."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.console import out, print_json, run_command

if TYPE_CHECKING:
    from screening.results.layout import ResultsLayout

LATEST = "latest"


def command(
    results: Annotated[str, typer.Argument(help="the folder or URL given to `screening run --results`")],
    log: Annotated[
        str | None, typer.Option(help="show what this run logged: its id, the first digits of it, or latest", metavar="RUN")
    ] = None,
    entry: Annotated[
        str | None, typer.Option(help="of the log, only what is about this object: the log entry that a row's detail names")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="show the night and its run as a live page until interrupted")] = False,
    every: Annotated[float, typer.Option(min=0.5, help="seconds between two looks at the results of --watch")] = 5.0,
    json: Annotated[bool, typer.Option("--json", help="print the run manifests, or the log, as JSON")] = False,
) -> None:
    """Show each run of a results folder: its counts by outcome and reason, and its speed; or, with --log, what a run logged.

    With --watch a live page shows the steps of the night, how far its run is, how fast, and the last warnings.

    An error that nobody foresaw stands in the log by its type and its frames (file, line, function), and never with a value.

    Example:

        screening status s3://insurance/screening --log latest
    """
    from jobs.run_table import run_table
    from screening.errors import UsageError
    from screening.results.layout import ResultsLayout
    from screening.results.manifests import list_runs
    from screening.results.run_log import read_log

    if entry and not log:
        raise UsageError("--entry is looked up in the log of a run: name the run with --log, or give --log latest")
    layout = ResultsLayout(results)
    if watch:
        _watch(layout, every, alone=not (log or json))
        return
    runs = list(list_runs(layout))
    if log:
        run_id = _named(log, [run.run_id for run in runs])
        lines = [line for line in read_log(layout, run_id) if entry is None or line.get("entry") == entry]
        print_json(lines) if json else _print_log(run_id, lines)
        return
    if json:
        print_json([run.model_dump(mode="json") for run in runs])
        return
    for run in runs:
        out.print(run_table(run))
        out.print()
    if not runs:
        out.print(f"{results}: no runs yet")


def _watch(layout: "ResultsLayout", every: float, *, alone: bool) -> None:
    """Show the live page. Raises UsageError where it cannot be shown."""
    from screening.errors import UsageError

    if not alone:
        raise UsageError("--watch is a page for a terminal: leave --log and --json out")
    if not out.is_terminal:
        raise UsageError("--watch needs a terminal; without one give `screening status` now and then")
    from jobs.watch_status import watch

    watch(layout, out, every)


def _named(wanted: str, run_ids: list[str]) -> str:
    """Return the run that `wanted` names. Raises UsageError where none or several begin so."""
    from screening.errors import UsageError

    named = run_ids[-1:] if wanted == LATEST else [run_id for run_id in run_ids if run_id.startswith(wanted)]
    if len(named) != 1:
        raise UsageError(f"--log {wanted}: {len(named)} runs begin so; there are {', '.join(run_ids[-5:]) or 'none'}")
    return named[0]


def _print_log(run_id: str, lines: list[dict[str, Any]]) -> None:
    for line in lines:
        place = " ".join(str(line[name]) for name in ("role", "host", "pid") if line.get(name))
        about = [f"{what} {line[name]}" for what, name in (("shard", "shard_id"), ("log entry", "entry")) if line.get(name)]
        words = [line["time"], f"{line['level']:7}", f"{place}:", line["message"], *(f"({', '.join(about)})" for _ in about[:1])]
        out.print(" ".join(words), markup=False, soft_wrap=True)
        if fault := line.get("fault"):
            out.print(f"    {fault['type']}, raised in", markup=False, soft_wrap=True)
            for frame in fault["frames"]:
                out.print(f"      {frame['file']}:{frame['line']} in {frame['function']}", markup=False, soft_wrap=True)
    if not lines:
        out.print(f"run {run_id}: nothing was logged")


if __name__ == "__main__":
    run_command(command)

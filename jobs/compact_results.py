"""`screening compact`: the rows of many small files in a few large ones."""

from typing import Annotated, Any

import typer

from jobs.console import answer_apart, out, print_json, run_command


def command(
    results: Annotated[str, typer.Argument(help="the folder or URL given to `screening run --results`")],
    target_mb: Annotated[int, typer.Option(min=1, help="size from which on a file is left alone, in MiB")] = 256,
    json: Annotated[bool, typer.Option("--json", help="print what was done as JSON")] = False,
) -> None:
    """Merge the parts of all nights into a few large files, so that a year of results opens in seconds; every row stays.

    A list of files (_files.json) says what counts, so that a reader sees each row once at any time, and when this command is killed at
    any point. Give the command again then. It waits for nobody: it ends with exit code 1 where a night holds the results.

    Example:

        screening compact s3://insurance/screening
    """
    from dataclasses import asdict

    from jobs.analytics_source import check_results
    from screening.results.compaction import compact
    from screening.results.layout import ResultsLayout
    from screening.results.lock import holding

    check_results(results)
    with answer_apart(json), holding(results, "screening compact") as lease:
        done = [asdict(one) for one in compact(ResultsLayout(results), target_bytes=target_mb * 2**20, check_lock=lease.check)]
    if json:
        print_json(done)
        return
    for one in done:
        out.print(_said(one), markup=False)


def _said(done: dict[str, Any]) -> str:
    if not done["merged"]:
        return f"bundle {done['bundle']}: nothing to merge, {done['left']} files hold all rows"
    merged = f"{done['merged']} files became {done['made']} ({done['rows']} rows, {done['bytes'] / 2**20:.1f} MiB)"
    return f"bundle {done['bundle']}: {merged}; {done['left']} files hold all rows"


if __name__ == "__main__":
    run_command(command)

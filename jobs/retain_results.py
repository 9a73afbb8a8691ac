"""`screening retain`: remove heatmaps whose time is over, rows never."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from jobs.console import answer_apart, out, print_json, run_command


def command(
    results: Annotated[str, typer.Argument(help="the folder or URL given to `screening run --results`")],
    heatmaps_after: Annotated[int, typer.Option(min=1, help="days after its night from which on a heatmap is removed", metavar="DAYS")],
    apply: Annotated[bool, typer.Option("--apply", help="remove them; without it nothing is changed and the list is only shown")] = False,
    json: Annotated[bool, typer.Option("--json", help="print what is or was removed as JSON")] = False,
) -> None:
    """Show which heatmaps are older than your policy allows, and with --apply remove them. Rows are never removed.

    What was removed, when and by which policy is written to RESULTS/retention/. `screening nightly` does the same each night where its
    file has a table [retain].

    Example:

        screening retain s3://insurance/screening --heatmaps-after 365
    """
    from contextlib import nullcontext

    from jobs.analytics_source import check_results
    from screening.results.layout import ResultsLayout
    from screening.results.lock import Lease, holding
    from screening.results.retention import expired_heatmaps, in_words, remove_expired

    check_results(results)
    layout = ResultsLayout(results)
    with answer_apart(json), holding(results, "screening retain") if apply else nullcontext(Lease()) as lease:
        expired = expired_heatmaps(layout, heatmaps_after, datetime.now(UTC).date())
        record = remove_expired(layout, expired, heatmaps_after, check_lock=lease.check) if apply else None
    sums = in_words(expired)
    if json:
        print_json({**sums, "removed": apply, "record": record})
        return
    if not expired:
        out.print(f"no heatmap is older than {heatmaps_after} days")
        return
    what = f"{sums['files']} heatmap files of {sums['nights']} nights, {sums['first']} to {sums['last']}, {sums['bytes'] / 2**20:.1f} MiB"
    out.print(f"removed: {what}; recorded in {record}" if apply else f"would be removed: {what}; give --apply to remove them", markup=False)


if __name__ == "__main__":
    run_command(command)

"""A run in words: the table that `run`, `redrive` and `status` print."""

from rich.table import Table

from schemas.reasons import Outcome, Reason
from schemas.run import RunManifest


def run_table(run: RunManifest) -> Table:
    """Return a run's counts by outcome and reason, and its speed."""
    table = Table(title=f"{run.kind} {run.run_id}: {run.status}", title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(justify="left")
    table.add_column(justify="right")
    counts = run.counts
    table.add_row("objects in the archive", str(counts.objects))
    table.add_row("answered by earlier runs", str(counts.already_scored))
    if counts.left_for_later:
        table.add_row("left for later", str(counts.left_for_later))
    table.add_row("planned", str(counts.planned))
    for outcome in Outcome:
        table.add_row(f"  {outcome}", str(counts.outcomes.get(outcome, 0)))
        for reason, n in sorted(counts.reasons.items(), key=lambda item: -item[1]):
            known = Reason.known(reason)
            if known is not None and known.outcome is outcome:
                table.add_row(f"    {reason}", str(n))
    for reason in sorted(reason for reason in counts.reasons if Reason.known(reason) is None):
        table.add_row(f"  {reason} (unknown to this version)", str(counts.reasons[reason]))
    table.add_row("pneumonia positive", str(counts.pneumonia_positive))
    table.add_row("COVID-19 positive", str(counts.covid_positive))
    table.add_row("seconds", f"{run.times.wall_seconds:.1f}")
    table.add_row("images a second", f"{run.times.images_per_second:.1f}")
    promoted = f", promoted in entry {run.registry_entry}" if run.registry_entry else ""
    table.add_row("bundle", f"{run.bundle_name} {run.bundle_digest[:12]}{promoted}")
    if run.not_promoted:
        table.add_row("not promoted", run.not_promoted)
    if run.error:
        table.add_row("error", run.error)
    return table

"""The live page of `screening status --watch`: the night and its run, as what lies in the results folder tells.

It asks nobody but the store, so it shows a night on any machine, also one that has died: then nothing moves, and the page says since when.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from jobs.display import duration
from jobs.run_table import run_table
from schemas.nightly import NightRecord
from schemas.run import RunManifest
from screening.nightly.night import list_nights
from screening.results.layout import ResultsLayout
from screening.results.manifests import list_runs
from screening.results.rows import committed_shards
from screening.results.run_log import read_log
from screening.run.plan import PlannedShard, PlanReader

LOG_LINES = 8


class Watched:
    """Looks at a results folder again and again, and keeps what does not change: the plan of a run."""

    def __init__(self, layout: ResultsLayout):
        self._layout = layout
        self._first: tuple[str, int, float] | None = None  # run, rows answered and time of the first look at it
        self._shards: tuple[str, list[PlannedShard]] = ("", [])
        self._moved = datetime.now(UTC)
        self._answered = -1

    def page(self) -> RenderableType:
        """Return the page as it is now."""
        run = next(iter(reversed(list(list_runs(self._layout)))), None)
        night = next(iter(reversed(list(list_nights(self._layout)))), None)
        parts: list[RenderableType] = [Text(f"{self._layout.root} at {datetime.now().astimezone():%H:%M:%S}", style="bold")]
        if night is not None:
            parts += _night(night)
        if run is None:
            return Group(*parts, Text("no runs yet"))
        parts += self._going_on(run) if run.status == "running" else [run_table(run)]
        return Group(*parts, *self._warnings(run))

    def _going_on(self, run: RunManifest) -> Iterator[RenderableType]:
        """Yield how far a run is: what is committed of its plan, and how fast that grew since this page was opened."""
        answered, at = self._rows_answered(run), time.monotonic()
        if self._first is None or self._first[0] != run.run_id:
            self._first = run.run_id, answered, at
        if answered != self._answered:
            self._answered, self._moved = answered, datetime.now(UTC)
        rows, seconds = answered - self._first[1], at - self._first[2]
        yield Text(f"{run.kind} {run.run_id}: {answered:,} of {run.counts.planned:,} images answered")
        yield ProgressBar(total=max(run.counts.planned, 1), completed=answered, width=60)
        if rows and seconds:
            left = (run.counts.planned - answered) * seconds / rows
            yield Text(f"{rows / seconds:.1f} images/s since this page was opened, {duration(left)} left")
        else:
            yield Text(f"nothing was committed since {self._moved.astimezone():%H:%M:%S}")

    def _rows_answered(self, run: RunManifest) -> int:
        if self._shards[0] != run.run_id:
            self._shards = run.run_id, PlanReader(self._layout.plan(run.run_id)).shards()
        done = committed_shards(self._layout, run.bundle_digest, run.screen_date)
        return sum(shard.rows for shard in self._shards[1] if shard.shard_id in done)

    def _warnings(self, run: RunManifest) -> Iterator[RenderableType]:
        lines = [line for line in read_log(self._layout, run.run_id) if line["level"] in ("WARNING", "ERROR", "CRITICAL")]
        if lines:
            yield Text(f"the last of {len(lines)} warnings; all with --log {run.run_id}:")
        for line in lines[-LOG_LINES:]:
            yield Text(f"{line['time'][11:19]} {line['message']}", overflow="ellipsis", no_wrap=True)


def watch(layout: ResultsLayout, console: Console, every: float) -> None:
    """Show the page on a terminal, again every so many seconds, until it is interrupted."""
    watched = Watched(layout)
    with Live(watched.page(), console=console, auto_refresh=False, screen=True) as live:
        try:
            while True:
                time.sleep(every)
                live.update(watched.page(), refresh=True)
        except KeyboardInterrupt:
            pass


def _night(night: NightRecord) -> Iterator[RenderableType]:
    """Yield what a night is and has done, in words and as a table of its steps."""
    deadline = "" if night.deadline is None else f", scoring stops at {night.deadline.astimezone():%H:%M}"
    yield Text(f"night of {night.screen_date}: {night.status}, begun {night.started.astimezone():%Y-%m-%d %H:%M}{deadline}")
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for step in night.steps:
        took = duration(((step.finished or datetime.now(UTC)) - step.started).total_seconds()) if step.started else ""
        table.add_row(step.name, step.status, took, Text(step.detail, overflow="ellipsis", no_wrap=True))
    yield table

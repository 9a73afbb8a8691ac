"""Live progress of a run: a bar on a terminal, a line now and then in a log."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from schemas.reasons import Outcome
from screening.run.progress import Progress

LOG_EVERY_SECONDS = 15.0


class RunDisplay:
    """Shows a run's `Progress`: outcomes so far, images a second, time left. Use as a context manager."""

    def __init__(self, console: Console):
        self._console = console
        self._last_line = 0.0
        self._last_text = ""
        self._task: int | None = None
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> "RunDisplay":
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def show(self, progress: Progress) -> None:
        """Show how far a run is."""
        text = facts(progress)
        if self._console.is_terminal:
            if self._task is None:
                self._task = self._bar.add_task("screening", facts="")
            self._bar.update(self._task, total=progress.planned, completed=progress.answered, facts=text)
            return
        due = time.monotonic() - self._last_line > LOG_EVERY_SECONDS or progress.answered == progress.planned
        if due and text != self._last_text:
            self._last_line, self._last_text = time.monotonic(), text
            self._console.print(f"run {progress.run_id}: {progress.answered} of {progress.planned} rows, {text}")


def facts(progress: Progress) -> str:
    """Return outcomes so far, speed and the time left, in words."""
    outcomes = progress.outcomes
    words = [f"{outcomes[Outcome.SCORED]} scored", f"{outcomes[Outcome.REJECTED]} rejected", f"{outcomes[Outcome.FAILED]} failed"]
    if outcomes:
        words.append(f"{progress.images_per_second:.1f} images/s")
    if progress.seconds_left is not None and progress.answered < progress.planned:
        words.append(f"{_duration(progress.seconds_left)} left")
    return ", ".join(words) + (f"; {progress.note}" if progress.note else "")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

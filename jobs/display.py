"""Live progress of a command: one line that moves on a terminal, a line now and then in a log, both with the expected end.

Everything goes to stderr, because stdout is for the answer. The library knows nothing of this: it calls `schemas.progress.OnProgress`.
"""

import sys
import threading
from dataclasses import dataclass, field
from time import localtime, monotonic, strftime, time
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from schemas.reasons import Outcome

if TYPE_CHECKING:
    from screening.run.progress import Progress

FIRST_LINE_SECONDS = 5.0  # a log says nothing of a command that is done by then
LOG_EVERY_SECONDS = 15.0
KEPT_SECONDS = 2.0


@dataclass
class Step:
    """One step of a command. `total` 0 is not known; `done` was `done_before` when the step began, as in a run that is resumed."""

    name: str
    done: int = 0
    total: int = 0
    facts: str = ""  # further words behind the counts
    done_before: int = 0
    began: float = field(default_factory=monotonic)

    @property
    def seconds(self) -> float:
        """Seconds since the step began."""
        return monotonic() - self.began

    @property
    def seconds_left(self) -> float | None:
        """Expected seconds to the end of the step at its speed so far; None before anything is done, or where the total is not known."""
        done = self.done - self.done_before
        return self.seconds / done * (self.total - self.done) if done > 0 and self.total else None

    def counts(self) -> str:
        """Return in words how much is done, and the facts."""
        counted = f"{self.done:,} of {self.total:,}" if self.total else f"{self.done:,}" if self.done else ""
        return " ".join(filter(None, (counted, self.facts)))

    def going_on(self) -> str:
        """Return where the step is and when it will end, in words: `64 of 143, 0:12 left, ends about 14:32`."""
        left = self.seconds_left
        if left is None:
            end = f"{duration(self.seconds)} so far"
        elif left == 0:
            end = ""
        else:
            end = f"{duration(left)} left, ends about {_clock(left)}"
        return ", ".join(filter(None, (self.counts(), end)))

    def ended(self) -> str:
        """Return what was done and how long it took, in words: `143 of 143 in 0:48`."""
        counts = self.counts()
        return f"{counts} in {duration(self.seconds)}" if counts else duration(self.seconds)


class Steps:
    """Shows the steps of a command, one after the other. Use as a context manager; `show` is an `OnProgress`.

    A step that is done leaves a line behind, unless it took less than KEPT_SECONDS and has no facts.
    """

    def __init__(self, console: Console):
        self._console = console
        self._lock = threading.RLock()  # steps may be told from another thread
        self._ended = threading.Event()
        self._last_line = ""
        self._step = Step("starting")
        self._bar: Bar | None = None
        self._log: threading.Thread | None = None

    def __enter__(self) -> "Steps":
        self._step = Step("starting")
        if self._console.is_terminal:
            self._bar = Bar(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[words]}", markup=False),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
                redirect_stdout=sys.stdout.isatty(),  # an answer that goes to a file must not be drawn above the bar instead
                get_time=monotonic,
            )
            self._bar.add_task(self._step.name, total=None, words="")
            self._bar.start()
        else:
            self._log = threading.Thread(target=self._write_log, name="progress-log", daemon=True)
            self._log.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        if self._log is not None:
            self._log.join()
        if self._bar is not None:
            self._bar.stop()
        if kind is None:
            self._leave_line()

    def show(self, step: str, done: int, total: int, facts: str = "") -> None:
        """Show how far a step is; another name than before begins the next step."""
        with self._lock:
            begins = step != self._step.name
            if begins:
                self._leave_line()
                self._step = Step(step, done_before=done)
            self._step.done, self._step.total, self._step.facts = done, total, facts
            if self._bar is not None:
                self._draw(self._bar, begins)

    def say(self, text: str) -> None:
        """Print a line that stays."""
        with self._lock:
            self._console.print(text, markup=False, soft_wrap=True)

    def _draw(self, bar: Bar, begins: bool) -> None:
        [task] = bar.task_ids
        if begins:
            bar.remove_task(task)
            task = bar.add_task(self._step.name, total=None, words="")
        bar.update(task, total=self._step.total or None, completed=self._step.done, words=self._step.going_on())

    def _write_log(self) -> None:
        """Say now and then where the step is, also while it tells nothing new."""
        wait = FIRST_LINE_SECONDS
        while not self._ended.wait(wait):
            wait = LOG_EVERY_SECONDS
            with self._lock:
                self._print(self._step.going_on())

    def _leave_line(self) -> None:
        step = self._step
        if (step.facts or step.seconds >= KEPT_SECONDS) and step.total in (0, step.done):
            self._print(step.ended())

    def _print(self, words: str) -> None:
        line = f"{self._step.name}: {words}"
        if line != self._last_line:
            self._last_line = line
            self.say(line)


class RunDisplay:
    """Shows a run's `Progress`: outcomes so far, images a second, time left. Use as a context manager."""

    def __init__(self, console: Console):
        self._steps = Steps(console)

    def __enter__(self) -> "RunDisplay":
        self._steps.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._steps.__exit__(kind, error, trace)

    def show(self, progress: "Progress") -> None:
        """Show how far a run is."""
        self._steps.show(f"run {progress.run_id}", progress.answered, progress.planned, facts(progress))


def facts(progress: "Progress") -> str:
    """Return outcomes so far and speed, in words."""
    outcomes = progress.outcomes
    words = [f"{outcomes[Outcome.SCORED]} scored", f"{outcomes[Outcome.REJECTED]} rejected", f"{outcomes[Outcome.FAILED]} failed"]
    if outcomes:
        words.append(f"{progress.images_per_second:.1f} images/s")
    return f"rows, {', '.join(words)}" + (f"; {progress.note}" if progress.note else "")


def duration(seconds: float) -> str:
    """Return seconds as `1:36`, or `2:46:40` from an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _clock(seconds_from_now: float) -> str:
    """Return the local time then, with the date where that is another day's."""
    now = time()
    then = localtime(now + seconds_from_now)
    return strftime("%H:%M" if then[:3] == localtime(now)[:3] else "%Y-%m-%d %H:%M", then)

"""One night from its lock to its last alert: which steps there are to do, and what is written down of each."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from schemas.nightly import DONE, STEPS, NightlyConfig, NightRecord, StepName, StepRecord
from screening.errors import LockedError, ResultsError, ScreeningError
from screening.nightly import steps
from screening.nightly.alert import tell
from screening.nightly.metrics import MetricsFile
from screening.results.layout import ResultsLayout
from screening.results.lock import Lease, holding
from screening.results.manifests import new_run_id, now
from screening.run.progress import Progress, ShowProgress
from screening.run.screen import Night
from screening.storage import list_files, put_atomic, read_bytes

JUDGED_SHARE = 0.05  # of the rows, before the end of a night is foretold
UNDONE = ("running", "failed")
GOES_ON = timedelta(hours=20)  # a night that died and began no longer ago goes on, also after midnight

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A nightly job: what the file says, and the run that it makes of it."""

    config: NightlyConfig
    night: Night

    @property
    def layout(self) -> ResultsLayout:
        """Names in the results folder."""
        return self.night.layout


def carry_out(job: Job, show: ShowProgress, say: Callable[[str], None] = log.info) -> NightRecord:
    """Do every step of tonight that is not done yet, and return the record.

    `say` gets a line for each step that ended and each warning. Raises LockedError where another process writes to the results, and
    what the run raises where it fails: the record says so by then, and somebody was told.
    """
    with holding(job.night.results_url, "screening nightly") as lease:
        record = _begin(job)
        metrics = MetricsFile(job.config.metrics)
        watch = Watch(job, record, lease, lambda progress: (metrics.show(record, progress), show(progress)), say)
        try:
            for name in STEPS:
                if record.step(name).status not in DONE:
                    with _recorded(job, record, name) as step:
                        steps.do(name, job.config, job.night, record, step, watch, lease.check)
                    metrics.write(record)
                    say(f"{name}: {step.status}{': ' + step.detail if step.detail else ''}")
        except LockedError:
            raise  # the record is that of another process by now
        except BaseException as error:
            record.status = "failed"
            tell(job.config.alert, "failed", _said_of(error), record)
            _end(job, record)
            metrics.write(record)
            raise
        _tell_of_the_end(job, record)
        _end(job, record)
        metrics.write(record)
    return record


class Watch:
    """Shows a run, holds the lock meanwhile, and foretells once that the night will miss its deadline."""

    def __init__(self, job: Job, record: NightRecord, lease: Lease, show: ShowProgress, say: Callable[[str], None]):
        self._job, self._record, self._lease, self._show, self._say = job, record, lease, show, say
        self._foretold = False

    def __call__(self, progress: Progress) -> None:
        """Show how far a run is. Raises LockedError where the lock was lost."""
        self._lease.check()
        self._show(progress)
        if self._foretold or self._record.deadline is None or progress.outcomes.total() < JUDGED_SHARE * progress.planned:
            return
        self._foretold = True
        end = foretold_end(progress, datetime.now(UTC))
        said = f"{progress.images_per_second:.1f} images/s, so the run ends about {end.astimezone():%Y-%m-%d %H:%M}"
        self._say(said)
        if end > self._record.deadline:
            late = progress.images_per_second * (end - self._record.deadline).total_seconds()
            message = f"{said}, after the deadline {self._record.deadline.astimezone():%H:%M}: about {late:.0f} images will be left"
            tell(self._job.config.alert, "late", message, self._record)
            _write(self._job, self._record)


def foretold_end(progress: Progress, at: datetime) -> datetime:
    """Return when a run ends at its speed so far; `at` is the time now, and something was answered."""
    return at + timedelta(seconds=progress.seconds_left or 0.0)


def list_nights(layout: ResultsLayout) -> Iterator[NightRecord]:
    """Yield the record of every night, oldest first. Raises ResultsError for one that cannot be read."""
    for url in list_files(layout.nights, ".json"):
        try:
            yield NightRecord.model_validate_json(read_bytes(url))
        except ValueError as error:
            raise ResultsError(f"{url}: not the record of a night of this version ({type(error).__name__}); move it away") from error


def date_of_tonight(layout: ResultsLayout, archive_name: str, at: datetime) -> date:
    """Return the date of a night over this archive that died and is to be gone on with, else today's in UTC."""
    died = [
        record.screen_date
        for record in list_nights(layout)
        if record.archive_url == archive_name and record.status in UNDONE and at - record.started < GOES_ON
    ]
    return died[-1] if died else at.astimezone(UTC).date()


def _begin(job: Job) -> NightRecord:
    """Return the record of a night of this date that did not end, else a new one."""
    night, deadline = job.night, job.night.deadline
    died = [record for record in list_nights(job.layout) if _is_tonight(record, night) and record.status in UNDONE]
    if died:
        record = died[-1]
        known = {step.name: step for step in record.steps}
        record.steps = [known.get(name) or StepRecord(name=name) for name in STEPS]  # an earlier version may have had fewer
        record.status, record.finished, record.deadline, record.executions = "running", None, deadline, record.executions + 1
    else:
        record = NightRecord(
            night_id=new_run_id(now()),
            screen_date=night.config.rows.screen_date,
            archive_url=night.archive_name,
            results_url=night.results_url,
            deadline=deadline,
            started=now(),
            steps=[StepRecord(name=name) for name in STEPS],
        )
    _write(job, record)
    return record


def _is_tonight(record: NightRecord, night: Night) -> bool:
    return (record.screen_date, record.archive_url) == (night.config.rows.screen_date, night.archive_name)


@contextlib.contextmanager
def _recorded(job: Job, record: NightRecord, name: StepName) -> Iterator[StepRecord]:
    """Write down that a step begins, and how it ended; the block may say that it was skipped or stopped."""
    step = record.step(name)
    step.status, step.started, step.finished, step.detail, step.runs = "running", now(), None, "", []
    _write(job, record)
    try:
        yield step
    except LockedError:
        raise
    except BaseException as error:
        step.status, step.detail = "failed", _said_of(error)
        _end(job, record, step)
        raise
    if step.status == "running":
        step.status = "finished"
    _end(job, record, step)


def _tell_of_the_end(job: Job, record: NightRecord) -> None:
    record.status = "stopped" if record.step("run").status == "stopped" else "finished"
    if record.status == "stopped":
        tell(job.config.alert, "stopped", record.step("run").detail, record)
    tell(job.config.alert, "finished", f"the night of {record.screen_date} has ended: {record.step('run').detail}", record)


def _end(job: Job, record: NightRecord, step: StepRecord | None = None) -> None:
    """Write down that a step, or the night, has ended now."""
    (step or record).finished = now()
    _write(job, record)


def _write(job: Job, record: NightRecord) -> None:
    put_atomic(job.layout.night_record(record.night_id), record.model_dump_json(indent=2).encode())


def _said_of(error: BaseException) -> str:
    """Return an error in words; the text of one that is not ours may quote a value, so only its type is given."""
    return f"{type(error).__name__}: {error}" if isinstance(error, ScreeningError) else f"{type(error).__name__}: see the log of the run"

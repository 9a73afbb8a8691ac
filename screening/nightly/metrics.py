"""Prometheus metrics of a night, as a text file that node_exporter's textfile collector reads.

A night is no server that anybody could scrape: it is gone in the morning, and what matters then is how it ended. So the job writes a file
whole and at once, every few seconds and at the end of every step, and the file stays. Counters begin at 0 with each run, as those of a
process do that starts anew. No label holds anything of a patient or the name of a file.
"""

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from schemas.nightly import STEPS, NightRecord
from schemas.reasons import Outcome
from screening.errors import WriteError
from screening.run.progress import Progress
from screening.storage import put_atomic

EVERY_SECONDS = 10.0
STEP_STATUSES = ("waiting", "running", "finished", "stopped", "skipped", "failed")
RUN_GAUGES = {
    "screening_run_planned_images": "images that the run is to answer",
    "screening_run_answered_images": "of them, those that have their row",
    "screening_run_actors": "cascade actors of the run",
    "screening_run_seconds_left": "seconds to the end at the speed so far",
    "screening_run_updated_timestamp_seconds": "when these figures were written",
}
NIGHT_STATUSES = ("running", "finished", "stopped", "failed")

log = logging.getLogger(__name__)


class MetricsFile:
    """The metrics of one night. Without a URL nothing is written."""

    def __init__(self, url: str | None):
        self._url, self._written = url, -EVERY_SECONDS
        self._progress: dict[str, Progress] = {}

    def show(self, record: NightRecord, progress: Progress) -> None:
        """Write how far the run of the step that is under way is, where the last time was long enough ago."""
        self._progress |= {step.name: progress for step in record.steps if step.status == "running"}
        if time.monotonic() - self._written >= EVERY_SECONDS:
            self.write(record)

    def write(self, record: NightRecord) -> None:
        """Write the metrics. A file that cannot be written is logged: a night does not end because nobody can see it."""
        if self._url is None:
            return
        self._written = time.monotonic()
        try:
            put_atomic(self._url, exposition(record, self._progress))
        except (OSError, WriteError) as error:
            log.warning("the file of metrics could not be written: %s", type(error).__name__)


def exposition(record: NightRecord, progress: Mapping[str, Progress]) -> bytes:
    """Return the metrics of a night in Prometheus's text format; `progress` is that of each step that has begun to answer images."""
    registry = CollectorRegistry()
    _of_the_night(registry, record)
    if progress:
        _of_its_runs(registry, progress)
    return generate_latest(registry)


def _of_the_night(registry: CollectorRegistry, record: NightRecord) -> None:
    status = Gauge("screening_night_status", "1 for the status of the night, 0 for the others", ["status"], registry=registry)
    for name in NIGHT_STATUSES:
        status.labels(name).set(record.status == name)
    step = Gauge("screening_night_step_status", "1 for the status of each step, 0 for the others", ["step", "status"], registry=registry)
    for one in STEPS:
        for name in STEP_STATUSES:
            step.labels(one, name).set(record.step(one).status == name)
    _gauge(registry, "screening_night_started_timestamp_seconds", "when the night began", _unix(record.started))
    if record.finished is not None:
        _gauge(registry, "screening_night_finished_timestamp_seconds", "when the night ended, well or not", _unix(record.finished))
    if record.deadline is not None:
        _gauge(registry, "screening_night_deadline_timestamp_seconds", "when scoring stops", _unix(record.deadline))
    _gauge(registry, "screening_night_executions", "1, and one more for every time that the night was gone on with", record.executions)
    crossed = sum(told.startswith("limit_crossed") for told in record.told)
    _gauge(registry, "screening_night_limit_alerts", "how often limits of the monitor were crossed", crossed)


def _of_its_runs(registry: CollectorRegistry, progress: Mapping[str, Progress]) -> None:
    """Add what the runs of a night have answered, each under its step, run or redrive."""
    counted = {
        "images": Counter("screening_images", "images that were answered, by outcome", ["step", "outcome"], registry=registry),
        "refused": Counter("screening_images_refused", "images rejected or failed, by reason", ["step", "reason"], registry=registry),
        "positive": Counter("screening_images_positive", "scored images that are positive, by stage", ["step", "stage"], registry=registry),
        "seconds": Counter("screening_stage_seconds", "seconds of a stage, summed over its workers", ["step", "stage"], registry=registry),
        "read": Counter("screening_read_bytes", "bytes of the images that were read", ["step"], registry=registry),
        "retried": Counter("screening_retried_shards", "shards tried again, because they lost their worker", ["step"], registry=registry),
    }
    gauges = {name: Gauge(name, what, ["step"], registry=registry) for name, what in RUN_GAUGES.items()}
    for step, one in progress.items():
        for outcome in Outcome:
            counted["images"].labels(step, outcome.value).inc(one.outcomes[outcome])
        for reason, n in sorted(one.reasons.items()):
            counted["refused"].labels(step, reason).inc(n)
        for stage, n in (("pneumonia", one.pneumonia_positive), ("covid", one.covid_positive)):
            counted["positive"].labels(step, stage).inc(n)
        for stage in ("decode", "cascade", "write"):
            counted["seconds"].labels(step, stage).inc(getattr(one.times, f"{stage}_seconds"))
        counted["read"].labels(step).inc(one.bytes_read)
        counted["retried"].labels(step).inc(one.retried)
        values = (one.planned, one.answered, one.actors, one.seconds_left or 0.0, _unix(datetime.now(UTC)))
        for gauge, value in zip(gauges.values(), values, strict=True):
            gauge.labels(step).set(value)


def _gauge(registry: CollectorRegistry, name: str, what: str, value: float) -> None:
    Gauge(name, what, registry=registry).set(value)


def _unix(at: datetime) -> float:
    return at.timestamp()

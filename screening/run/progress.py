"""How far a run has come, for whoever wants to show it."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from schemas.reasons import Reason
from schemas.run import RunTimes
from screening.errors import ResultsError

READING = (Reason.READ_FAILED, Reason.OBJECT_MISSING)  # what a store that is down or empty gives


@dataclass
class Progress:
    """Counts of one execution. `answered` of `planned` rows are committed, `resumed` of them by an execution before this one."""

    run_id: str
    planned: int
    resumed: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    pneumonia_positive: int = 0
    covid_positive: int = 0
    bytes_read: int = 0
    retried: int = 0  # shards that lost their worker and were tried again
    actors: int = 0  # that judge
    note: str = ""
    stopped: bool = False  # at its deadline, before the end
    times: RunTimes = field(default_factory=RunTimes)
    started: float = field(default_factory=time.monotonic)

    @property
    def answered(self) -> int:
        """Rows committed so far, by this execution and the ones before."""
        return self.resumed + self.outcomes.total()

    @property
    def images_per_second(self) -> float:
        """Rows a second since this execution began."""
        return self.outcomes.total() / max(time.monotonic() - self.started, 1e-6)

    @property
    def seconds_left(self) -> float | None:
        """Expected seconds to the end at the speed so far; None before the first shard."""
        return (self.planned - self.answered) / self.images_per_second if self.outcomes else None

    def add(self, summary: dict[str, Any]) -> None:
        """Count one shard's summary (pipeline.SUMMARY_SCHEMA)."""
        self.outcomes.update(summary["outcomes"])
        self.reasons.update(reason for reason in summary["reasons"] if reason)
        self.pneumonia_positive += summary["pneumonia_positive"]
        self.covid_positive += summary["covid_positive"]
        self.bytes_read += summary["bytes_read"]
        self.times.decode_seconds += summary["decode_seconds"]
        self.times.cascade_seconds += summary["cascade_seconds"]
        self.times.write_seconds += summary["write_seconds"]
        self.times.images += len(summary["outcomes"])

    def stop_if_the_store_is_down(self, max_failed_fraction: float) -> None:
        """Raise ResultsError when more objects could not be read than single bad ones can explain."""
        failed, total = sum(self.reasons[reason] for reason in READING), self.outcomes.total()
        if failed >= 50 and failed > max_failed_fraction * total:
            reasons = ", ".join(f"{reason} {self.reasons[reason]}" for reason in READING if self.reasons[reason])
            raise ResultsError(
                f"stopped: {failed} of {total} objects could not be read ({reasons}), which points at the store, not at the images; "
                "mend that, run the same command again to resume, then `screening redrive` the failed rows"
            )


ShowProgress = Callable[[Progress], None]


def show_nothing(progress: Progress) -> None:
    """The display of a run that nobody watches."""

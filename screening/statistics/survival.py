"""Survival curves by Kaplan and Meier (1958), for times of which some are only known to be longer than what was seen."""

from dataclasses import dataclass

import numpy as np

from screening.metrics import Z_95


@dataclass(frozen=True)
class Survival:
    """The steps of a survival curve, each (S,), one for each time at which something ended, in rising order."""

    times: np.ndarray
    at_risk: np.ndarray  # how many had neither ended nor been lost before that time
    ended: np.ndarray  # at that time
    share: np.ndarray  # that lasts longer than that time, in [0, 1]
    variance: np.ndarray  # of the share, by Greenwood (1926); nan where the share is 0

    def at_least(self, time: float) -> tuple[float, float | None, float | None]:
        """Return the share that lasts at least `time`, and its 95 % interval, None where the share is 0 or 1.

        The interval is that of log(-log(share)) with Greenwood's variance (Kalbfleisch and Prentice 2002, 1.4), so it lies in [0, 1].
        """
        place = int(np.searchsorted(self.times, time, side="left")) - 1
        if place < 0:
            return 1.0, None, None
        share = float(self.share[place])
        if not 0 < share < 1:
            return share, None, None
        logarithm = np.log(share)
        half = Z_95 * float(self.variance[place]) ** 0.5 / abs(share * logarithm)
        return share, float(share ** np.exp(half)), float(share ** np.exp(-half))


def kaplan_meier(times: np.ndarray, ended: np.ndarray, units: np.ndarray | None = None) -> Survival:
    """Return the survival curve of times that ended or were censored.

    times: (N,), any numbers, -inf too. ended: (N,) bool; where False the true time is that or longer, and the unit is at risk up to that
    time, that time included. units: (N,), how many units each row stands for; one by default.
    """
    times, ended = np.asarray(times, np.float64), np.asarray(ended, bool)
    units = np.ones(times.size, int) if units is None else np.asarray(units, int)
    steps = np.unique(times[ended])
    events = np.bincount(np.searchsorted(steps, times[ended]), units[ended], steps.size).astype(int)
    order = np.argsort(times)
    before = np.concatenate([[0], np.cumsum(units[order])])[np.searchsorted(times[order], steps, side="left")]
    at_risk = int(units.sum()) - before
    share = np.cumprod(1 - events / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = share**2 * np.cumsum(events / (at_risk * (at_risk - events)))
    return Survival(steps, at_risk, events, share, variance)

"""Estimates over images with 95 % intervals that draw whole patients: images of one person are no independent evidence."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from screening.metrics import BOOTSTRAP_REPLICATES, auroc, clustered_bootstrap, wilson


@dataclass(frozen=True)
class Resampling:
    """How intervals are made: `replicates` draws of patients, from `seed`."""

    replicates: int = BOOTSTRAP_REPLICATES
    seed: int = 0


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; None where there is nothing to compute it from, or too little for an interval.

    `n` images of `patients` people; `k` of them, where the figure is a share.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    patients: int
    k: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields, without `k` where the figure is no share."""
        return {name: value for name, value in asdict(self).items() if name != "k" or value is not None}


def mean(values: np.ndarray, patients: np.ndarray, how: Resampling) -> Estimate:
    """Return the mean of values (N,) with the percentile interval of a bootstrap over patients (N,).

    Booleans make a share. A share of 0 or 1 has no spread to draw from: its interval is Wilson's of all or none of the patients.
    """
    share = values.dtype == bool
    people, patient = np.unique(patients, return_inverse=True)
    k = int(values.sum()) if share else None
    if not values.size:
        return Estimate(None, None, None, 0, 0, k)
    value = float(values.mean())
    if share and k in (0, values.size):
        low, high = wilson(people.size if k else 0, people.size)
    elif people.size < 2:
        low = high = None
    else:
        sums, counts = np.bincount(patient, values.astype(np.float64)), np.bincount(patient)
        drawn = [(weights @ sums) / (weights @ counts) for weights in _draws(people.size, how)]
        low, high = map(float, np.quantile(drawn, [0.025, 0.975]))
    return Estimate(value, low, high, values.size, people.size, k)


def statistic(of: Callable[[np.ndarray], float | None], patients: np.ndarray, how: Resampling) -> Estimate:
    """Return a statistic of weighted images with its percentile interval. `of` takes weights (N,) of the images, whole numbers.

    Draws for which `of` gives None are left out; without half of the draws there is no interval.
    """
    people, patient = np.unique(patients, return_inverse=True)
    value = of(np.ones(patient.size, np.int64)) if patient.size else None
    if value is None:
        return Estimate(None, None, None, patient.size, people.size)
    drawn = [found for weights in _draws(people.size, how) if (found := of(weights[patient])) is not None]
    if len(drawn) < how.replicates / 2 or people.size < 2:
        return Estimate(value, None, None, patient.size, people.size)
    low, high = map(float, np.quantile(drawn, [0.025, 0.975]))
    return Estimate(value, low, high, patient.size, people.size)


def area(labels: np.ndarray, values: np.ndarray, patients: np.ndarray, how: Resampling) -> Estimate:
    """Return the AUROC of values (N,) with its interval; none where a class is absent, no interval where the classes lie wholly apart."""
    people = np.unique(patients).size
    if labels.all() or not labels.any():
        return Estimate(None, None, None, labels.size, people)
    if (value := auroc(labels, values)) in (0.0, 1.0):  # every draw gives the same: that is no certainty
        return Estimate(value, None, None, labels.size, people)
    found = clustered_bootstrap(labels, values, patients, how.replicates, how.seed)
    return Estimate(value, found.low, found.high, labels.size, people)


def _draws(people: int, how: Resampling) -> Iterator[np.ndarray]:
    """Yield how often each person is drawn, (people,) int, once a replicate."""
    random = np.random.default_rng(how.seed)
    for _ in range(how.replicates):
        yield np.bincount(random.integers(0, people, people), minlength=people)

"""Figures of a diagnostic test (STARD 2015, item 24), from numpy arrays; the SQL views compute the same ones over tables.

The import of `scipy.stats` takes twice as long as everything else that an analysis loads. Only the functions that need it import it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np

from screening.errors import UsageError

Z_95 = 1.959963984540054  # 97.5 % quantile of the normal distribution


@dataclass(frozen=True)
class Proportion:
    """`k` of `n`, with its 95 % Wilson interval (Wilson 1927); share and interval are None where `n` is 0."""

    k: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.k <= self.n:
            raise UsageError(f"{self.k} of {self.n} is no proportion")

    @property
    def share(self) -> float | None:
        """The proportion, in [0, 1]."""
        return self.k / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The lower and upper limit, in [0, 1]."""
        return wilson(self.k, self.n) if self.n else None

    def __str__(self) -> str:
        if self.interval is None:
            return f"{self.k}/{self.n}"
        low, high = self.interval
        return f"{self.share:.1%} ({self.k}/{self.n}; 95 % CI {low:.1%} to {high:.1%})"


def wilson(k: float, n: float) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of `k` of `n`, both in [0, 1]. `n` must not be 0.

    scipy's takes whole numbers only. Counts that the audit sample estimates are fractions.
    """
    share, z2 = k / n, Z_95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative, ties counting half.

    labels: (N,) bool, or 0 and 1. scores: (N,), higher means more positive; logits or probabilities. Computed from the ranks
    (Mann-Whitney U). Raises UsageError without both a positive and a negative, or with a score that is not a number.
    """
    positive, scores = np.asarray(labels).astype(bool).ravel(), np.asarray(scores, np.float64).ravel()
    if positive.shape != scores.shape:
        raise UsageError(f"{positive.size} labels for {scores.size} scores")
    if np.isnan(scores).any():
        raise UsageError("a score is not a number: leave out what was not scored")
    positives = int(positive.sum())
    negatives = positive.size - positives
    if not positives or not negatives:
        raise UsageError(f"{positives} positives and {negatives} negatives have no ROC curve: both are needed")
    ranks = mid_ranks(scores)
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def mid_ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks from 1; equal values share the mean of theirs."""
    from scipy.stats import rankdata

    return rankdata(values)


BOOTSTRAP_REPLICATES = 1000


@dataclass(frozen=True)
class Area:
    """An area under a ROC curve, in [0, 1], with its 95 % interval; the limits are None where there are too few to tell."""

    auroc: float
    low: float | None
    high: float | None
    positives: int
    negatives: int


@dataclass(frozen=True)
class AreaDifference:
    """First area less second one on the same units, with its 95 % interval and the two-sided p of no difference."""

    first: float
    second: float
    difference: float
    low: float | None
    high: float | None
    p: float | None
    positives: int
    negatives: int


def delong(labels: np.ndarray, scores: np.ndarray) -> Area:
    """Return the area with DeLong's interval (DeLong, DeLong and Clarke-Pearson 1988), cut to [0, 1].

    labels: (N,) bool. scores: (N,), higher means more positive. Raises UsageError as `auroc` does.
    """
    positive = np.asarray(labels).astype(bool).ravel()
    area = auroc(positive, scores)
    of_positives, of_negatives = _placements(positive, np.asarray(scores, np.float64).ravel())
    count = (of_positives.size, of_negatives.size)
    if min(count) < 2:
        return Area(area, None, None, *count)
    half = Z_95 * sqrt(of_positives.var(ddof=1) / count[0] + of_negatives.var(ddof=1) / count[1])
    return Area(area, max(0.0, area - half), min(1.0, area + half), *count)


def delong_paired(labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> AreaDifference:
    """Return the difference of two areas over the same units. p is None where neither varies and the areas are equal.

    labels: (N,) bool. first, second: (N,) scores of the same units in the same order. Raises UsageError as `auroc` does.
    """
    positive = np.asarray(labels).astype(bool).ravel()
    areas = auroc(positive, first), auroc(positive, second)
    one, two = (_placements(positive, np.asarray(scores, np.float64).ravel()) for scores in (first, second))
    difference, count = areas[0] - areas[1], (one[0].size, one[1].size)
    if min(count) < 2:
        return AreaDifference(*areas, difference, None, None, None, *count)
    spread = sqrt(sum((a - b).var(ddof=1) / n for a, b, n in zip(one, two, count, strict=True)))
    p = erfc(abs(difference) / spread / sqrt(2)) if spread else None
    return AreaDifference(*areas, difference, difference - Z_95 * spread, difference + Z_95 * spread, p, *count)


def clustered_bootstrap(
    labels: np.ndarray, scores: np.ndarray, clusters: np.ndarray, replicates: int = BOOTSTRAP_REPLICATES, seed: int = 0
) -> Area:
    """Return the area with the percentile interval of a bootstrap that draws whole patients, with replacement.

    clusters: (N,), equal for units of the same patient. A draw without both a positive and a negative is drawn again, and counts as a
    replicate no more; the limits are None where fewer than half of the draws had both. Raises UsageError as `auroc` does.
    """
    positive, scores = np.asarray(labels).astype(bool).ravel(), np.asarray(scores, np.float64).ravel()
    area = auroc(positive, scores)
    count = int(positive.sum()), int((~positive).sum())
    drawn = [areas[0] for areas in _drawn_areas(positive, [scores], clusters, replicates, seed)]
    return Area(area, *_limits(drawn, replicates), *count)


def clustered_bootstrap_paired(
    labels: np.ndarray, first: np.ndarray, second: np.ndarray, clusters: np.ndarray, replicates: int = BOOTSTRAP_REPLICATES, seed: int = 0
) -> tuple[float | None, float | None]:
    """Return the percentile limits of the first area less the second, both over the same draws of patients as `clustered_bootstrap`'s."""
    positive = np.asarray(labels).astype(bool).ravel()
    scores = [np.asarray(each, np.float64).ravel() for each in (first, second)]
    drawn = [areas[0] - areas[1] for areas in _drawn_areas(positive, scores, clusters, replicates, seed)]
    return _limits(drawn, replicates)


def _drawn_areas(
    positive: np.ndarray, scores: Sequence[np.ndarray], clusters: np.ndarray, replicates: int, seed: int
) -> Iterator[list[float]]:
    """Yield the areas of each of the scores over draws of whole patients, at most `replicates` of twice as many draws."""
    _, patient = np.unique(np.asarray(clusters), return_inverse=True)
    patients = int(patient.max()) + 1
    ordered = []
    for each in scores:
        order = np.argsort(each, kind="stable")
        ordered.append((positive[order], patient[order], np.flatnonzero(np.diff(each[order], prepend=-np.inf))))
    random, valid = np.random.default_rng(seed), 0
    for _ in range(2 * replicates if patients > 1 else 0):
        times = np.bincount(random.integers(0, patients, patients), minlength=patients)
        areas = [_weighted_area(labels, times[owner], starts) for labels, owner, starts in ordered]
        if None not in areas:
            yield areas
            valid += 1
        if valid == replicates:
            return


def _limits(drawn: Sequence[float], replicates: int) -> tuple[float | None, float | None]:
    if len(drawn) < replicates or not drawn:
        return None, None
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _weighted_area(positive: np.ndarray, weights: np.ndarray, starts: np.ndarray) -> float | None:
    """Return the area of weighted units in the order of their scores; `starts` is where each distinct score begins."""
    positives = np.add.reduceat(np.where(positive, weights, 0), starts).astype(np.float64)
    negatives = np.add.reduceat(np.where(positive, 0, weights), starts).astype(np.float64)
    pairs = positives.sum() * negatives.sum()
    if not pairs:
        return None
    below = np.cumsum(negatives) - negatives / 2
    return float((positives * below).sum() / pairs)


def _placements(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of negatives below each positive, and of positives above each negative, ties half (Sun and Xu 2014)."""
    ranks = mid_ranks(scores)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    below = (ranks[positive] - mid_ranks(scores[positive])) / negatives
    above = 1 - (ranks[~positive] - mid_ranks(scores[~positive])) / positives
    return below, above

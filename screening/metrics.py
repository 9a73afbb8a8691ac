"""Figures of a diagnostic test (STARD 2015, item 24), from numpy arrays; the SQL views compute the same ones over tables."""

from dataclasses import dataclass
from math import sqrt

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


def wilson(k: int, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of `k` of `n`, both in [0, 1]. `n` must not be 0."""
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
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((last - counts + 1 + last) / 2)[group]

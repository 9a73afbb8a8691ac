"""Two products on the same units: is the first no worse than the second by more than a margin?"""

from dataclasses import dataclass
from math import erfc, sqrt

from screening.errors import UsageError
from screening.metrics import Z_95
from screening.statistics.clusters import quantile


@dataclass(frozen=True)
class NonInferiority:
    """The difference of two paired shares with its 95 % interval, held against a margin."""

    difference: float  # share of the first less that of the second, in [-1, 1]
    low: float
    high: float
    p: float  # one-sided, of a first product that is worse by the margin
    non_inferior: bool  # the interval lies above -margin, so p is below 0.025


def non_inferiority(only_first: float, only_second: float, n: float, margin: float, clusters: int | None = None) -> NonInferiority:
    """Return the paired difference with Tango's score interval, and the score test of non-inferiority that goes with it (Tango 1998).

    only_first, only_second: units that the first product alone, and the second alone, answered rightly, of n; fractions where a design
    effect divided them. margin: how much worse the first may be, in (0, 1). clusters: how many the design effect rests on, 2 or more;
    interval and test then take Student's t. Raises UsageError for another margin.
    """
    check_margin(margin)
    low, high = tango(only_first, only_second, n, quantile(clusters))
    score = _score(only_first, only_second, n, -margin)
    return NonInferiority((only_first - only_second) / n, low, high, _upper_tail(score, clusters), low > -margin)


def check_margin(margin: float) -> None:
    """Raise UsageError for a margin that is no share between 0 and 1."""
    if not 0 < margin < 1:
        raise UsageError(f"--margin {margin:g}: give how much worse the first may be, a share between 0 and 1, such as 0.05")


def _upper_tail(score: float, clusters: int | None) -> float:
    if clusters is None:
        return erfc(score / sqrt(2)) / 2
    from scipy.stats import t

    return float(t.sf(score, clusters - 1))


def tango(only_first: float, only_second: float, n: float, z: float = Z_95) -> tuple[float, float]:
    """Return the limits of Tango's score interval (Statistics in Medicine 1998;17:891): the differences that the score test keeps."""
    estimate = (only_first - only_second) / n

    def edge(side: int) -> float:
        kept, refused = estimate, float(side)
        for _ in range(60):
            middle = (kept + refused) / 2
            inside = abs(_score(only_first, only_second, n, middle)) <= z
            kept, refused = (middle, refused) if inside else (kept, middle)
        return kept

    return edge(-1), edge(1)


def _score(only_first: float, only_second: float, n: float, difference: float) -> float:
    """Return the score statistic of a true difference: Tango (1998), equation 2, with the restricted maximum likelihood estimate of
    the share that the second product alone answers rightly.
    """
    linear = -only_first - only_second + (2 * n - only_first + only_second) * difference
    constant = -only_second * difference * (1 - difference)
    second_alone = (sqrt(max(0.0, linear * linear - 8 * n * constant)) - linear) / (4 * n)
    variance = n * (2 * second_alone + difference * (1 - difference))
    surplus = only_first - only_second - n * difference
    if variance <= 0:
        return 0.0 if abs(surplus) < 1e-12 else float("inf") if surplus > 0 else float("-inf")
    return surplus / sqrt(variance)

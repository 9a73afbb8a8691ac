"""How many persons a study of accuracy needs, for intervals of sensitivity and specificity of a stated width."""

from math import ceil
from typing import Any

from screening.errors import UsageError
from screening.metrics import Z_95, wilson


def plan_sample(sensitivity: float, specificity: float, prevalence: float, precision: float) -> list[dict[str, Any]]:
    """Return a row each for sensitivity and specificity: what is needed so that the 95 % interval is at most `precision` to either side.

    sensitivity, specificity: as they are expected, in (0, 1). prevalence: share of cases among those who will be verified, in (0, 1).
    precision: half the width of the interval, in (0, 0.5). Keys: of, expected, precision, and for both methods the persons with (for
    sensitivity) or without (for specificity) the disease, and the persons to verify so that so many are expected: buderer and
    buderer_verified (Buderer 1996, from the normal approximation), wilson and wilson_verified (from the interval that this software gives).
    Raises UsageError for a value outside these ranges.
    """
    given = {"--sensitivity": sensitivity, "--specificity": specificity, "--prevalence": prevalence}
    for name, value in given.items():
        if not 0 < value < 1:
            raise UsageError(f"{name} is a share in (0, 1), for example 0.9")
    if not 0 < precision < 0.5:
        raise UsageError("--precision is half the width of the interval, in (0, 0.5), for example 0.05")
    rows = []
    for name, share, having in (("sensitivity", sensitivity, prevalence), ("specificity", specificity, 1 - prevalence)):
        exact = Z_95**2 * share * (1 - share) / precision**2
        sizes = {"buderer": exact, "wilson": wilson_size(share, precision)}
        row: dict[str, Any] = {"of": name, "expected": share, "precision": precision}
        for method, size in sizes.items():
            row |= {method: ceil(size), f"{method}_verified": ceil(size / having)}
        rows.append(row)
    return rows


def wilson_size(share: float, precision: float) -> int:
    """Return the smallest number of persons of whom a share has a Wilson interval with half its width at most `precision`."""
    low, high = 0, 1
    while _half_width(share, high) > precision:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _half_width(share, middle) <= precision else (middle, high)
    return high


def _half_width(share: float, n: int) -> float:
    low, high = wilson(share * n, n)
    return (high - low) / 2

"""Random-effects meta-analysis: the mean of several places, and what to expect of a place that was not seen yet.

The model is that each place has an effect of its own, drawn from a normal distribution around the mean.

- The variance between places, τ², is the restricted maximum likelihood estimate (REML; Viechtbauer 2005).
- The interval of the mean is that of Hartung and Knapp (2001), with Student's t on one degree of freedom less than there are places. It is
  never narrower than without their correction (Röver, Knapp and Friede 2015).
- The prediction interval is that of Higgins, Thompson and Spiegelhalter (2009), on two degrees less, with Hartung and Knapp's variance of
  the mean (Partlett and Riley 2017).
"""

from dataclasses import dataclass

import numpy as np

from screening.errors import UsageError


@dataclass(frozen=True)
class RandomEffects:
    """The mean of several effects with its 95 % interval, and the 95 % prediction interval; None where there are too few places."""

    places: int
    mean: float
    low: float | None  # needs 2 places
    high: float | None
    prediction_low: float | None  # needs 3 places
    prediction_high: float | None
    tau: float | None  # standard deviation between places; needs 2 of them
    i_squared: float | None  # share of the variance that lies between places, in [0, 1] (Higgins and Thompson 2002)


def random_effects(effects: np.ndarray, variances: np.ndarray) -> RandomEffects:
    """Return the random-effects mean of estimates with known variances.

    effects, variances: (K,), of K places; variances are above 0. Raises UsageError without a place, or with a variance that is not above 0.
    """
    effects, variances = np.asarray(effects, np.float64), np.asarray(variances, np.float64)
    places = effects.size
    if not places or variances.size != places or not (variances > 0).all():
        raise UsageError(f"{places} effects with {variances.size} variances, of which {(variances > 0).sum()} are above 0: give one each")
    if places == 1:
        return RandomEffects(1, float(effects[0]), None, None, None, None, None, None)
    from scipy.stats import t

    between = _between_places(effects, variances)
    weights = 1 / (variances + between)
    mean = float(weights @ effects / weights.sum())
    correction = float(weights @ (effects - mean) ** 2 / (places - 1))
    variance = max(1.0, correction) / weights.sum()
    half = float(t.ppf(0.975, places - 1) * variance**0.5)
    predicted = float(t.ppf(0.975, places - 2) * (between + variance) ** 0.5) if places > 2 else None
    limits = (None, None) if predicted is None else (mean - predicted, mean + predicted)
    return RandomEffects(places, mean, mean - half, mean + half, *limits, between**0.5, _i_squared(between, variances))


def random_effects_share(k: np.ndarray, n: np.ndarray) -> RandomEffects:
    """Return the random-effects mean of the shares `k` of `n`, pooled as logits; the mean and all limits are shares in [0, 1].

    k, n: (K,), of K places. A place with n of 0 takes no part. Where k is 0 or n, a half is added to k and to n - k. tau stays in logits.
    Raises UsageError where no place is left.
    """
    k, n = np.asarray(k, np.float64), np.asarray(n, np.float64)
    k, n = k[n > 0], n[n > 0]
    half = np.where((k == 0) | (k == n), 0.5, 0.0)
    found, missed = k + half, n - k + half
    pooled = random_effects(np.log(found / missed), 1 / found + 1 / missed)
    shares = [None if logit is None else float(1 / (1 + np.exp(-logit))) for logit in _limits(pooled)]
    return RandomEffects(pooled.places, *shares, pooled.tau, pooled.i_squared)


def _limits(pooled: RandomEffects) -> tuple[float | None, ...]:
    return pooled.mean, pooled.low, pooled.high, pooled.prediction_low, pooled.prediction_high


def _between_places(effects: np.ndarray, variances: np.ndarray) -> float:
    """Return τ² by REML: where the derivative of the restricted likelihood is 0, or 0 where it falls from the start."""
    from scipy.optimize import brentq

    def slope(between: float) -> float:
        weights = 1 / (variances + between)
        total = weights.sum()
        residuals = effects - weights @ effects / total
        return float((weights * residuals) @ (weights * residuals) - total + (weights**2).sum() / total)

    if slope(0.0) <= 0:
        return 0.0
    upper = float(effects.var(ddof=1) + variances.max())
    while slope(upper) > 0:
        upper *= 2
    return float(brentq(slope, 0.0, upper, xtol=1e-12))


def _i_squared(between: float, variances: np.ndarray) -> float:
    """Return the share of τ² in τ² and the typical variance within a place (Higgins and Thompson 2002, equation 9)."""
    weights = 1 / variances
    within = (variances.size - 1) * weights.sum() / (weights.sum() ** 2 - (weights**2).sum())
    return float(between / (between + within))

"""Random effects, against what R's metafor prints, statsmodels, and the restricted likelihood itself."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from statsmodels.stats.meta_analysis import combine_effects

from screening.errors import UsageError
from screening.statistics.random_effects import random_effects, random_effects_share

# BCG vaccine against tuberculosis, 13 trials (Colditz et al. 1994; dat.bcg of metafor): ill and well, vaccinated and not
BCG = np.array(
    [
        *((4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761)),
        *((180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600)),
        *((186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825)),
    ],
    float,
)


def log_risk_ratios() -> tuple[np.ndarray, np.ndarray]:
    ill, well, ill_without, well_without = BCG.T
    ratio = np.log(ill / (ill + well)) - np.log(ill_without / (ill_without + well_without))
    return ratio, 1 / ill - 1 / (ill + well) + 1 / ill_without - 1 / (ill_without + well_without)


def test_the_bcg_trials_as_metafor_prints_them():
    """rma(yi, vi, data=dat.bcg): -0.7145, standard error 0.1798, tau^2 0.3132, I^2 92.22 %."""
    ratios, variances = log_risk_ratios()
    pooled = random_effects(ratios, variances)
    assert (pooled.places, pooled.mean) == (13, pytest.approx(-0.7145, abs=5e-5))
    assert (pooled.tau**2, pooled.i_squared) == pytest.approx((0.3132, 0.9222), abs=5e-5)
    correction = ((ratios - pooled.mean) ** 2 / (variances + pooled.tau**2)).sum() / 12
    error = (pooled.high - pooled.mean) / 2.178813  # Student's t of 12 degrees of freedom
    assert error / correction**0.5 == pytest.approx(0.1798, abs=5e-5)
    assert pooled.mean - pooled.low == pytest.approx(pooled.high - pooled.mean)
    assert pooled.prediction_high - pooled.mean == pytest.approx(2.200985 * (error**2 + pooled.tau**2) ** 0.5, rel=1e-6)  # of 11


@pytest.mark.parametrize("seed", range(5))
def test_tau_is_where_the_restricted_likelihood_is_highest(seed: int):
    draw = np.random.default_rng(seed)
    variances = draw.uniform(0.02, 0.6, 9)
    effects = draw.normal(0.3, (0.25 * seed + variances) ** 0.5)

    def minus_likelihood(between: float) -> float:
        weights = 1 / (variances + between)
        mean = weights @ effects / weights.sum()
        return 0.5 * (np.log(1 / weights).sum() + np.log(weights.sum()) + weights @ (effects - mean) ** 2)

    best = minimize_scalar(minus_likelihood, bounds=(0, 20), method="bounded", options={"xatol": 1e-10}).x
    assert random_effects(effects, variances).tau ** 2 == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_is_that_of_statsmodels_at_the_same_tau(seed: int):
    """statsmodels has no REML: with our tau² added to the variances, its weights are ours."""
    draw = np.random.default_rng(seed)
    variances = draw.uniform(0.02, 0.1, 8)
    effects = draw.normal(0.3, 0.8, 8)
    pooled = random_effects(effects, variances)
    theirs = combine_effects(effects, variances + pooled.tau**2, method_re="chi2", use_t=True)
    assert pooled.mean == pytest.approx(theirs.mean_effect_fe)
    half = 2.364624 * max(theirs.var_hksj_fe, 1 / (1 / (variances + pooled.tau**2)).sum()) ** 0.5
    assert pooled.high - pooled.mean == pytest.approx(half, rel=1e-6)


def test_equal_places_have_nothing_between_them_and_the_interval_does_not_collapse():
    pooled = random_effects(np.full(4, 0.7), np.full(4, 0.04))
    assert (pooled.mean, pooled.tau, pooled.i_squared) == (pytest.approx(0.7), 0, 0)
    assert pooled.high - pooled.mean == pytest.approx(3.18245 * 0.1, rel=1e-5)


def test_shares_are_pooled_as_logits():
    pooled = random_effects_share(np.array([45, 30, 80, 0]), np.array([50, 40, 100, 0]))
    as_logits = random_effects(np.log([9, 3, 4]), np.array([1 / 45 + 1 / 5, 1 / 30 + 1 / 10, 1 / 80 + 1 / 20]))
    assert (pooled.places, pooled.tau) == (3, as_logits.tau)
    for name in ("mean", "low", "high", "prediction_low", "prediction_high"):
        share = getattr(pooled, name)
        assert np.log(share / (1 - share)) == pytest.approx(getattr(as_logits, name))
    everybody = random_effects_share(np.array([10, 0]), np.array([10, 10]))
    assert everybody.mean == pytest.approx(0.5)
    assert everybody.tau == pytest.approx((2 * np.log(21) ** 2 - (2 + 2 / 21)) ** 0.5)


def test_few_places():
    one = random_effects_share(np.array([9]), np.array([10]))
    assert (one.places, one.mean, one.low, one.tau) == (1, pytest.approx(0.9), None, None)
    two = random_effects_share(np.array([9, 8]), np.array([10, 10]))
    assert two.low < two.mean < two.high
    assert (two.prediction_low, two.prediction_high) == (None, None)
    for effects, variances in (([], []), ([1.0], [0.0]), ([1.0, 2.0], [1.0])):
        with pytest.raises(UsageError, match="give one each"):
            random_effects(np.array(effects), np.array(variances))

"""Shares of clustered units, against statsmodels' generalised estimating equations and a bootstrap over clusters."""

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.proportion import proportion_confint

from screening.statistics.clusters import clustered_share, moments, quantile

# pups alive at 4 days and those that lived 21 days, by litter of a treated group (Weil 1970; Rao and Scott 1992, Table 1)
LITTERS = np.array(
    [
        *((12, 12), (11, 11), (10, 10), (9, 9), (11, 10), (10, 9), (10, 9), (9, 8)),
        *((9, 8), (5, 4), (9, 7), (7, 4), (10, 5), (6, 3), (10, 3), (7, 0)),
    ]
)


def pups() -> tuple[np.ndarray, np.ndarray]:
    """Return the litter of each pup, and whether it lived."""
    litter = np.repeat(np.arange(16), LITTERS[:, 0])
    return litter, np.concatenate([np.arange(size) < lived for size, lived in LITTERS]).astype(float)


def test_the_variance_is_that_of_estimating_equations():
    litter, lived = pups()
    summed = moments(litter, lived)
    fit = sm.GEE(lived, np.ones(145), groups=litter, family=sm.families.Binomial(), cov_struct=sm.cov_struct.Independence()).fit()
    share = summed.share
    assert (summed.n, share) == (145, pytest.approx(lived.mean()))
    of_logit = fit.cov_robust[0, 0] * 16 / 15
    assert summed.variance() == pytest.approx(of_logit * (share * (1 - share)) ** 2)


def test_the_treated_litters_by_hand():
    """The design effect of the treated rats: 16 / 15 of the sum of squared residuals of the litters over n p (1 - p)."""
    litter, lived = pups()
    effect, low, high = clustered_share(moments(litter, lived))
    share = LITTERS[:, 1].sum() / 145
    residuals = LITTERS[:, 1] - share * LITTERS[:, 0]
    assert effect == pytest.approx(16 / 15 * (residuals**2).sum() / (145 * share * (1 - share)))
    draw = np.random.default_rng(1).integers(0, 16, (20_000, 16))
    drawn = LITTERS[draw].sum(axis=1)
    assert (low, high) == pytest.approx(np.quantile(drawn[:, 1] / drawn[:, 0], [0.025, 0.975]), abs=0.03)


def test_units_on_their_own_have_wilsons_interval():
    found = np.arange(400) < 300
    effect, low, high = clustered_share(moments(np.arange(400), found))
    assert effect == pytest.approx(400 / 399)
    assert (low, high) == pytest.approx(proportion_confint(300, 400, method="wilson"), abs=1e-3)
    copies, *limits = clustered_share(moments(np.tile(np.arange(400), 10), np.tile(found, 10)))
    assert copies == pytest.approx(10 * 400 / 399)
    assert limits == pytest.approx([low, high]), "ten copies of each are no more evidence"


def test_few_clusters_and_clusters_that_are_alike():
    assert clustered_share(moments(np.zeros(5), np.ones(5))) == (None, None, None)
    alike = moments(np.repeat([0, 1, 2], 10), np.tile(np.arange(10) < 7, 3))
    effect, low, high = clustered_share(alike)
    assert (effect, alike.variance()) == (1, pytest.approx(0))
    assert high - low > np.diff(proportion_confint(21, 30, method="wilson"))[0], "by t of two degrees of freedom"
    effect, low, high = clustered_share(moments(np.repeat([0, 1], 5), np.ones(10)))
    assert (effect, high) == (1, 1)
    assert quantile(3) == pytest.approx(4.302653)
    assert quantile(None) == pytest.approx(1.959964)

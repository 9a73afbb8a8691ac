"""Kaplan and Meier's curve, against a published worked example and statsmodels."""

import numpy as np
import pytest
from statsmodels.duration.survfunc import SurvfuncRight

from screening.statistics.survival import kaplan_meier

# weeks in remission with 6-mercaptopurine (Freireich et al. 1963; Kleinbaum and Klein, Survival Analysis, chapter 2), ended and censored
ENDED, CENSORED = (6, 6, 6, 7, 10, 13, 16, 22, 23), (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)


def test_freireichs_remissions():
    curve = kaplan_meier(np.array([*ENDED, *CENSORED]), np.arange(21) < len(ENDED))
    assert curve.times.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve.at_risk.tolist() == [21, 17, 15, 12, 11, 7, 6]
    assert curve.ended.tolist() == [3, 1, 1, 1, 1, 1, 1]
    assert curve.share == pytest.approx([0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482], abs=5e-5)
    assert curve.variance**0.5 == pytest.approx([0.0764, 0.0869, 0.0963, 0.1068, 0.1141, 0.1282, 0.1346], abs=5e-5)


@pytest.mark.parametrize("seed", range(3))
def test_times_with_ties_are_as_in_statsmodels(seed: int):
    draw = np.random.default_rng(seed)
    times, ended = draw.integers(-5, 15, 120).astype(float), draw.random(120) < 0.7
    theirs = SurvfuncRight(times + 6, ended.astype(int))
    curve = kaplan_meier(times, ended)
    last = int((theirs.surv_prob > 0).sum())
    assert curve.times + 6 == pytest.approx(theirs.surv_times)
    assert curve.at_risk == pytest.approx(theirs.n_risk)
    assert curve.share == pytest.approx(theirs.surv_prob)
    assert curve.variance[:last] ** 0.5 == pytest.approx(theirs.surv_prob_se[:last])
    for place, time in list(enumerate(theirs.surv_times))[:last]:
        share, error = theirs.surv_prob[place], theirs.surv_prob_se[place]
        spread = 1.959964 * error / (share * np.log(share))
        limits = np.exp(-np.exp(np.log(-np.log(share)) + np.array([-1, 1]) * spread))
        assert curve.at_least(time - 6 + 0.5) == pytest.approx((share, *sorted(limits)), abs=1e-6)


def test_without_censoring_the_share_is_that_of_those_who_last():
    times = np.array([-np.inf, -np.inf, -2, 0, 0, 3, 5])
    curve = kaplan_meier(times, np.ones(7, bool))
    for day in (-3, 0, 1, 3, 5, 6):
        assert curve.at_least(day)[0] == pytest.approx((times >= day).mean())
    assert curve.at_least(6) == (0, None, None)
    assert kaplan_meier(times[2:], np.ones(5, bool)).at_least(-5) == (1, None, None)


def test_rows_may_stand_for_several():
    one_by_one = kaplan_meier(np.array([1, 1, 2, 2, 2, 4]), np.array([1, 1, 0, 0, 1, 1]))
    together = kaplan_meier(np.array([2, 1, 2, 4]), np.array([0, 1, 1, 1]), np.array([2, 2, 1, 1]))
    for name in ("times", "at_risk", "ended", "share"):
        assert getattr(one_by_one, name) == pytest.approx(getattr(together, name))
    nobody = kaplan_meier(np.array([]), np.array([], bool))
    assert (nobody.times.size, nobody.at_least(0)) == (0, (1.0, None, None))

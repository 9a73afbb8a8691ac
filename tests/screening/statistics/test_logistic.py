"""Logistic fits, against statsmodels and scikit-learn."""

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.calibration import calibration_curve

from screening.statistics.logistic import (
    calibration,
    calibration_error_by_chance,
    expected_calibration_error,
    fit_logistic,
    share_by_day,
    spline,
)

CLUSTERED = {"cov_type": "cluster", "cov_kwds": {"use_correction": False}}


def sample(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return probabilities that are too extreme, outcomes, and clusters of three that lean the same way."""
    draw = np.random.default_rng(seed)
    clusters = np.arange(n) // 3
    logits = draw.normal(0, 2, n)
    truth = 0.4 + 0.6 * logits + draw.normal(0, 1, n // 3)[clusters]
    return 1 / (1 + np.exp(-logits)), draw.random(n) < 1 / (1 + np.exp(-truth)), clusters


@pytest.mark.parametrize("clustered", [False, True])
def test_recalibration_is_that_of_statsmodels(clustered: bool):
    probability, positive, clusters = sample(1)
    logits = np.log(probability / (1 - probability))
    found = calibration(probability, positive, clusters if clustered else None)
    options = {**CLUSTERED, "cov_kwds": {**CLUSTERED["cov_kwds"], "groups": clusters}} if clustered else {}
    widen = (100 / 99) ** 0.5 if clustered else 1
    sloped = sm.GLM(positive, sm.add_constant(logits), sm.families.Binomial()).fit(**options)
    moved = sm.GLM(positive, np.ones(300), sm.families.Binomial(), offset=logits).fit(**options)
    for name, value, error in (("slope", sloped.params[1], sloped.bse[1]), ("intercept", moved.params[0], moved.bse[0])):
        half = 1.959964 * widen * error
        limits = (getattr(found, name), getattr(found, f"{name}_low"), getattr(found, f"{name}_high"))
        assert limits == pytest.approx((value, value - half, value + half), abs=1e-6)
    assert (found.n, found.positives) == (300, positive.sum())
    assert found.slope_high < 1, "the probabilities are too extreme"


def test_the_calibration_error_is_made_of_scikit_learns_curve():
    probability, positive, _ = sample(2)
    probability[:3] = (0.0, 1.0, 0.3)
    observed, predicted = calibration_curve(positive, probability, n_bins=10)
    counts, _ = np.histogram(probability, np.linspace(0, 1, 11))
    expected = (np.abs(observed - predicted) * counts[counts > 0]).sum() / 300
    assert expected_calibration_error(probability, positive) == pytest.approx(expected)


def test_what_chance_alone_makes_of_the_calibration_error_is_what_drawn_samples_have():
    probability = np.random.default_rng(3).beta(0.6, 0.8, 150)
    draw = np.random.default_rng(4)
    errors = [expected_calibration_error(probability, draw.random(150) < probability) for _ in range(4000)]
    mean, high = calibration_error_by_chance(probability)
    assert mean == pytest.approx(np.mean(errors), rel=0.03)
    assert high == pytest.approx(np.quantile(errors, 0.95), rel=0.03)
    assert calibration_error_by_chance(np.tile(probability, 100))[1] < high / 9, "of a hundred times as many it is a tenth"
    assert calibration_error_by_chance(np.array([0.0, 1.0])) == (0.0, 0.0), "what is certain leaves nothing to chance"


def test_what_has_no_finite_fit():
    apart = calibration(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True]))
    assert (apart.slope, apart.slope_low) == (None, None)
    assert apart.intercept is not None
    one_sided = calibration(np.array([0.1, 0.2]), np.array([True, True]))
    assert (one_sided.slope, one_sided.intercept, one_sided.positives) == (None, None, 2)
    assert calibration(np.array([0.0, 1.0, 0.5]), np.array([False, True, True])).ece == pytest.approx(0.5 / 3)
    same = fit_logistic(np.ones((4, 1)), np.array([1, 0, 1, 0]), clusters=np.zeros(4))
    assert np.isnan(same.covariance).all()
    nothing = calibration(np.array([]), np.array([]))
    assert (nothing.n, nothing.slope, nothing.ece, nothing.ece_by_chance) == (0, None, None, None)
    assert calibration(np.array([0.2, 0.4, 0.4]), np.array([1, 0, 1]), np.zeros(3)).intercept_low is None


def days(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return days since onset, whether it was found, and the person, of two radiographs each."""
    draw = np.random.default_rng(seed)
    since = draw.integers(0, 20, n)
    return since, draw.random(n) < 1 / (1 + np.exp(1 - 0.5 * since + 0.02 * since**2)), np.arange(n) // 2


def test_a_curve_over_days_is_that_of_statsmodels():
    since, found, persons = days(1, 400)
    at = np.arange(-2, 25)
    curve = share_by_day(since, found, persons, at)
    assert curve.knots == tuple(np.quantile(since, (0.1, 0.5, 0.9)))
    from patsy import build_design_matrices, dmatrix

    low, middle, high = curve.knots  # the same space of curves in another basis: cubic regression splines of Wood (2017)
    knots = {"low": low, "middle": middle, "high": high}
    basis = dmatrix("cr(x, knots=[middle], lower_bound=low, upper_bound=high) - 1", {"x": since, **knots})
    design = np.asarray(basis)
    fit = sm.GLM(found, design, sm.families.Binomial()).fit(**{**CLUSTERED, "cov_kwds": {"use_correction": False, "groups": persons}})
    inside = at[(at >= low) & (at <= high)]
    (there,) = build_design_matrices([basis.design_info], {"x": inside, **knots})
    logits = np.asarray(there) @ fit.params
    errors = np.sqrt(np.einsum("np,pq,nq->n", there, fit.cov_params() * 200 / 199, there))
    place = np.isin(at, inside)
    for name, expected in (("share", logits), ("low", logits - 1.959964 * errors), ("high", logits + 1.959964 * errors)):
        assert getattr(curve, name)[place] == pytest.approx(1 / (1 + np.exp(-expected)), abs=1e-6), name


def test_beyond_its_knots_the_logit_is_a_line():
    columns = spline(np.array([-4.0, -2.0, 0.0, 5.0, 9.0, 10.0, 11.0, 13.0]), (1.0, 5.0, 9.0))
    assert columns[:3, 2].tolist() == [0, 0, 0]
    assert columns[3, 2] == pytest.approx(64 / 64)
    assert np.diff(columns[4:, 2]) / np.diff(columns[4:, 1]) == pytest.approx([1.5, 1.5, 1.5])


def test_few_answers_make_a_line_or_no_curve():
    since, found, persons = days(2, 400)
    missed = np.flatnonzero(~found)
    for kept, knots in ((20, 3), (19, 0), (10, 0)):
        few = np.sort(np.concatenate([np.flatnonzero(found), missed[:kept]]))
        assert len(share_by_day(since[few], found[few], persons[few], np.arange(3)).knots) == knots
    few = np.sort(np.concatenate([np.flatnonzero(found), missed[:9]]))
    assert share_by_day(since[few], found[few], persons[few], np.arange(3)) is None
    assert share_by_day(np.zeros(400), found, persons, np.arange(3)) is None
    assert share_by_day(since, found, np.zeros(400), np.arange(3)) is None
    often_the_same = np.where(since < 15, 3, since)
    assert share_by_day(often_the_same, found, persons, np.arange(3)).knots == ()
    assert share_by_day(np.where(found, 1, 0), found, persons, np.arange(3)) is None, "found and missed are apart"

"""Platt scaling against its own equations, scikit-learn, and what it must do where a plain fit has no answer."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from screening.errors import TrainingError
from train.release.calibration import fit_platt


def sample(n: int, slope: float, intercept: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, n)
    return rng.random(n) < 1 / (1 + np.exp(-(slope * logits + intercept))), logits


def test_it_solves_the_equations_of_platts_targets() -> None:
    """Where the cross-entropy is least, the probabilities and the targets have one sum, and one sum weighted by the logits."""
    labels, logits = sample(80, 0.5, -1)
    positives, negatives = labels.sum(), (~labels).sum()
    targets = np.where(labels, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    found = fit_platt(labels, logits, "here")
    excess = 1 / (1 + np.exp(-(found.slope * logits + found.intercept))) - targets
    assert (excess.sum(), excess @ logits) == pytest.approx((0, 0), abs=1e-6)
    assert found.data == "here"


def test_it_is_scikit_learns_newton_method_on_weighted_classes() -> None:
    """A target of 0.9 is nine tenths of a positive and one tenth of a negative image."""
    labels, logits = sample(300, 1.3, 0.4, seed=1)
    positives, negatives = labels.sum(), (~labels).sum()
    targets = np.where(labels, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    rows, classes = np.tile(logits, 2)[:, None], np.repeat([1, 0], labels.size)
    theirs = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(rows, classes, np.r_[targets, 1 - targets])
    found = fit_platt(labels, logits, "here")
    assert (found.slope, found.intercept) == pytest.approx((theirs.coef_[0, 0], theirs.intercept_[0]), abs=1e-6)


def test_on_much_data_it_finds_the_truth_as_scikit_learn_does() -> None:
    labels, logits = sample(20_000, 0.5, -1)
    found = fit_platt(labels, logits, "here")
    plain = LogisticRegression(C=1e9).fit(logits[:, None], labels)
    assert (found.slope, found.intercept) == pytest.approx((plain.coef_[0, 0], plain.intercept_[0]), abs=2e-3)
    assert (found.slope, found.intercept) == pytest.approx((0.5, -1), abs=0.05)


def test_separated_classes_have_a_finite_slope() -> None:
    found = fit_platt(np.array([0, 0, 1, 1], bool), np.array([-2.0, -2, 2, 2]), "here")
    assert 1 / (1 + np.exp(-(found.slope * np.array([-2, 2]) + found.intercept))) == pytest.approx([0.25, 0.75])  # Platt's targets
    rng = np.random.default_rng(0)
    labels = np.arange(100) < 50
    far = fit_platt(labels, np.where(labels, 900, -900) + rng.normal(0, 100, 100), "here")
    assert 0 < far.slope < 1


def test_logits_that_do_not_rank_are_not_calibrated() -> None:
    labels, logits = sample(200, 1, 0)
    assert fit_platt(labels, -logits, "here") is None
    assert fit_platt(labels, np.full(200, 3.0), "here") is None


def test_one_class_alone_cannot_calibrate() -> None:
    with pytest.raises(TrainingError, match="both classes"):
        fit_platt(np.ones(3, bool), np.arange(3.0), "here")

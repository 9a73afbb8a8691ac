"""Metrics against hand-worked numbers and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from screening.errors import UsageError
from screening.metrics import Proportion, auroc, wilson


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(27, 109, 17.6, 33.6), (42, 47, 77.4, 95.4), (45, 55, 69.7, 89.8), (0, 10, 0.0, 27.8), (10, 10, 72.2, 100.0)],
)
def test_wilson_intervals_worked_by_hand(k: int, n: int, low: float, high: float):
    assert [round(100 * limit, 1) for limit in wilson(k, n)] == [low, high]


def test_wilson_solves_its_own_equation():
    """The limits are the proportions p at which (k/n - p)² = z² p (1 - p) / n."""
    for k, n in [(27, 109), (1, 3), (999, 1000)]:
        for p in wilson(k, n):
            assert (k / n - p) ** 2 == pytest.approx(1.959963984540054**2 * p * (1 - p) / n)


def test_a_proportion_prints_what_it_is_made_of():
    assert str(Proportion(27, 109)) == "24.8% (27/109; 95 % CI 17.6% to 33.6%)"
    assert Proportion(0, 0).share is None
    assert str(Proportion(0, 0)) == "0/0"
    with pytest.raises(UsageError, match="4 of 3"):
        Proportion(4, 3)


def test_auroc_by_hand():
    # of the 2 x 3 pairs, 4 are in order and one is a tie
    assert auroc(np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.4, 0.1, 0.4, 0.5])) == pytest.approx(4.5 / 6)


@pytest.mark.parametrize("levels", [5, 10_000])
def test_auroc_is_scikit_learns(levels: int):
    generator = np.random.default_rng(0)
    labels = generator.random(2000) < 0.1
    scores = generator.integers(0, levels, 2000) / levels + 0.2 * labels
    assert auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert auroc(labels, -scores) == pytest.approx(1 - auroc(labels, scores), abs=1e-12)
    assert auroc(labels[:, None], scores[:, None]) == auroc(labels, scores)


def test_auroc_of_what_has_none():
    with pytest.raises(UsageError, match="both are needed"):
        auroc(np.array([1, 1]), np.array([0.0, 1.0]))
    with pytest.raises(UsageError, match="not a number"):
        auroc(np.array([1, 0]), np.array([0.0, np.nan]))
    with pytest.raises(UsageError, match="3 labels for 2 scores"):
        auroc(np.array([1, 0, 1]), np.array([0.0, 1.0]))

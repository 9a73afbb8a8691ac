"""Metrics against hand-worked numbers, scikit-learn, scipy, and formulae written out pair by pair."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from screening.errors import UsageError
from screening.metrics import Proportion, auroc, clustered_bootstrap, clustered_bootstrap_paired, delong, delong_paired, wilson


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


def structural_components(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return V10 and V01 of DeLong 1988, pair by pair as the paper writes them."""
    kernel = np.array([[1.0 if x > y else 0.5 if x == y else 0.0 for y in scores[~positive]] for x in scores[positive]])
    return kernel.mean(axis=1), kernel.mean(axis=0)


def covariance(positive: np.ndarray, *scores: np.ndarray) -> np.ndarray:
    """Return DeLong's covariance matrix of the areas of several scores."""
    tens, ones = zip(*(structural_components(positive, each) for each in scores), strict=True)
    return np.atleast_2d(np.cov(tens)) / positive.sum() + np.atleast_2d(np.cov(ones)) / (~positive).sum()


def sample(seed: int, n: int = 200, levels: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels and two correlated scores with ties."""
    random = np.random.default_rng(seed)
    positive = random.random(n) < 0.3
    shared = random.normal(size=n) + positive
    return positive, np.round(shared * levels / 4), np.round((shared + random.normal(size=n) * 0.7) * levels / 4)


def test_delong_by_hand():
    # positives 3 and 5, negatives 1 and 4: V10 = (1/2, 1), V01 = (1, 1/2), so the variance is 0.125 / 2 + 0.125 / 2
    area = delong(np.array([1, 1, 0, 0]), np.array([3.0, 5.0, 1.0, 4.0]))
    assert area.auroc == 0.75
    assert area.low == pytest.approx(0.75 - 1.959964 * 0.125**0.5, abs=1e-6)
    assert area.high == 1.0
    assert delong(np.array([1, 0, 0]), np.array([3.0, 1.0, 2.0])).low is None, "one positive has no variance"


@pytest.mark.parametrize("seed", range(3))
def test_delong_is_the_formula_pair_by_pair(seed: int):
    positive, scores, _ = sample(seed)
    area = delong(positive, scores)
    spread = covariance(positive, scores)[0, 0] ** 0.5
    assert area.auroc == pytest.approx(roc_auc_score(positive, scores))
    assert (area.low, area.high) == pytest.approx((area.auroc - 1.959964 * spread, area.auroc + 1.959964 * spread), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_paired_delong_is_the_formula_pair_by_pair(seed: int):
    positive, first, second = sample(seed)
    compared = delong_paired(positive, first, second)
    matrix = covariance(positive, first, second)
    spread = (matrix[0, 0] + matrix[1, 1] - 2 * matrix[0, 1]) ** 0.5
    difference = roc_auc_score(positive, first) - roc_auc_score(positive, second)
    assert compared.difference == pytest.approx(difference)
    assert compared.p == pytest.approx(2 * norm.sf(abs(difference) / spread))
    assert compared.high == pytest.approx(difference + 1.959964 * spread, abs=1e-6)
    assert delong_paired(positive, first, first).p is None


def test_bootstrap_draws_whole_patients():
    positive, scores, _ = sample(0)
    alone = np.arange(positive.size)
    single = clustered_bootstrap(positive, scores, alone, 500)
    by_delong = delong(positive, scores)
    assert single.high - single.low == pytest.approx(by_delong.high - by_delong.low, rel=0.15)
    # the same radiographs ten times over are no more evidence, if they are of the same patients
    ten = clustered_bootstrap(np.tile(positive, 10), np.tile(scores, 10), np.tile(alone, 10), 500)
    assert (ten.auroc, ten.low, ten.high) == pytest.approx((single.auroc, single.low, single.high))
    naive = delong(np.tile(positive, 10), np.tile(scores, 10))
    assert naive.high - naive.low < 0.4 * (ten.high - ten.low)


def test_bootstrap_is_seeded_and_is_scikit_learns():
    positive, scores, _ = sample(1, n=60)
    clusters = np.arange(60) // 2
    one = clustered_bootstrap(positive, scores, clusters, 200, seed=3)
    assert one == clustered_bootstrap(positive, scores, clusters, 200, seed=3)
    assert one != clustered_bootstrap(positive, scores, clusters, 200, seed=4)
    random = np.random.default_rng(3)
    areas = []
    for _ in range(200):
        weights = np.bincount(random.integers(0, 30, 30), minlength=30)[clusters]
        areas.append(roc_auc_score(positive, scores, sample_weight=weights))
    assert (one.low, one.high) == pytest.approx(tuple(np.quantile(areas, [0.025, 0.975])))


def test_bootstrap_of_one_patient_has_no_interval():
    area = clustered_bootstrap(np.array([1, 0]), np.array([1.0, 0.0]), np.array(["a", "a"]), 50)
    assert (area.auroc, area.low, area.high) == (1.0, None, None)


def test_paired_bootstrap_draws_the_same_patients_for_both():
    positive, first, second = sample(2)
    clusters = np.arange(positive.size) // 2
    low, high = clustered_bootstrap_paired(positive, first, second, clusters, 200, seed=3)
    random = np.random.default_rng(3)
    differences = []
    for _ in range(200):
        weights = np.bincount(random.integers(0, 100, 100), minlength=100)[clusters]
        differences.append(np.subtract(*(roc_auc_score(positive, scores, sample_weight=weights) for scores in (first, second))))
    assert (low, high) == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])))
    assert clustered_bootstrap_paired(positive, first, first, clusters, 50) == (0, 0)
    assert clustered_bootstrap_paired(positive, first, second, np.zeros(positive.size), 50) == (None, None)

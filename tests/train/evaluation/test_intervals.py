"""Intervals against closed formulae, and what they say where there is nothing to draw from."""

import numpy as np
import pytest

from screening.metrics import wilson
from train.evaluation.intervals import Resampling, area, mean, statistic

HOW = Resampling(replicates=2000, seed=1)


def test_mean_of_patients_with_one_image_has_the_textbook_interval() -> None:
    values = np.random.default_rng(0).normal(3, 2, 400)
    found = mean(values, np.arange(400), HOW)
    half = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half), abs=0.04)
    assert (found.n, found.patients, found.k) == (400, 400, None)


def test_copies_of_an_image_are_no_more_evidence() -> None:
    values = np.random.default_rng(1).random(60) < 0.3
    once, five = mean(values, np.arange(60), HOW), mean(np.repeat(values, 5), np.repeat(np.arange(60), 5), HOW)
    assert (once.low, once.high) == (five.low, five.high)
    assert (once.k, five.k) == (values.sum(), 5 * values.sum())
    assert "k" in once.to_json()


def test_a_share_of_all_or_none_has_the_interval_of_its_patients() -> None:
    found = mean(np.ones(12, bool), np.arange(12) // 3, HOW)
    assert (found.value, found.low, found.high) == (1.0, *wilson(4, 4))
    assert mean(np.zeros(4, bool), np.arange(4), HOW).high == wilson(0, 4)[1]


def test_nothing_to_compute_from_is_none() -> None:
    nothing = mean(np.array([]), np.array([]), HOW)
    assert (nothing.value, nothing.low, nothing.n) == (None, None, 0)
    alone = mean(np.array([0.5, 0.7]), np.array(["a", "a"]), HOW)
    assert (alone.value, alone.low, alone.patients) == (pytest.approx(0.6), None, 1)
    assert statistic(lambda weights: None, np.arange(3), HOW).value is None


def test_statistic_of_a_mean_is_the_mean() -> None:
    values, patients = np.random.default_rng(2).random(50), np.arange(50) // 2
    found = statistic(lambda weights: float(weights @ values / weights.sum()), patients, HOW)
    expected = mean(values, patients, HOW)
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high))


def test_area_of_separated_classes_claims_no_certainty() -> None:
    labels = np.array([0, 0, 1, 1], bool)
    apart = area(labels, np.array([0.1, 0.2, 0.8, 0.9]), np.arange(4), HOW)
    assert (apart.value, apart.low, apart.high) == (1.0, None, None)
    assert area(labels[:2], np.array([0.1, 0.2]), np.arange(2), HOW).value is None
    mixed = area(np.tile(labels, 10), np.random.default_rng(0).random(40), np.arange(40), HOW)
    assert mixed.low < mixed.value < mixed.high

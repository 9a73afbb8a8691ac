"""The correction of a choice against a plain second implementation, and against a simulation whose truth is known."""

import dataclasses
from math import erf, sqrt
from pathlib import Path

import numpy as np
import pytest

from screening.analytics import thresholds
from screening.analytics.optimism import Curve, Units, choose_corrected, correct_choice, load_units
from screening.analytics.thresholds import Question, Target, choose
from screening.analytics.views import connect
from screening.metrics import wilson
from tests.screening.instance_rows import DIGEST, pneumonia_row, reference_of, write_instances


def units_at_random(random: np.random.Generator, n: int, shift: float = 1.5) -> Units:
    """Return n persons of whom half have the disease, with a normal score that is `shift` higher for them."""
    positive = np.arange(n) % 2 == 0
    return Units(random.normal(0, 1, n) + shift * positive, positive, ~positive, np.arange(n), per_day=float(n))


def choose_plainly(value: list[float], positive: list[bool], target: Target) -> tuple[float, float, float] | None:
    """Return threshold, sensitivity and specificity of the choice, by trying every threshold in turn."""
    distinct, best = sorted(set(value)), None
    for number, score in enumerate(distinct):
        threshold = (score + distinct[number - 1]) / 2 if number else (score / 2 if score > 0 else score)
        called = [each >= threshold for each in value]
        sensitivity = sum(c and p for c, p in zip(called, positive, strict=True)) / sum(positive)
        specificity = sum(not c and not p for c, p in zip(called, positive, strict=True)) / (len(positive) - sum(positive))
        if sensitivity >= (target.sensitivity or 0) - 1e-12 and specificity >= (target.specificity or 0) - 1e-12:
            figures = (specificity, sensitivity) if target.sensitivity is not None else (sensitivity, specificity)
            if best is None or (*figures, threshold) > best[0]:
                best = ((*figures, threshold), (threshold, sensitivity, specificity))
    return best and best[1]


@pytest.mark.parametrize("target", [Target(sensitivity=0.9), Target(specificity=0.7), Target(sensitivity=0.8, specificity=0.6)])
def test_the_same_as_a_plain_implementation(target: Target):
    """The same draws of persons, each choice by loops over all thresholds."""
    units, replicates = units_at_random(np.random.default_rng(3), 40), 60
    value, positive = [round(float(x), 1) for x in units.value], [bool(x) for x in units.positive]  # rounded: some are equal
    units = dataclasses.replace(units, value=np.array(value))
    found = correct_choice(units, target, replicates, seed=8)
    random, optimisms = np.random.default_rng(8), []
    for _ in range(replicates):
        drawn = random.integers(0, 40, 40)
        chosen = choose_plainly([value[i] for i in drawn], [positive[i] for i in drawn], target)
        if chosen is not None:
            called = [each >= chosen[0] for each in value]
            given = (
                sum(c and p for c, p in zip(called, positive, strict=True)) / 20,
                sum(not c and not p for c, p in zip(called, positive, strict=True)) / 20,
            )
            optimisms.append((chosen[1] - given[0], chosen[2] - given[1]))
    apparent = choose_plainly(value, positive, target)
    assert (found["threshold"], found["sensitivity"], found["specificity"]) == pytest.approx(apparent)
    assert found["replicates"] == len(optimisms)
    means = np.mean(optimisms, axis=0)
    assert (found["sensitivity_optimism"], found["specificity_optimism"]) == pytest.approx(tuple(means))
    assert found["sensitivity_corrected"] == pytest.approx(apparent[1] - means[0])
    low, high = wilson(round(apparent[1] * 20), 20)
    limits = (found["sensitivity_corrected_low"], found["sensitivity_corrected_high"])
    assert limits == pytest.approx((max(0, low - means[0]), min(1, high - means[0])))


def test_a_known_optimism_is_found():
    """Of normal scores the truth at a threshold is known, and so is how much a choice on 60 persons flatters, as the mean of 80 studies."""
    random, target = np.random.default_rng(1), Target(sensitivity=0.9)
    apparent, corrected, true = [], [], []
    for study in range(80):
        found = correct_choice(units_at_random(random, 60), target, replicates=60, seed=study)
        apparent.append(found["sensitivity"])
        corrected.append(found["sensitivity_corrected"])
        true.append(0.5 * (1 - erf((found["threshold"] - 1.5) / sqrt(2))))
    flattered = np.mean(apparent) - np.mean(true)
    assert flattered > 0.02
    assert abs(np.mean(corrected) - np.mean(true)) < flattered / 2


def test_draws_are_of_persons():
    """Where each person is there twenty times, the optimism is that of the persons and not that of twenty times as many."""
    units = units_at_random(np.random.default_rng(5), 40)
    many = Units(*(np.repeat(column, 20) for column in (units.value, units.positive, units.negative, units.person)), per_day=1.0)
    one, other = (correct_choice(each, Target(sensitivity=0.9), 50) for each in (units, many))
    assert one["sensitivity_optimism"] == pytest.approx(other["sensitivity_optimism"])
    alone = correct_choice(dataclasses.replace(many, person=np.arange(800)), Target(sensitivity=0.9), 50)
    assert abs(alone["sensitivity_optimism"]) < abs(one["sensitivity_optimism"]) / 2


def test_the_choice_is_that_of_the_view(tmp_path: Path):
    random = np.random.default_rng(2)
    scores = np.clip(random.normal(0.4, 0.2, 60) + 0.2 * (np.arange(60) < 20), 0.01, 0.99).round(2)
    rows = [pneumonia_row(number, covid=score >= 0.5, covid_score=float(score)) for number, score in enumerate(scores)]
    write_instances(str(tmp_path), rows)
    connection = connect(str(tmp_path), reference_of(*((n, "positive" if n < 20 else "negative", 0) for n in range(50))))
    question = Question(screened_per_day=1000.0)
    units = load_units(connection, DIGEST, question)
    table = thresholds.table(connection)
    assert (units.value.size, units.positive.sum(), units.negative.sum(), units.per_day) == (60, 20, 30, 1000.0)
    for target in (Target(sensitivity=0.9), Target(specificity=0.8), Target(capacity=400.0), Target(0.6, 0.6, 700.0)):
        row, found = choose(table, target), Curve(units).choose(np.ones(60), target)
        assert (found.threshold, found.sensitivity, found.specificity) == pytest.approx(
            (row["threshold"], row["sensitivity"], row["specificity"]), abs=1e-6
        )
    row, found = choose_corrected(units, Target(sensitivity=0.8), table, replicates=60)
    assert found["sensitivity_corrected"] >= 0.8
    assert row["threshold"] <= choose(table, Target(sensitivity=0.8))["threshold"]
    assert choose_corrected(units, Target(sensitivity=1.0, specificity=0.99), table, replicates=60) is None


def test_without_a_choice_there_is_nothing_to_correct():
    units = units_at_random(np.random.default_rng(1), 20)
    assert correct_choice(units, Target(sensitivity=1.0, specificity=1.0)) is None
    nobody = dataclasses.replace(units, value=np.full(20, np.nan))
    assert correct_choice(nobody, Target(sensitivity=0.5)) is None
    rare = correct_choice(units_at_random(np.random.default_rng(0), 12, shift=0.5), Target(sensitivity=0.6, specificity=0.6), 100)
    assert rare is None or rare["replicates"] <= 100

"""The probe's classifier against scikit-learn, and what it says of features that hold the source and of those that do not."""

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tests.train.evaluation.made_scores import scores
from train.evaluation.intervals import Resampling
from train.evaluation.probe import fit_logistic, source_probes, told_apart

HOW = Resampling(replicates=100)


def test_the_classifier_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 3, 40)
    features = rng.normal(size=(40, 120)) + 0.5 * np.eye(3)[group] @ rng.normal(size=(3, 120))
    expected = LogisticRegression(C=1.0, class_weight="balanced", tol=1e-10, max_iter=5000).fit(features, group)
    new = rng.normal(size=(30, 120))
    found = np.c_[new, np.ones(30)] @ fit_logistic(features, group, 3)
    theirs = expected.decision_function(new)
    np.testing.assert_allclose(found - found.mean(1, keepdims=True), theirs - theirs.mean(1, keepdims=True), atol=1e-3)


def test_a_source_in_the_features_is_found_and_noise_is_not() -> None:
    rng = np.random.default_rng(1)
    patients = np.arange(80) // 2
    groups = np.where(patients % 4 == 0, "b", "a")
    noise = rng.normal(size=(80, 50))
    told = told_apart(noise + 3 * (groups == "b")[:, None] * rng.normal(size=50), groups, patients, HOW)
    assert told["value"] > 0.95
    blind = told_apart(noise, groups, patients, HOW)
    assert blind["low"] < 0.5 < blind["high"] or abs(blind["value"] - 0.5) < 0.15
    assert (told["n"], told["patients"]) == (80, 40)


def test_no_patient_is_learnt_and_tested() -> None:
    """Features that name the patient, and a source drawn for each patient: only who has met the patient could know it."""
    rng = np.random.default_rng(2)
    patients = np.arange(120) // 4
    groups = rng.choice(["a", "b"], 30)[patients]
    found = told_apart(10 * rng.normal(size=(30, 200))[patients], groups, patients, HOW)
    assert 0.2 < found["value"] < 0.8


def test_labels_of_one_source_are_not_probed() -> None:
    found = scores()
    found = dataclasses.replace(found, source=np.where(found.label == "covid", "here", found.source))
    probes = {probe["label"]: probe for probe in source_probes(found, np.random.default_rng(0).normal(size=(90, 8)), HOW)}
    assert probes["covid"]["balanced_accuracy"] is None
    assert set(probes["normal"]["sources"]) == {"here", "there"}
    assert probes["normal"]["chance"] == 0.5
    assert probes["normal"]["balanced_accuracy"]["n"] == sum(probes["normal"]["sources"].values())
    assert probes["normal"]["balanced_accuracy"]["value"] == pytest.approx(0.5, abs=0.35)

"""What the probe says of features that hold the source, by hand, and of those that do not."""

import dataclasses

import numpy as np
import pytest

from tests.train.evaluation.made_scores import scores
from train.evaluation.intervals import Resampling
from train.evaluation.probe import source_probes, told_apart

HOW = Resampling(replicates=100)


def test_a_sign_that_is_commoner_in_one_source_by_hand() -> None:
    """36 of 180 radiographs of one source have a letter, and 10 of 20 of another: 80 % and 50 % are told by it, where both weigh the same.

    In tiny steps far from 0: unless features are standardised, the penalty leaves nothing of the weight.
    """
    letter = np.concatenate([np.arange(180) % 5 == 0, np.arange(20) % 2 == 0])
    groups = np.repeat(["common", "rare"], [180, 20])
    told = told_apart(1e3 + 1e-4 * letter[:, None], groups, np.arange(200), HOW)
    assert told["value"] == pytest.approx((0.8 + 0.5) / 2)
    assert told["low"] < 0.65 < told["high"]


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

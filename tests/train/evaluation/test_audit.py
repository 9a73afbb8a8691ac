"""The shortcut audit of made-up answers: what the lungs erased leave, and how much of a heatmap lies in the lungs."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.train.evaluation.made_scores import scores
from train.evaluation.audit import audit, erased_figures
from train.evaluation.intervals import Resampling
from train.evaluation.scores import Traces

HOW = Resampling(replicates=40)


def test_the_difference_is_that_of_the_same_images() -> None:
    shown, erased = scores(strength=4), scores(strength=0, seed=0)
    figures = erased_figures(shown, erased, "covid", HOW)
    infected = shown.label != "normal"
    truth = shown.label[infected] == "covid"
    areas = [roc_auc_score(truth, answer.value("covid")[infected]) for answer in (shown, erased)]
    assert [figures[name]["value"] for name in ("lungs_only", "lungs_erased")] == pytest.approx(areas)
    assert figures["difference"]["difference"] == pytest.approx(areas[0] - areas[1])
    assert figures["difference"]["bootstrap_low"] > 0


def test_every_part_is_there_and_energy_is_of_the_images_that_have_it() -> None:
    shown = scores()
    energy, area = np.full(90, 0.75), np.full(90, 0.25)
    energy[:30] = np.nan  # no heatmap
    traces = Traces(features=np.random.default_rng(0).normal(size=(90, 4)), pneumonia_energy=energy, covid_energy=energy, lung_area=area)
    found = audit("no bundle is opened", None, "test", shown, dataclasses.replace(shown), traces, HOW, with_randomisation=False)
    assert found.keys() == {"lungs_erased", "source_probe", "energy", "randomisation"}
    assert found["randomisation"] is None
    for stage in ("pneumonia", "covid"):
        assert found["lungs_erased"][stage]["difference"]["difference"] == 0
        parts = found["energy"][stage]
        assert [parts[name]["value"] for name in ("share", "area", "difference")] == pytest.approx([0.75, 0.25, 0.5])
        assert parts["share"]["n"] == 60

"""Calibration and operating points of a tuning split, from made-up scores; whole exports are shown in test_fit."""

import numpy as np
import polars as pl
import pytest

from screening.errors import TrainingError
from tests.train.evaluation.made_scores import scores
from train.config import preset
from train.data.manifest import Manifest
from train.evaluation.figures import stage_figures
from train.evaluation.intervals import Resampling
from train.release.export import tuned

MANIFEST = Manifest("labels.csv", "0123456789abcdef", pl.DataFrame())
HOW = Resampling(replicates=20)


@pytest.mark.parametrize("rule", ["youden", "sensitivity>=0.90"])
def test_points_are_chosen_on_probabilities(rule: str) -> None:
    found = tuned(scores(n=300), MANIFEST, preset("small", pneumonia_rule=rule, covid_rule=rule))
    assert set(found.bundle.calibration) == {"pneumonia", "covid"}
    for stage, point in found.bundle.operating_points.items():
        figures = stage_figures(found, stage, HOW)
        assert (figures["sensitivity"]["value"], figures["specificity"]["value"]) == (point.sensitivity, point.specificity)
        assert point.rule == rule
        assert point.data.startswith("split val of the manifest 0123456789ab, ")
        np.testing.assert_array_equal(found.judged(stage).positive, found.judged(stage).probability >= point.threshold)


def test_calibration_makes_probabilities_and_keeps_the_order() -> None:
    before = scores(n=400, strength=3)
    after = tuned(before, MANIFEST, preset("small"))
    for stage in ("pneumonia", "covid"):
        assert after.summary()[f"{stage}_auroc"] == pytest.approx(before.summary()[f"{stage}_auroc"])
        judged = after.in_stage(stage) & after.lungs_found
        positive = np.isin(after.label[judged], ["covid"] if stage == "covid" else ["covid", "pneumonia"])
        assert after.value(stage)[judged].mean() == pytest.approx(positive.mean(), abs=0.01)


def test_a_stage_that_ranks_nothing_stays_uncalibrated() -> None:
    found = tuned(scores(n=300, strength=-2), MANIFEST, preset("small"))
    assert found.bundle.calibration == {}
    assert set(found.bundle.operating_points) == {"pneumonia", "covid"}


def test_a_stage_without_a_class_has_no_point() -> None:
    found = scores()
    with pytest.raises(TrainingError, match="both classes"):
        tuned(found.take(found.label != "covid"), MANIFEST, preset("small"))

"""The gate judged by hand-made comparisons."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from tests.train.evaluation.made_scores import bundle, scores
from train.evaluation.comparison import compared
from train.evaluation.intervals import Resampling
from train.release.promotion import Verdict, kept_stages

HOW = Resampling(replicates=200)


def comparison(pneumonia: tuple[float, float], dice: tuple[float, float] | None = None) -> dict[str, Any]:
    """A comparison with these limits; there is no COVID-19 in the old set."""
    low, high = dice or (None, None)
    middle = None if dice is None else sum(dice) / 2
    areas = {"difference": sum(pneumonia) / 2, "bootstrap_low": pneumonia[0], "bootstrap_high": pneumonia[1]}
    return {"dice": {"value": middle, "low": low, "high": high}, "auroc": {"pneumonia": areas, "covid": None}}


@pytest.mark.parametrize(
    ("limits", "kept"), [((-0.01, 0.03), True), ((-0.02, 0.0), True), ((-0.021, 0.3), False), ((-0.3, -0.2), False), ((0.01, 0.02), True)]
)
def test_kept_where_the_whole_interval_is_above_minus_the_margin(limits: tuple[float, float], kept: bool) -> None:
    [stage] = kept_stages(comparison(limits), 0.02)
    assert (stage.stage, stage.figure, stage.kept) == ("pneumonia", "AUROC", kept)


def test_lungs_are_judged_where_there_are_masks() -> None:
    lungs, pneumonia = kept_stages(comparison((0.0, 0.0), (-0.05, -0.03)), 0.02)
    assert (lungs.stage, lungs.figure, lungs.kept, pneumonia.kept) == ("lungs", "Dice", False, True)
    verdict = Verdict({}, {}, "0", "test", 10, 0.02, (lungs, pneumonia))
    assert not verdict.promoted
    assert verdict.loss() == "Dice of stage lungs -0.040 (95 % CI -0.050 to -0.030)"
    assert verdict.to_json()["promoted"] is False


def test_too_few_patients_for_an_interval_is_no_proof() -> None:
    [stage] = kept_stages(
        comparison((0.0, 0.0))
        | {"auroc": {"pneumonia": None, "covid": {"difference": 0.1, "bootstrap_low": None, "bootstrap_high": None}}},
        0.02,
    )
    assert (stage.stage, stage.kept) == ("covid", False)
    assert "too few patients" in Verdict({}, {}, "0", "test", 10, 0.02, (stage,)).loss()


def test_a_bundle_keeps_what_it_is_and_noise_does_not() -> None:
    baseline = scores(n=200, strength=4, bundle=bundle(name="baseline"))
    noise = np.random.default_rng(0).normal(0, 6, 200).astype(np.float32)
    forgetful = dataclasses.replace(baseline, covid_logit=noise)
    assert all(stage.kept for stage in kept_stages(compared(baseline, baseline, "baseline", HOW), 0.0))
    judged = {stage.stage: stage for stage in kept_stages(compared(forgetful, baseline, "baseline", HOW), 0.02)}
    assert (judged["lungs"].kept, judged["pneumonia"].kept, judged["covid"].kept) == (True, True, False)
    assert judged["covid"].high < -0.02

"""Figures of a split against scikit-learn and counts by hand."""

import json

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, confusion_matrix, roc_auc_score

from schemas.bundle import Calibration
from screening.statistics.logistic import calibration_error_by_chance
from tests.train.evaluation.made_scores import bundle, scores
from train.data.manifest import GROUPS
from train.evaluation.figures import calls_of, expected_calibration_error, split_figures, stage_figures, three_class
from train.evaluation.intervals import Resampling

HOW = Resampling(replicates=50)


def test_every_figure_is_plain_json() -> None:
    figures = split_figures(scores(), HOW)
    assert json.loads(json.dumps(figures, allow_nan=False))["images"] == 90
    assert (figures["patients"], sum(figures["labels"].values())) == (45, 90)
    assert figures["dice"]["mean"]["n"] == 30
    assert figures["dice"]["least"] <= figures["dice"]["q05"] <= figures["dice"]["median"] <= figures["dice"]["q95"]


def test_stage_figures_agree_with_scikit_learn() -> None:
    found = scores()
    infected = found.label != "normal"
    figures = stage_figures(found, "pneumonia", HOW)
    assert figures["auroc"]["value"] == pytest.approx(roc_auc_score(infected, found.value("pneumonia")))
    called = found.value("pneumonia") >= 0.5
    assert figures["sensitivity"]["value"] == pytest.approx(called[infected].mean())
    assert figures["specificity"]["value"] == pytest.approx((~called)[~infected].mean())
    assert figures["sensitivity"]["low"] < figures["sensitivity"]["value"] < figures["sensitivity"]["high"]
    judged = found.lungs_found
    brier = figures["calibration"]["before"]["brier"]["value"]
    assert brier == pytest.approx(brier_score_loss(infected[judged], found.value("pneumonia")[judged]), abs=1e-6)
    assert figures["calibration"]["after"] is None
    chance = calibration_error_by_chance(found.value("pneumonia")[judged])
    assert tuple(figures["calibration"]["before"]["ece_by_chance"].values()) == pytest.approx(chance)
    assert sum(row["n"] for row in figures["calibration"]["before"]["bins"]) == judged.sum()


def test_the_cascade_is_positive_in_both_stages() -> None:
    found = scores()
    figures = stage_figures(found, "cascade", HOW)
    covid = found.label == "covid"
    called = (found.value("pneumonia") >= 0.5) & (found.value("covid") >= 0.5)
    assert (figures["positives"], figures["sensitivity"]["k"]) == (covid.sum(), called[covid].sum())


def test_three_classes_agree_with_scikit_learn() -> None:
    found = scores()
    for rule in ("operating_points", "most_probable"):
        figures, calls = three_class(found, rule, HOW), calls_of(found, rule)
        assert figures["accuracy"]["value"] == pytest.approx(accuracy_score(found.label, calls))
        expected = confusion_matrix(found.label, calls, labels=[*GROUPS, "not judged"])[:3]
        assert list(figures["confusion"].values()) == expected.tolist()
        assert expected[:, 3].sum() == (~found.lungs_found).sum()


def test_calls_by_hand() -> None:
    logits = {"pneumonia_logit": np.array([-1, 1, 1, 0.1], np.float32), "covid_logit": np.array([2, -1, 1, 0.1], np.float32)}
    found = scores().take(np.arange(4))
    found = type(found)(**(vars(found) | logits | {"lungs_found": np.array([1, 1, 1, 0], bool)}))
    assert calls_of(found, "operating_points").tolist() == ["normal", "pneumonia", "covid", "not judged"]
    # 1 - p2 = 0.27, p2 p3 = 0.73 * 0.73 = 0.53
    assert calls_of(found, "most_probable").tolist() == ["normal", "pneumonia", "covid", "not judged"]


def test_expected_calibration_error_by_hand() -> None:
    labels, values = np.array([0, 1, 1, 1]), np.array([0.11, 0.19, 0.95, 1.0])
    # bins: 0.15 mean against 0.5 observed (n = 2), 0.975 against 1 (n = 2)
    assert expected_calibration_error(labels, values, np.ones(4)) == pytest.approx(0.5 * 0.35 + 0.5 * 0.025)
    assert expected_calibration_error(labels, values, np.array([0, 0, 1, 3])) == pytest.approx(0.05 / 4)


def test_calibration_changes_the_brier_score_and_not_the_area() -> None:
    calibrated = scores(bundle=bundle(calibration={"pneumonia": Calibration(slope=2.0, intercept=0.3, data="made")}))
    before, after = stage_figures(scores(), "pneumonia", HOW), stage_figures(calibrated, "pneumonia", HOW)
    assert after["auroc"]["value"] == pytest.approx(before["auroc"]["value"])
    assert after["calibration"]["before"] == before["calibration"]["before"]
    assert after["calibration"]["after"]["brier"]["value"] != before["calibration"]["before"]["brier"]["value"]


def test_subgroups_add_up_and_small_ones_are_flagged() -> None:
    figures = split_figures(scores(), HOW)
    for column in ("source", "view"):
        assert sum(row["images"] for row in figures["by"][column]) == 90
    view = {row["value"]: row for row in figures["by"]["view"]}
    assert list(view) == ["unknown", "PA"]
    assert view["PA"]["small"]
    assert not view["unknown"]["small"]


def test_an_image_with_a_mask_and_no_label_counts_for_its_dice_alone() -> None:
    found, rest = scores(), scores().take(np.arange(30, 90))
    nameless = type(found)(**(vars(found) | {"label": np.where(np.arange(90) < 30, "", found.label)}))
    figures, expected = split_figures(nameless, HOW), split_figures(rest, HOW)
    assert (figures["dice"]["mean"]["n"], figures["images"]) == (30, 90)
    for name in ("stages", "three_class"):
        assert figures[name] == expected[name]

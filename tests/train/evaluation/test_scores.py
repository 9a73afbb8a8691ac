import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from schemas.bundle import Calibration
from tests.train.evaluation.made_scores import bundle, scores


def test_summary_agrees_with_scikit_learn() -> None:
    found = scores()
    figures = found.summary()
    expected = np.where(found.lungs_found, 1 / (1 + np.exp(-found.pneumonia_logit)), 0)
    assert figures["pneumonia_auroc"] == pytest.approx(roc_auc_score(found.label != "normal", expected))
    infected = found.label != "normal"
    expected = np.where(found.lungs_found, 1 / (1 + np.exp(-found.covid_logit)), 0)[infected]
    assert figures["covid_auroc"] == pytest.approx(roc_auc_score(found.label[infected] == "covid", expected))
    assert figures["lungs_dice"] == pytest.approx(np.nanmean(found.dice))
    assert (figures["images"], figures["lungs_dice_images"]) == (90, 30)
    assert figures["lungs_not_found"] == (~found.lungs_found).sum()
    assert figures["covid_positive"] + figures["covid_negative"] == infected.sum()


def test_what_cannot_be_computed_is_null() -> None:
    found = scores().take(np.array([0, 1]))
    figures = (found.take(found.label == found.label[0])).summary()
    assert figures["pneumonia_auroc"] is None
    assert figures["covid_auroc"] is None
    assert scores(dice=np.full(90, np.nan)).summary()["lungs_dice"] is None


def test_values_are_probabilities_where_the_bundle_is_calibrated() -> None:
    calibrated = bundle(calibration={"covid": Calibration(slope=2.0, intercept=-1.0, data="made")})
    plain, found = scores(), scores(bundle=calibrated)
    expected = 1 / (1 + np.exp(-(2 * found.covid_logit.astype(float) - 1)))
    np.testing.assert_allclose(found.value("covid"), np.where(found.lungs_found, expected, 0), rtol=1e-6)
    np.testing.assert_array_equal(found.value("pneumonia"), plain.value("pneumonia"))
    np.testing.assert_array_equal(found.judged("covid").positive, found.value("covid") >= 0.5)
    assert not found.judged("covid").positive[~found.lungs_found].any()

"""Scores, probabilities and calls of logits."""

import numpy as np
import pytest

from schemas.bundle import BundleManifest, Calibration, OperatingPoint, SitePoints
from screening.cascade.result import judgement_by_site, judgement_of


def test_scores_of_extreme_logits():
    logit = np.array([-200, -30, 0, 30, 200, np.nan], np.float32)
    judged = judgement_of(logit, 0.5, None)
    np.testing.assert_allclose(judged.score, [0, 9.3576e-14, 0.5, 1, 1, np.nan], rtol=1e-4)
    assert judged.positive.tolist() == [False, False, True, True, True, False]
    assert judged.score.dtype == judged.probability.dtype == np.float32
    everything = judgement_of(logit, 0.0, None)
    assert everything.positive.tolist() == [True] * 5 + [False]


def test_calls_are_made_on_probabilities_where_the_bundle_calibrates() -> None:
    logit = np.array([-1.0, 0.0, 1.0, np.nan], np.float32)
    judged = judgement_of(logit, 0.5, Calibration(slope=2, intercept=1, data="here"))
    assert judged.score == pytest.approx(1 / (1 + np.exp(-logit)), nan_ok=True)
    assert judged.probability == pytest.approx(1 / (1 + np.exp(-(2 * logit + 1))), nan_ok=True)
    assert judged.positive.tolist() == [False, True, True, False]


def test_a_score_at_the_threshold_is_positive_as_it_is_stored() -> None:
    logit = np.array([0.1, 0.3], np.float32)
    stored = judgement_of(logit, 0.5, None).score
    for i in range(2):
        assert judgement_of(logit, float(stored[i]), None).positive[i]
        assert not judgement_of(logit, float(np.nextafter(stored[i], np.float32(1))), None).positive[i]


def test_each_image_is_judged_by_what_its_site_has_of_its_own() -> None:
    low, high = (OperatingPoint(threshold=threshold, rule="r", data="d") for threshold in (0.5, 0.9))
    line = Calibration(slope=2, intercept=1, data="South")
    sites = {
        "North": SitePoints(operating_points={"covid": high}),
        "South": SitePoints(operating_points={"covid": high}, calibration={"covid": line}),
    }
    bundle = BundleManifest(name="a", networks={}, operating_points={"covid": low, "pneumonia": low}, sites=sites)
    logit = np.array([1.0, 1.0, 1.0, 1.0, np.nan], np.float32)
    named = ["North", "South", "East", None, "South"]
    judged = judgement_by_site(logit, "covid", bundle, named)
    assert judged.positive.tolist() == [False, True, True, True, False]  # sigmoid(1) is 0.73, sigmoid(2 + 1) is 0.95
    assert judged.probability == pytest.approx([np.nan, 1 / (1 + np.exp(-3)), np.nan, np.nan, np.nan], nan_ok=True)
    assert judgement_by_site(logit, "covid", bundle, ()).positive.tolist() == [True] * 4 + [False]
    assert judgement_by_site(logit, "pneumonia", bundle, named).positive.tolist() == [True] * 4 + [False]

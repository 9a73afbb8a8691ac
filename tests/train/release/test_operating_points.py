import numpy as np
import pytest
from sklearn.metrics import roc_curve

from screening.errors import TrainingError, UsageError
from train.release.operating_points import check_rule, choose_operating_point


def chosen(labels: list[int], scores: list[float], rule: str):
    return choose_operating_point(np.array(labels), np.array(scores), rule, "here")


def test_youden_takes_the_widest_gap_between_separated_classes() -> None:
    point = chosen([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], "youden")
    assert point.threshold == pytest.approx(0.5)
    assert (point.sensitivity, point.specificity) == (1, 1)
    assert (point.rule, point.data) == ("youden", "here")


def test_youden_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels = rng.random(300) < 0.4
    scores = np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1)
    false_positive, true_positive, _ = roc_curve(labels, scores)
    point = choose_operating_point(labels, scores, "youden", "here")
    assert point.sensitivity + point.specificity - 1 == pytest.approx((true_positive - false_positive).max())


def test_highest_threshold_that_keeps_the_sensitivity() -> None:
    # of ten positives nine may be kept by 0.15 at the highest, midway between 0.1 and 0.2
    point = chosen([1] * 10 + [0], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 0.05], "sensitivity>=0.90")
    assert point.threshold == pytest.approx(0.15)
    assert (point.sensitivity, point.specificity) == (0.9, 1.0)
    assert chosen([1] * 10 + [0], [i / 10 for i in range(1, 11)] + [0.05], "sensitivity>=1").sensitivity == 1


def test_the_stored_figures_are_those_of_the_stored_threshold() -> None:
    rng = np.random.default_rng(1)
    labels, scores = rng.random(200) < 0.3, rng.random(200)
    for rule in ("youden", "sensitivity>=0.8"):
        point = choose_operating_point(labels, scores, rule, "here")
        assert (scores[labels] >= point.threshold).mean() == point.sensitivity
        assert (scores[~labels] < point.threshold).mean() == point.specificity


@pytest.mark.parametrize("rule", ["", "best", "sensitivity>=0", "sensitivity>=90", "sensitivity>=1.5", "specificity>=0.9"])
def test_unknown_rules_are_refused(rule: str) -> None:
    with pytest.raises(UsageError, match="unknown rule"):
        check_rule(rule)


def test_one_class_alone_has_no_operating_point() -> None:
    with pytest.raises(TrainingError, match="both classes"):
        chosen([1, 1], [0.2, 0.8], "youden")

"""Two sets of answers for the same images."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from screening.errors import UsageError
from tests.train.evaluation.made_scores import bundle, scores
from train.evaluation.comparison import aligned, compared
from train.evaluation.intervals import Resampling

HOW = Resampling(replicates=100)


def test_images_are_paired_by_name() -> None:
    first, second = scores(), scores(seed=1)
    shuffled = second.take(np.random.default_rng(0).permutation(90)[:70])
    one, two = aligned(first, shuffled)
    assert one.image_id.tolist() == two.image_id.tolist()
    assert one.image_id.size == 70
    with pytest.raises(UsageError, match="no image in common"):
        aligned(first, dataclasses.replace(second, image_id=np.array([f"x{i}" for i in range(90)])))


def test_differences_are_those_of_the_figures() -> None:
    first, second = scores(strength=3), scores(strength=3, bundle=bundle(name="other"))
    second = dataclasses.replace(
        second, pneumonia_logit=(second.pneumonia_logit + np.random.default_rng(5).normal(0, 2, 90)).astype(np.float32)
    )
    found = compared(first, second, "other", HOW)
    areas = found["auroc"]["pneumonia"]
    expected = [roc_auc_score(each.label != "normal", each.value("pneumonia")) for each in (first, second)]
    assert (areas["first"], areas["second"]) == pytest.approx(tuple(expected))
    assert areas["bootstrap_low"] < areas["difference"] < areas["bootstrap_high"]
    assert found["auroc"]["covid"]["difference"] == 0
    assert found["second_digest"] == second.bundle.digest()
    assert found["accuracy"]["difference"]["value"] == pytest.approx(found["accuracy"]["first"] - found["accuracy"]["second"])
    assert (found["dice"]["value"], found["dice"]["n"]) == (0, 30)


def test_a_question_without_both_classes_is_not_compared() -> None:
    first = scores()
    first = first.take(first.label != "covid")
    found = compared(first, first, "itself", HOW)
    assert found["auroc"]["covid"] is None
    assert found["auroc"]["pneumonia"]["difference"] == 0

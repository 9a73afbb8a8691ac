"""What sets the stages apart in training."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from train.stages import STAGES, dice


def test_dice_of_hand_worked_masks() -> None:
    truth = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]], bool)
    predicted = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]], bool)
    assert dice(truth, predicted).tolist() == [0.5, 1.0, 0.0]


def test_groups_and_targets_of_the_stages() -> None:
    assert STAGES["lungs"].group_of("covid", True) == "masked"
    assert STAGES["lungs"].group_of("covid", False) is None
    assert STAGES["covid"].group_of("normal", True) is None
    assert STAGES["pneumonia"].group_of("normal", False) == "normal"


def test_the_figure_of_the_lungs_is_the_mean_dice() -> None:
    truth = np.zeros((2, 1, 2, 2))
    truth[0, 0, 0] = 1
    logits = np.where(truth > 0, 3.0, -3.0)
    logits[1, 0, 0, 0] = 0.0  # at the threshold: called lung where there is none
    assert STAGES["lungs"].performance(truth, logits) == pytest.approx((1 + 0) / 2)


@pytest.mark.parametrize("stage", ["pneumonia", "covid"])
def test_the_figure_of_the_others_is_the_area(stage: str) -> None:
    random = np.random.default_rng(0)
    targets, logits = (random.random((50, 1)) < 0.4).astype(float), random.normal(size=(50, 1))
    assert STAGES[stage].performance(targets, logits) == pytest.approx(roc_auc_score(targets.ravel(), logits.ravel()))
    assert STAGES[stage].performance(np.ones((3, 1)), logits[:3]) is None

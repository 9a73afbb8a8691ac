import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from train.evaluation import Scores
from train.stages import STAGES, dice


def test_dice_of_hand_worked_masks() -> None:
    truth = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]], bool)
    found = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]], bool)
    assert dice(truth, found).tolist() == [0.5, 1.0, 0.0]


def test_groups_and_targets_of_the_stages() -> None:
    assert STAGES["lungs"].group_of("covid", True) == "masked"
    assert STAGES["lungs"].group_of("covid", False) is None
    assert STAGES["covid"].group_of("normal", True) is None
    assert STAGES["pneumonia"].group_of("normal", False) == "normal"


def test_summary_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    label = rng.choice(["normal", "pneumonia", "covid"], 90)
    pneumonia, covid = rng.random(90), rng.random(90)
    found = Scores(label, rng.random(90) < 0.9, pneumonia, covid, np.where(np.arange(90) < 60, np.nan, 0.9)).summary()
    assert found["pneumonia_auroc"] == pytest.approx(roc_auc_score(label != "normal", pneumonia))
    infected = label != "normal"
    assert found["covid_auroc"] == pytest.approx(roc_auc_score(label[infected] == "covid", covid[infected]))
    assert found["lungs_dice"] == pytest.approx(0.9)
    assert (found["images"], found["lungs_dice_images"]) == (90, 30)
    assert found["covid_positive"] + found["covid_negative"] == infected.sum()


def test_what_cannot_be_computed_is_null() -> None:
    found = Scores(np.array(["normal"]), np.array([True]), np.array([0.1]), np.array([0.1]), np.array([np.nan])).summary()
    assert found["pneumonia_auroc"] is None
    assert found["covid_auroc"] is None
    assert found["lungs_dice"] is None

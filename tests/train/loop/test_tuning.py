"""What a stage is judged by after an epoch, from the shares of two workers, by hand."""

import numpy as np
import pytest
import torch

from train.config import preset
from train.loop.job import Job
from train.loop.objective import Objective
from train.loop.tuning import Judged, figures
from train.losses import cross_entropy
from train.stages import STAGES

PNEUMONIA = STAGES["pneumonia"]


@pytest.fixture(scope="module")
def plain() -> Objective:
    return Objective(Job("pneumonia", preset("small"), 1, dict.fromkeys(PNEUMONIA.groups, 8)), torch.device("cpu"))


def judged(objective: Objective, groups: list[str], logits: list[float]) -> Judged:
    part = Judged()
    target = torch.tensor([[float(group in PNEUMONIA.positive)] for group in groups])
    part.see(objective, np.array(groups), torch.tensor(logits)[:, None], target)
    return part


def test_groups_weigh_the_same_however_rare_and_whoever_saw_them(plain: Objective) -> None:
    first = judged(plain, ["normal", "normal", "normal", "covid"], [-1.0, -2.0, 0.5, 1.0])
    second = judged(plain, ["pneumonia", "covid"], [2.0, -1.0])
    line = figures([first, second], plain)

    def loss(logit: float, target: float) -> float:
        return cross_entropy(torch.tensor([[logit]]), torch.tensor([[target]])).item()

    by_group = [(loss(-1.0, 0.0) + loss(-2.0, 0.0) + loss(0.5, 0.0)) / 3, loss(2.0, 1.0), (loss(1.0, 1.0) + loss(-1.0, 1.0)) / 2]
    assert line["tuning_loss"] == pytest.approx(sum(by_group) / 3)
    assert line["tuning_auroc"] == pytest.approx(7.5 / 9)  # of 9 pairs 7 are in order and one is a tie
    assert "tuning_distillation" not in line


def test_the_shares_of_workers_are_one_split(plain: Objective) -> None:
    groups, logits = ["normal", "pneumonia", "covid", "normal"], [0.3, 1.2, -0.7, -1.1]
    whole = figures([judged(plain, groups, logits)], plain)
    parts = [judged(plain, groups[:1], logits[:1]), judged(plain, groups[1:], logits[1:])]
    assert figures(parts, plain) == pytest.approx(whole)


def test_one_class_alone_has_no_area(plain: Objective) -> None:
    assert figures([judged(plain, ["covid", "pneumonia"], [1.0, 2.0])], plain)["tuning_auroc"] is None

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy

from train.losses import cross_entropy, dice_loss, distillation_loss, incremental_loss, segmentation_loss


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def test_dice_of_a_hand_worked_image() -> None:
    # scores 0.75 and 0.25 against 1 and 0: overlap 0.75, sums 1 and 1, one pixel above and below
    answer = torch.tensor([[[[logit(0.75), logit(0.25)]]]])
    target = torch.tensor([[[[1.0, 0.0]]]])
    assert dice_loss(answer, target).item() == pytest.approx(1 - (2 * 0.75 + 1) / (1 + 1 + 1))


def test_an_empty_mask_met_by_an_empty_answer_costs_nothing() -> None:
    assert dice_loss(torch.full((1, 1, 4, 4), -50.0), torch.zeros(1, 1, 4, 4)).item() == pytest.approx(0, abs=1e-6)


def test_cross_entropy_is_one_value_an_image() -> None:
    answer = torch.tensor([[logit(0.8)], [logit(0.8)]])
    target = torch.tensor([[1.0], [0.0]])
    assert cross_entropy(answer, target).tolist() == pytest.approx([-math.log(0.8), -math.log(0.2)])


def test_segmentation_adds_both() -> None:
    torch.manual_seed(0)
    answer, target = torch.randn(3, 1, 8, 8), (torch.rand(3, 1, 8, 8) > 0.5).float()
    independent = binary_cross_entropy(answer.sigmoid(), target, reduction="none").mean(dim=(1, 2, 3))
    assert torch.allclose(segmentation_loss(answer, target), dice_loss(answer, target) + independent)


def test_distillation_is_least_where_both_models_agree() -> None:
    earlier = torch.tensor([[logit(0.9)], [logit(0.3)]])
    agreed = distillation_loss(earlier, earlier)
    assert agreed.tolist() == pytest.approx([-p * math.log(p) - (1 - p) * math.log(1 - p) for p in (0.9, 0.3)])
    assert (distillation_loss(earlier + 0.1, earlier) > agreed).all()
    assert (distillation_loss(earlier - 0.1, earlier) > agreed).all()


def test_equation_2_weighs_the_old_data_with_lambda() -> None:
    new, target = torch.tensor([[logit(0.8)]]), torch.tensor([[1.0]])
    old, earlier = torch.tensor([[logit(0.6)]]), torch.tensor([[logit(0.5)]])
    distilled = -0.5 * math.log(0.6) - 0.5 * math.log(0.4)
    assert incremental_loss(new, target, old, earlier, 2.0).item() == pytest.approx(-math.log(0.8) + 2 * distilled)


def test_lambda_zero_is_plain_training_even_without_old_data() -> None:
    new, target, none = torch.tensor([[0.3], [-1.0]]), torch.tensor([[1.0], [0.0]]), torch.zeros(0, 1)
    assert incremental_loss(new, target, none, none, 0.0).item() == pytest.approx(cross_entropy(new, target).mean().item())


def test_the_earlier_model_gets_no_gradient() -> None:
    old, earlier = torch.zeros(1, 1, requires_grad=True), torch.ones(1, 1, requires_grad=True)
    distillation_loss(old, earlier).sum().backward()
    assert old.grad is not None
    assert earlier.grad is None

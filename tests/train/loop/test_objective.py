import math
from collections.abc import Iterator

import pytest
import ray
import torch
from torch import nn

from screening.bundle.networks import NetworkSpec
from tests.screening.networks import small_densenet
from train.config import preset
from train.frozen import FrozenStages
from train.loop.job import Distillation, Job
from train.loop.objective import Objective, autocast
from train.losses import cross_entropy, distillation_loss

pytestmark = pytest.mark.usefixtures("ray_cluster")

CPU = torch.device("cpu")
GROUPS = ("normal", "pneumonia", "covid")
SPEC = NetworkSpec("densenet", 64, {"growth_rate": 8, "block_config": [2, 3, 2, 2], "num_init_features": 16})


def objective(weight: float | None, sources: tuple[str, ...] = ("normal", "pneumonia")) -> Objective:
    earlier = FrozenStages(SPEC, small_densenet(seed=3).state_dict())
    distillation = None if weight is None else Distillation(ray.put(earlier), weight, sources)
    return Objective(Job("pneumonia", preset("small"), 1, dict.fromkeys(GROUPS, 8), distillation), CPU)


@pytest.fixture(scope="module")
def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Inputs, logits and targets of two images a group, and two more of each old group."""
    random = torch.Generator().manual_seed(0)
    x = torch.rand(10, 1, 64, 64, generator=random)
    return x, torch.randn(10, 1, generator=random), torch.tensor([0.0, 0, 1, 1, 1, 1, 0, 0, 1, 1])[:, None]


def earlier_logit(x: torch.Tensor) -> torch.Tensor:
    network = small_densenet(seed=3).to(memory_format=torch.channels_last)
    with torch.no_grad(), autocast(CPU):
        return network(x).float()


def test_old_data_are_the_old_groups_of_the_batch(batch: tuple) -> None:
    x, logit, target = (part[:6] for part in batch)
    plain = cross_entropy(logit, target).mean()
    assert objective(None)(x, logit, target).item() == plain.item()
    distilled = distillation_loss(logit[:4], earlier_logit(x[:4])).mean()
    assert objective(0.5)(x, logit, target).item() == pytest.approx((plain + 0.5 * distilled).item(), rel=1e-3)


def test_without_an_earlier_model_no_image_of_a_batch_is_old_however_many_sources_share_it() -> None:
    assert objective(None).is_old(25).tolist() == [False] * 25


def test_old_data_of_their_own_stand_behind_the_new(batch: tuple) -> None:
    x, logit, target = batch
    both = objective(2.0, ("old normal", "old pneumonia"))
    assert both.sources == (*GROUPS, "old normal", "old pneumonia")
    distilled = distillation_loss(logit[6:], earlier_logit(x[6:])).mean()
    assert both(x, logit, target).item() == pytest.approx((cross_entropy(logit[:6], target[:6]).mean() + 2 * distilled).item(), rel=1e-3)
    assert both.total(1.0, 0.25) == 1.5
    assert both.total(1.0, None) == 1.0


def steps(judge: Objective, seed: int = 0) -> Iterator[torch.Tensor]:
    """Three steps of a new network with random pictures: its weights after each."""
    torch.manual_seed(seed)
    network = small_densenet(seed=1).train().requires_grad_(True)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    for _ in range(3):
        x = torch.rand(6, 1, 64, 64)
        with autocast(CPU):
            logit = network(x)
        optimizer.zero_grad()
        judge(x, logit.float(), torch.tensor([0.0, 0, 1, 1, 1, 1])[:, None]).backward()
        optimizer.step()
        yield nn.utils.parameters_to_vector(network.parameters()).detach()


def test_a_weight_that_vanishes_changes_no_bit_of_the_training() -> None:
    """The earlier model draws no random number and leaves no trace in the new one, only its term does."""
    plain, vanishing, held = (list(steps(objective(weight))) for weight in (None, 1e-30, 1.0))
    assert all(torch.equal(a, b) for a, b in zip(plain, vanishing, strict=True))
    assert not torch.equal(plain[-1], held[-1])


def test_the_earlier_model_stays_as_it_is(batch: tuple) -> None:
    x, _, target = (part[:6] for part in batch)
    judge = objective(1.0)
    before = judge.distilled(x, earlier_logit(x))
    logit = torch.zeros(6, 1, requires_grad=True)
    judge(x, logit, target).backward()
    assert judge.distilled(x, earlier_logit(x)) == before
    entropy = [-p * math.log(p) - (1 - p) * math.log(1 - p) for p in earlier_logit(x).sigmoid().flatten().tolist()]
    assert before == pytest.approx(entropy, rel=1e-3)

"""What a pupil learns: a teacher's features, by its own network and a map that is left behind."""

import numpy as np
import pytest
import ray
import torch

from tests.screening.networks import small_densenet
from tests.train.teachers import FourFeatures, write_teacher
from train.config import preset
from train.loop.job import Job
from train.loop.teaching import Pupil, Teaching, network_of
from train.loop.tuning import Judged, figures
from train.teacher import as_photographs, read_teacher

pytestmark = pytest.mark.usefixtures("ray_cluster")

GROUPS = ("normal", "pneumonia", "covid")


@pytest.fixture(scope="module")
def teaching(tmp_path_factory: pytest.TempPathFactory) -> Teaching:
    teacher = read_teacher(str(write_teacher(tmp_path_factory.mktemp("teacher") / "teacher.pt2")))
    return Teaching(Job("pneumonia", preset("small"), 1, dict.fromkeys(GROUPS, 8), teacher=ray.put(teacher)), torch.device("cpu"))


def test_the_loss_is_the_mean_squared_difference_whatever_the_label(teaching: Teaching) -> None:
    x, answer = torch.randn(6, 1, 64, 64), torch.randn(6, 4)
    with torch.no_grad():
        features = FourFeatures()(as_photographs(x, preset("small").preprocessing))
    expected = ((answer - features) ** 2).mean(1)
    for label in (0.0, 1.0):
        assert teaching(x, answer, torch.full((6, 1), label)).item() == pytest.approx(expected.mean().item())
    assert teaching.by_image(answer, teaching.target(x, torch.zeros(6, 1))) == pytest.approx(expected.tolist())
    assert teaching.sources == GROUPS
    assert not teaching.is_old(6).any()


def test_a_pupil_comes_nearer_and_leaves_its_last_layer_as_it_was(teaching: Teaching) -> None:
    torch.manual_seed(0)
    pupil = Pupil(small_densenet(seed=1), teaching.width).train()
    before = pupil.network.head.weight.clone()
    trained = [parameter for parameter in pupil.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, 1e-2)
    x = torch.randn(8, 1, 64, 64)
    losses = []
    for _ in range(8):
        loss = teaching(x, pupil(x), torch.zeros(8, 1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert torch.equal(pupil.network.head.weight, before)
    own = network_of(pupil.state_dict())
    assert own.keys() == small_densenet(seed=1).state_dict().keys()


def test_judged_by_the_share_of_variance_explained(teaching: Teaching) -> None:
    x = torch.randn(6, 1, 64, 64)
    features = teaching.target(x, torch.zeros(6, 1))
    part = Judged()
    part.see(teaching, np.array(GROUPS * 2), features + 0.1, features)
    line = figures([part], teaching)
    assert line["tuning_loss"] == pytest.approx(0.01, rel=1e-3)
    spread = (features - features.mean(0)).square().sum().item()
    assert line["tuning_explained"] == pytest.approx(1 - 6 * 4 * 0.01 / spread, rel=1e-3)
    assert teaching.performance(np.ones((3, 4)), np.ones((3, 4))) is None

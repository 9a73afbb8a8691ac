"""Exported networks: those that can teach, and those that are refused with what they lack."""

import hashlib
import re
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from schemas.bundle import Preprocessing
from screening.cascade.network_input import compose
from screening.errors import TrainingError
from tests.train.teachers import FourFeatures, write_exported, write_teacher
from train.teacher import as_photographs, read_teacher

DOCUMENT = Path(__file__).parents[2] / "docs/training.md"


class Maps(nn.Module):
    """Gives feature maps where features are asked for."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.relu()


class Nothing(nn.Module):
    """Gives what is not a number."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x.sum((2, 3)) * 0) / 0


def test_the_network_of_the_file_for_any_number_of_images_of_any_size(tmp_path: Path) -> None:
    path = write_teacher(tmp_path / "teacher.pt2")
    teacher = read_teacher(str(path), license="Apache-2.0")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert teacher.provenance == {"file": "teacher.pt2", "sha256": digest, "license": "Apache-2.0"}
    assert teacher.width == 4
    x = torch.rand(5, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(teacher.features()(x), FourFeatures()(x))


@pytest.mark.parametrize(
    ("network", "dynamic", "message"),
    [
        (FourFeatures(), False, r"does not take images \(2, 3, 64, 64\)"),
        (Maps(), True, r"gives \(2, 3, 64, 64\)"),
        (Nothing(), True, "finite or not"),
    ],
)
def test_a_network_that_cannot_teach_is_refused(network: nn.Module, dynamic: bool, message: str, tmp_path: Path) -> None:
    path = write_exported(tmp_path / "other.pt2", network, dynamic=dynamic)
    with pytest.raises(TrainingError, match=message) as refused:
        read_teacher(str(path))
    assert str(path) in str(refused.value)


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"gone\.pt2 is missing: --teacher names a file"):
        read_teacher(str(tmp_path / "gone.pt2"))
    (tmp_path / "letter.pt2").write_text("Dear colleague")
    with pytest.raises(TrainingError, match=r"letter\.pt2 is no file of torch\.export"):
        read_teacher(str(tmp_path / "letter.pt2"))


def test_the_program_of_the_documentation_writes_a_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(torchvision.models.efficientnet_b0().state_dict(), "efficientnet_b0.pth")
    [program] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    exec(compile(program, "docs/training.md", "exec"), {})
    assert read_teacher("teacher.pt2").width == 1280


@pytest.mark.parametrize("preprocessing", [Preprocessing(), Preprocessing(gamma=0.6)])
def test_a_teacher_sees_the_lungs_on_grey(preprocessing: Preprocessing) -> None:
    image, weight = torch.rand(2, 1, 8, 8), torch.zeros(2, 1, 8, 8)
    weight[..., :4] = 1
    seen = as_photographs(compose(image, weight, preprocessing), preprocessing)
    assert seen.shape == (2, 3, 8, 8)
    assert (seen[..., 4:] == 0).all()
    torch.testing.assert_close(seen[:, 1:2, :, :4], 2 * image[..., :4] ** preprocessing.gamma - 1, rtol=1e-3, atol=1e-3)

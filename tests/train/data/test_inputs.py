import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from schemas.bundle import Preprocessing
from screening.bundle.networks import NetworkSpec
from screening.cascade.cascade import Cascade
from screening.cascade.network_input import compose, network_input
from tests.screening.networks import small_densenet, small_unet
from tests.train.radiographs import decoded, write_radiographs
from train.config import FitConfig, preset
from train.data.images import masks_of, pixels_of
from train.data.inputs import make_layers, unpack
from train.frozen import FrozenStages, save_provisional, taken_over

SIZE = 64


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    return decoded(write_radiographs(tmp_path_factory.mktemp("set"), ["train", "val"], without_mask=1))


@pytest.fixture(scope="module")
def config() -> FitConfig:
    # every pixel may be lung: these networks are not trained
    return dataclasses.replace(preset("small"), preprocessing=Preprocessing(max_lung_area_fraction=1, min_lung_area_fraction=0))


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory, config: FitConfig) -> str:
    """The bundle of two frozen stages; the third is a placeholder."""
    densenet = {"growth_rate": 8, "block_config": [2, 3, 2, 2], "num_init_features": 16}
    frozen = {
        "lungs": FrozenStages(NetworkSpec("unet", SIZE, {"base_channels": 4, "depth": 3}), small_unet().state_dict()),
        "pneumonia": FrozenStages(NetworkSpec("densenet", SIZE, densenet), small_densenet().state_dict()),
    }
    return save_provisional(str(tmp_path_factory.mktemp("frozen") / "bundle"), frozen, config)


def test_stage_1_learns_masks_from_images_that_have_one(rows: dict[str, np.ndarray], config: FitConfig) -> None:
    layers = make_layers(rows, stage="lungs", input_size=SIZE, preprocessing=config.preprocessing, earlier=None, strata={})
    arrays = unpack(layers, SIZE)
    assert layers["group"] == ["masked"] * 5
    assert arrays["image"].shape == arrays["target"].shape == (5, SIZE, SIZE)
    assert "weight" not in arrays
    share = masks_of(rows)[[0, 2, 3, 4, 5]].mean(axis=(1, 2, 3))
    assert arrays["target"].mean(axis=(1, 2)) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("tone", [{}, {"gamma": 0.6}, {"gamma": 0.6, "lung_brightness": 0.6}])
@pytest.mark.parametrize(("stage", "used", "targets"), [("pneumonia", 6, [0, 1, 1, 0, 1, 1]), ("covid", 4, [0, 1, 0, 1])])
def test_training_sees_the_pixels_that_the_cascade_sees(
    rows: dict[str, np.ndarray], config: FitConfig, earlier: str, stage: str, used: int, targets: list[int], tone: dict[str, float]
) -> None:
    preprocessing = config.preprocessing.model_copy(update=tone)
    layers = make_layers(rows, stage=stage, input_size=SIZE, preprocessing=preprocessing, earlier=(earlier, False), strata={})
    arrays = unpack(layers, SIZE)
    assert arrays["target"].tolist() == targets
    image, weight = (torch.from_numpy(arrays[name]).float()[:, None] for name in ("image", "weight"))
    wanted = [label in ("pneumonia", "covid") or stage == "pneumonia" for label in rows["label"]]
    pixels = torch.from_numpy(pixels_of(rows)[wanted])
    assert len(pixels) == used
    found = Cascade.from_bundle(earlier, device="cpu")(pixels, guided=False)
    heatmap = torch.from_numpy(found.pneumonia_heatmap) if stage == "covid" else None
    seen = network_input(pixels, preprocessing, SIZE, torch.from_numpy(found.lung_mask), heatmap)
    assert torch.allclose(compose(image, weight, preprocessing), seen, atol=4e-3)  # float16 keeps three digits
    assert seen.abs().max() > 0.5


def test_images_without_lungs_are_left_out(rows: dict[str, np.ndarray], config: FitConfig, tmp_path: Path) -> None:
    network = small_unet()
    network.head.bias.data.fill_(-1000.0)  # sees no lung anywhere
    frozen = {"lungs": FrozenStages(NetworkSpec("unet", SIZE, {"base_channels": 4, "depth": 3}), network.state_dict())}
    strict = dataclasses.replace(config, preprocessing=Preprocessing())
    url = save_provisional(str(tmp_path / "bundle"), frozen, strict)
    layers = make_layers(rows, stage="pneumonia", input_size=SIZE, preprocessing=strict.preprocessing, earlier=(url, False), strata={})
    assert layers["group"] == [""] * 6


def test_a_frozen_stage_survives_its_bundle(earlier: str) -> None:
    from screening.bundle.networks import load

    again = taken_over(load(earlier))
    assert again["lungs"].digest() == taken_over(load(earlier))["lungs"].digest() != again["pneumonia"].digest()
    x = torch.randn(1, 1, SIZE, SIZE)
    with torch.no_grad():
        assert torch.allclose(again["pneumonia"].module()(x), small_densenet()(x), atol=1e-5)

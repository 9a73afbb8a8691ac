"""Networks whose answers mean nothing, of the sizes that are asked for."""

from pathlib import Path

import numpy as np
import torch

from screening.benchmark.random_bundle import FULL, SMALL, random_bundle, save_random_bundle
from screening.bundle.networks import load
from screening.cascade.cascade import Cascade
from tests.archives import phantom_pixels


def test_full_size_is_that_of_the_paper():
    networks = random_bundle(FULL).manifest.networks
    assert {stage: (network.architecture, network.input_size) for stage, network in networks.items()} == {
        "lungs": ("unet", 256),
        "pneumonia": ("densenet", 512),
        "covid": ("densenet", 512),
    }


def test_the_one_in_memory_is_the_one_that_is_saved(tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 255, (2, 1, 512, 512), np.uint8)
    save_random_bundle(str(tmp_path), pixels, seed=3)
    saved, held = load(str(tmp_path)), random_bundle(SMALL, seed=3)
    assert saved.manifest.networks.keys() == held.networks.keys()
    for stage, module in held.networks.items():
        for name, tensor in module.state_dict().items():
            assert torch.equal(saved.networks[stage].state_dict()[name], tensor), (stage, name)


def test_it_finds_lungs_everywhere_and_tells_images_apart_by_more_than_rounding(tmp_path: Path) -> None:
    pixels = phantom_pixels(16)
    save_random_bundle(str(tmp_path), pixels)
    exact, rounded = (
        Cascade.from_bundle(str(tmp_path), device="cpu", dtype=dtype)(pixels, guided=False) for dtype in ("float32", "bfloat16")
    )
    assert (exact.lung_area_fraction == 1).all()
    assert exact.pneumonia_positive.sum() == len(pixels) / 2
    assert exact.pneumonia_logit.std() > 4 * np.abs(exact.pneumonia_logit - rounded.pneumonia_logit).max()

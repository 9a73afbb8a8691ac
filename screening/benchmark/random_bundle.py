"""Bundles whose answers mean nothing: for benchmarks and for tests of what stands around the networks."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from schemas.bundle import BundleManifest, Network, OperatingPoint, Preprocessing
from screening.bundle.networks import Bundle, NetworkSpec, save_bundle
from screening.cascade.cascade import Cascade
from screening.models.build import build

_SMALL_DENSENET = {"growth_rate": 4, "block_config": [1, 1, 1, 1], "num_init_features": 8}
SMALL = {
    "lungs": NetworkSpec("unet", 64, {"base_channels": 4, "depth": 2}),
    "pneumonia": NetworkSpec("densenet", 64, _SMALL_DENSENET),
    "covid": NetworkSpec("densenet", 64, _SMALL_DENSENET),
}
FULL = {"lungs": NetworkSpec("unet", 256), "pneumonia": NetworkSpec("densenet", 512), "covid": NetworkSpec("densenet", 512)}


def random_bundle(specs: Mapping[str, NetworkSpec] = SMALL, *, seed: int = 0) -> Bundle:
    """Return networks with random weights, `SMALL` or `FULL`. The bundle has no files and no valid hashes."""
    networks = {
        stage: Network(
            architecture=spec.architecture,
            input_size=spec.input_size,
            arguments=dict(spec.arguments),
            file=f"{stage}.safetensors",
            sha256="0" * 64,
        )
        for stage, spec in specs.items()
    }
    manifest = BundleManifest(name=f"random-{seed}", networks=networks, operating_points=_points(0.5, 0.5))
    return Bundle(manifest, _networks(specs, seed))


def save_random_bundle(folder: str, pixels: np.ndarray, *, seed: int = 0, specs: Mapping[str, NetworkSpec] = SMALL) -> BundleManifest:
    """Write a bundle with random weights that finds lungs everywhere and calls about half of `pixels` positive in stages 2 and 3.

    Args:
        folder: path or URL.
        pixels: (B, 1, 512, 512) uint8 images.
        seed: of the weights.
        specs: the networks, `SMALL` or `FULL`.
    """
    facts = {
        "name": f"random-{seed}",
        "modules": _networks(specs, seed),
        "networks": specs,
        "preprocessing": Preprocessing(min_lung_area_fraction=0.0, max_lung_area_fraction=1.0),
    }
    save_bundle(folder, operating_points=_points(0.0, 0.0), **facts)
    answer = Cascade.from_bundle(folder, device="cpu", dtype="float32")(pixels, guided=False)
    medians = _points(float(np.median(answer.pneumonia_score)), float(np.median(answer.covid_score)))
    return save_bundle(folder, operating_points=medians, **facts)


def _networks(specs: Mapping[str, NetworkSpec], seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    modules = {stage: build(spec).eval().requires_grad_(False) for stage, spec in specs.items()}
    for module in modules.values():
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d):  # each layer widens what sets the images apart, or rounding to bf16 would hide it
                nn.init.normal_(layer.weight, mean=1.5, std=0.5)
                nn.init.normal_(layer.bias, mean=0.0, std=0.3)
    nn.init.constant_(modules["lungs"].head.weight, 0.0)
    nn.init.constant_(modules["lungs"].head.bias, 1.0)
    return modules


def _points(pneumonia: float, covid: float) -> dict[str, OperatingPoint]:
    thresholds = {"pneumonia": pneumonia, "covid": covid}
    return {stage: OperatingPoint(threshold=threshold, rule="median", data="given images") for stage, threshold in thresholds.items()}

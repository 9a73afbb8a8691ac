"""A bundle of three small networks, with the untidy weights that training leaves, and what a careless tool may do to it."""

import functools
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from schemas.bundle import BundleManifest, OperatingPoint
from screening.bundle.networks import NetworkSpec, save_bundle
from screening.models.build import build
from tests.screening.networks import untidy

DENSENET = {"growth_rate": 4, "block_config": [1, 1, 1, 1], "num_init_features": 8}
SPECS = {
    "lungs": NetworkSpec("unet", 64, {"base_channels": 4, "depth": 2}),
    "pneumonia": NetworkSpec("densenet", 64, DENSENET),
    "covid": NetworkSpec("densenet", 96, DENSENET),
}
POINT = OperatingPoint(threshold=0.25, rule="sensitivity >= 0.9", data="tuning split", sensitivity=0.91, specificity=0.8)


@functools.cache
def small_modules() -> dict[str, nn.Module]:
    """Return the networks of the three stages; they are shared, so change a copy."""
    torch.manual_seed(0)
    return {stage: untidy(build(spec)) for stage, spec in SPECS.items()}


def save_small_bundle(url: str | Path, **changed: Any) -> BundleManifest:
    """Write the bundle and return its manifest; `changed` are arguments of `save_bundle` that a test cares for."""
    facts = {"name": "test", "modules": small_modules(), "networks": SPECS, "operating_points": {"pneumonia": POINT, "covid": POINT}}
    return save_bundle(str(url), **(facts | changed))


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change bundle.json in place."""
    manifest = json.loads((folder / "bundle.json").read_text())
    change(manifest)
    (folder / "bundle.json").write_text(json.dumps(manifest))


def replace_weights(folder: Path, stage: str, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change tensors and make the manifest agree with the file, as a careless tool would."""
    file = folder / f"{stage}.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)
    edit_manifest(folder, lambda manifest: manifest["networks"][stage].update(sha256=hashlib.sha256(file.read_bytes()).hexdigest()))

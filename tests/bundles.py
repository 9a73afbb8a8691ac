"""Small bundles for tests of what stands around the networks: random weights, thresholds that split images about in half."""

import numpy as np

from schemas.bundle import BundleManifest, OperatingPoint, Preprocessing
from screening.bundle import NetworkSpec, save_bundle

SPECS = {
    "lungs": NetworkSpec("unet", 64, {"base_channels": 4, "depth": 2}),
    "pneumonia": NetworkSpec("densenet", 64, {"growth_rate": 4, "block_config": [1, 1, 1, 1], "num_init_features": 8}),
    "covid": NetworkSpec("densenet", 64, {"growth_rate": 4, "block_config": [1, 1, 1, 1], "num_init_features": 8}),
}


def random_bundle(
    folder: str, pixels: np.ndarray | None = None, *, seed: int = 0, specs: dict[str, NetworkSpec] | None = None
) -> BundleManifest:
    """Write a bundle whose answers mean nothing and depend on the image all the same.

    Args:
        folder: path or URL.
        pixels: (B, 1, 512, 512) uint8 images; the thresholds become the medians of their scores. None leaves 0.5.
        seed: of the weights.
        specs: other networks than the tiny ones.
    """
    import torch

    from screening.cascade import Cascade
    from screening.models import build

    torch.manual_seed(seed)
    specs = specs or SPECS
    modules = {}
    for stage, spec in specs.items():
        modules[stage] = build(spec).eval()
        for parameter in modules[stage].parameters():
            if parameter.ndim == 1:
                torch.nn.init.normal_(parameter, mean=0.5, std=0.5)
    facts = {
        "name": f"random-{seed}",
        "modules": modules,
        "networks": specs,
        "preprocessing": Preprocessing(min_lung_area_fraction=0.0, max_lung_area_fraction=1.0),
    }
    manifest = save_bundle(folder, operating_points=_points(0.0, 0.0), **facts)
    if pixels is None:
        return save_bundle(folder, operating_points=_points(0.5, 0.5), **facts)
    answer = Cascade.from_bundle(folder, device="cpu", dtype="float32")(pixels, guided=False)
    medians = _points(float(np.nanmedian(answer.pneumonia_score)), float(np.nanmedian(answer.covid_score)))
    manifest = save_bundle(folder, operating_points=medians, **facts)
    return manifest


def _points(pneumonia: float, covid: float) -> dict[str, OperatingPoint]:
    thresholds = {"pneumonia": pneumonia, "covid": covid}
    return {
        stage: OperatingPoint(threshold=threshold, rule="median of the test images", data="test images")
        for stage, threshold in thresholds.items()
    }

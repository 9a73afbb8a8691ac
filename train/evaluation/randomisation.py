"""The parameter-randomisation test of Adebayo et al. (2018): does a heatmap change when the network forgets what it has learnt?

A heatmap that looks the same with random weights shows edges of the image, not what the network goes by. Weights are randomised from the
top: first the head, then the last dense block too. Guided Grad-CAM is compared by magnitude.
"""

import copy
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from ray.data.expressions import col

from schemas.bundle import BundleManifest
from schemas.progress import OnProgress, counter, unwatched
from screening.bundle.networks import load_networks
from screening.cascade.guided import GuidedBackpropagation, guided_grad_cam
from screening.cascade.heatmap import class_activation_map, grad_cam, scale_to_peak, scale_to_range
from screening.cascade.network_input import network_input
from screening.models.build import build
from screening.models.densenet import DenseNet
from train.data.images import ImageCache, pixels_of
from train.data.inputs import cascade_at, on_cascade_workers
from train.evaluation.intervals import Resampling, mean
from train.evaluation.scores import Scores, collected, energy_inside

METHODS = {"cam": "stage 2, class activation map", "grad_cam": "stage 3, Grad-CAM", "guided_grad_cam": "stage 3, Guided Grad-CAM"}
LEVELS = {"head": "head", "head_and_last_block": "head and last dense block"}
SEEDS = (1, 2, 3)  # of the random weights; figures are means over them
IMAGES = 12  # a backward pass each, seven times, is most of an evaluation's time on a CPU
_PER_TASK = 6  # a task builds the random networks anew, and tells of its images when it ends
WINDOW = 7  # pixels a side of SSIM's uniform window (Wang et al. 2004)
_C1, _C2 = 0.01**2, 0.03**2  # SSIM's constants for values in [0, 1]


def randomised(
    bundle_url: str,
    images: ImageCache,
    split: str,
    scores: Scores,
    how: Resampling,
    *,
    use_gpu: bool = False,
    on_progress: OnProgress = unwatched,
) -> dict[str, Any]:
    """Return for each method and level the mean rank correlation and SSIM of heatmaps before and after, and Guided Grad-CAM's energy.

    Over at most IMAGES of the split with pneumonia of any kind and lungs found, drawn with the seed of `how`.
    """
    chosen = np.flatnonzero(scores.lungs_found & np.isin(scores.label, ["pneumonia", "covid"]))
    chosen = np.sort(np.random.default_rng(how.seed).permutation(chosen)[:IMAGES])
    if not chosen.size:
        return {"images": 0, "methods": {}, "guided_energy": None}
    rows = images.dataset([split]).filter(expr=col("image_id").is_in(scores.image_id[chosen].tolist()))
    options = {"bundle_url": bundle_url, "use_gpu": use_gpu}
    compared = rows.map_batches(randomised_rows, fn_kwargs=options, **on_cascade_workers(1, use_gpu) | {"batch_size": _PER_TASK})
    found = collected(compared, counter(on_progress, "audit with random weights", chosen.size))
    patients = found["patient_id"]

    def estimate(column: str) -> dict[str, Any]:
        known = ~np.isnan(found[column])
        return mean(found[column][known], patients[known], how).to_json()

    figures = {
        method: {level: {figure: estimate(f"{method}.{level}.{figure}") for figure in ("rank_correlation", "ssim")} for level in LEVELS}
        for method in METHODS
    }
    return {"images": int(patients.size), "methods": figures, "guided_energy": estimate("guided_energy"), "area": estimate("lung_area")}


def randomised_rows(rows: dict[str, np.ndarray], *, bundle_url: str, use_gpu: bool) -> dict[str, np.ndarray]:
    """Return for decoded rows the similarity of each method's heatmaps before and after each level, NaN where either is constant."""
    cascade = cascade_at(bundle_url, use_gpu)
    pixels = pixels_of(rows)
    result = cascade(pixels, audit=np.ones(len(pixels), bool), guided=False)
    masks = torch.from_numpy(result.lung_mask)
    held, h2 = torch.from_numpy(pixels), torch.from_numpy(result.pneumonia_heatmap)
    inputs = {
        stage: network_input(held, cascade.manifest.preprocessing, cascade.manifest.networks[stage].input_size, masks, weight)
        for stage, weight in (("pneumonia", None), ("covid", h2))
    }
    columns: dict[str, Any] = {"patient_id": rows["patient_id"].astype(str), "lung_area": result.lung_area_fraction.astype(float)}
    trained = _networks(bundle_url)
    before = _maps(trained, inputs, cascade.device)
    side = result.lung_mask.shape[-1]
    guided = F.interpolate(before["guided_grad_cam"][:, None], size=(side, side), mode="area")[:, 0]
    columns["guided_energy"] = energy_inside(guided.numpy(), result.lung_mask)
    for level in LEVELS:
        similar = [
            _similarity(before, _maps(networks, inputs, cascade.device)) for networks in _randomised(cascade.manifest, trained, level)
        ]
        for method, figure in similar[0]:
            columns[f"{method}.{level}.{figure}"] = _mean_of_known([each[method, figure] for each in similar])
    return columns


def _mean_of_known(values: list[np.ndarray]) -> np.ndarray:
    """Return the mean of several (B,) over those that are not NaN; NaN where all are."""
    known = ~np.isnan(values)
    return np.where(known, values, 0).sum(0) / np.where(known.any(0), known.sum(0), np.nan)


@lru_cache(maxsize=1)
def _networks(bundle_url: str) -> dict[str, DenseNet]:
    """Return stages 2 and 3 as they were trained, float32: those of the cascade are rewritten for inference."""
    networks = load_networks(bundle_url)
    return {stage: networks[stage] for stage in ("pneumonia", "covid")}


def _randomised(manifest: BundleManifest, trained: dict[str, DenseNet], level: str) -> Iterator[dict[str, DenseNet]]:
    """Yield both networks with random weights down to a level, once a seed."""
    for seed in SEEDS:
        torch.manual_seed(seed)
        yield {stage: forgetful(network, build(manifest.networks[stage]), level) for stage, network in trained.items()}


def forgetful(network: DenseNet, fresh: DenseNet, level: str) -> DenseNet:
    """Return a copy of a network whose parameters down to a level of LEVELS are those of `fresh`. Running statistics are kept."""
    forgotten = ["head."]
    if level == "head_and_last_block":
        forgotten += network.last_block
    copied, source = copy.deepcopy(network), dict(fresh.named_parameters())
    with torch.no_grad():
        for name, parameter in copied.named_parameters():
            if name.startswith(tuple(forgotten)):
                parameter.copy_(source[name])
    return copied


def _maps(networks: dict[str, DenseNet], inputs: dict[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    """Return each method's heatmaps (B, h, w) float32 in [0, 1]; image by image, because a backward pass keeps every map."""
    second, third = (networks[stage].to(device) for stage in ("pneumonia", "covid"))
    guide = GuidedBackpropagation(third).to(device)
    found: dict[str, list[torch.Tensor]] = {method: [] for method in METHODS}
    for i in range(len(inputs["covid"])):
        x2, x3 = (inputs[stage][i : i + 1].to(device) for stage in ("pneumonia", "covid"))
        with torch.no_grad():
            found["cam"].append(scale_to_range(class_activation_map(second.features_of(x2), second.head.weight)))
            cam = grad_cam(third.features_of(x3), third.head.weight)
        found["grad_cam"].append(scale_to_peak(cam))
        found["guided_grad_cam"].append(scale_to_peak(guided_grad_cam(guide, x3, scale_to_peak(cam))[:, 0].abs()))
    return {method: torch.cat(maps).cpu() for method, maps in found.items()}


def _similarity(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> dict[tuple[str, str], np.ndarray]:
    found = {}
    for method in METHODS:
        pairs = list(zip(before[method].double(), after[method].double(), strict=True))
        found[method, "rank_correlation"] = np.array([rank_correlation(a.numpy(), b.numpy()) for a, b in pairs])
        found[method, "ssim"] = np.array([ssim(a, b) for a, b in pairs])
    return found


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return Spearman's rank correlation of two maps of one shape, in [-1, 1]; NaN where either is constant."""
    from scipy.stats import spearmanr  # not for those who only read METHODS

    if np.ptp(first) == 0 or np.ptp(second) == 0:  # of which scipy warns
        return float("nan")
    return float(spearmanr(first.ravel(), second.ravel()).statistic)


def ssim(first: torch.Tensor, second: torch.Tensor) -> float:
    """Return the mean structural similarity (Wang et al. 2004) of two maps (h, w) float64 in [0, 1], over uniform windows inside them."""
    window = min(WINDOW, *first.shape)

    def local(values: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(values[None, None], window, stride=1)[0, 0]

    a, b = local(first), local(second)
    spread_a, spread_b, joint = local(first**2) - a**2, local(second**2) - b**2, local(first * second) - a * b
    return float(((2 * a * b + _C1) * (2 * joint + _C2) / ((a**2 + b**2 + _C1) * (spread_a + spread_b + _C2))).mean())

"""The last layer of a trained DenseNet fitted anew, to the training images as they are, in several exposures.

The network below it is left as it was trained. Its last layer has followed images that were turned, blurred and blended. Fitted to plain
images under a strong penalty it leans less on what goes with the label at some hospitals only (Kirichenko et al. 2023, "Last layer
re-training is sufficient for robustness to spurious correlations").
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import ray
import torch

from schemas.bundle import Preprocessing
from screening.cascade.device import use_threads
from screening.cascade.network_input import compose
from train.config import FitConfig
from train.data.inputs import StageInputs, on_cascade_workers, unpack
from train.frozen import FrozenStages, State, spec_of
from train.loop.objective import autocast

PENALTY = 0.25  # half the squared coefficients weigh so much beside the mean cross-entropy
DARKER, BRIGHTER = 1.4, 2 / 3  # each image is also shown with the bundle's gamma times these


def refitted(stage: str, inputs: StageInputs, state: State, config: FitConfig) -> State:
    """Return the weights of a stage with its last layer fitted anew: logistic regression, each label with half of the weight.

    Every training image counts once a view of it, whatever its source. The features of all of them are held in this process, 12 KB an image
    for a DenseNet-121.
    """
    part = ray.put(FrozenStages(spec_of(config.stage(stage)), state))
    arguments = {"part": part, "preprocessing": config.preprocessing, "use_gpu": config.use_gpu}
    features, targets = [], []
    for name in inputs.shares:
        answers = inputs.datasets[name].map_batches(_features, fn_kwargs=arguments, **on_cascade_workers(config.workers, config.use_gpu))
        for batch in answers.iter_batches(batch_size=None, batch_format="numpy"):
            features.append(np.stack(list(batch["features"])))
            targets.append(batch["target"])
    weight, bias = fitted(np.concatenate(features), np.concatenate(targets) > 0)
    return {**state, "head.weight": torch.from_numpy(weight)[None].float(), "head.bias": torch.tensor([bias], dtype=torch.float32)}


def views(preprocessing: Preprocessing) -> tuple[Preprocessing, ...]:
    """Return how each training image is shown: as the bundle shows it, and brighter and darker, whatever the tone of its lungs."""
    others = ({"gamma": preprocessing.gamma * factor, "lung_brightness": None} for factor in (BRIGHTER, DARKER))
    return (preprocessing, *(preprocessing.model_copy(update=other) for other in others))


def fitted(features: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, float]:
    """Return weight (C,) and bias of the logistic regression of labels (N,) bool on features (N, views, C), every view with that label."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    images, shown, channels = features.shape
    rows = features.reshape(-1, channels)
    scaler = StandardScaler().fit(rows)
    model = LogisticRegression(C=1 / (PENALTY * images * shown), class_weight="balanced", max_iter=3000)
    model.fit(scaler.transform(rows), np.repeat(positive, shown))
    weight = model.coef_[0] / scaler.scale_
    return weight, float(model.intercept_[0] - weight @ scaler.mean_)


@torch.no_grad()
def _features(rows: dict[str, Sequence[Any]], part: ray.ObjectRef, preprocessing: Preprocessing, use_gpu: bool) -> dict[str, np.ndarray]:
    """Return what the last layer is given of N rows of StageInputs, (N, views, C) float32, and their targets (N,)."""
    device = torch.device("cuda" if use_gpu else "cpu")
    use_threads(len(os.sched_getaffinity(0)))
    module, size = _network(part, device)
    arrays = unpack(rows, size)
    image, weight = (torch.from_numpy(arrays[name]).to(device).float().unsqueeze(1) for name in ("image", "weight"))
    seen = []
    for view in views(preprocessing):
        x = compose(image, weight, view).contiguous(memory_format=torch.channels_last)
        with autocast(device):
            seen.append(module.features_of(x).float().mean((2, 3)))
    return {"features": torch.stack(seen, 1).cpu().numpy(), "target": arrays["target"]}


@lru_cache(maxsize=1)
def _network(part: ray.ObjectRef, device: torch.device) -> tuple[torch.nn.Module, int]:
    """Return a network on its device, and the pixels a side that it takes; built once in each process."""
    given = ray.get(part)
    return given.module().to(device, memory_format=torch.channels_last), given.spec.input_size

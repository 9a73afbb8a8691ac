"""The last layer of stage 2 or 3 fitted to the training images as they are, in several views, under a strong penalty.

The network below it is left as it is. The last layer of one that was trained has followed images that were turned, blurred and blended:
fitted to plain images it leans less on what goes with the label at some hospitals only (Kirichenko et al. 2023, "Last layer re-training
is sufficient for robustness to spurious correlations"). One that is not trained has no other part that labels reach.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import ray
import torch

from schemas.bundle import Preprocessing
from screening.cascade.device import use_threads
from screening.cascade.network_input import compose
from screening.models.build import build
from train.config import FitConfig
from train.data.inputs import StageInputs, old_sources, on_cascade_workers, unpack
from train.frozen import FrozenStages, State, spec_of

DARKER, BRIGHTER = 1.4, 2 / 3  # images are also shown with the bundle's gamma times these
SAYS_NOTHING = 0.5  # the score of an image without lungs
LEAST_SPREAD = 0.01  # of the median one: a feature that varies less is not blown up, which float16 could not hold
CENTRE = "centre"  # tensor of a network whose features are what is left above it


def refitted(stage: str, inputs: StageInputs, state: State, config: FitConfig, earlier: FrozenStages | None = None) -> State:
    """Return the weights of a stage with its last layer fitted anew by logistic regression.

    `state` may lack the last layer. Each label has half of the weight, whatever the source, or each stratum what it should have in a batch.
    `earlier` is a network that `config.distill_weight` holds the layer to on the old data (Eq. 2), those that `with_old_data` added or else
    the old groups of `inputs`. The features of all images are held in this process: 12 KB an image for three views of a DenseNet-121, 35 KB
    for two of an EfficientNet-Lite2 of two octaves, and 17 KB without their lungs.
    """
    recipe = config.stage(stage)
    spec = spec_of(recipe)
    state = build(spec).state_dict() | dict(state)
    if CENTRE in state:
        state[CENTRE] = torch.zeros_like(state[CENTRE])
    arguments = {"preprocessing": config.preprocessing, "views": recipe.last_layer.views, "use_gpu": config.use_gpu}
    arguments |= {
        "part": ray.put(FrozenStages(spec, state)),
        "earlier": earlier and ray.put(earlier),
        "erased": recipe.last_layer.erased > 0,
    }
    old = () if earlier is None else old_sources(stage, inputs)
    seen = {name: _seen(inputs.datasets[name], arguments, config) for name in {*inputs.shares, *old} if inputs.rows[name]}
    features, positive = (
        np.concatenate([seen[name][column] for name in inputs.shares if name in seen]) for column in ("features", "positive")
    )
    sizes = {name: len(seen[name]["positive"]) for name in inputs.shares if name in seen}
    drawn = [np.full(n, inputs.weights[name] / n) for name, n in sizes.items()]
    counts = np.concatenate(drawn) if recipe.last_layer.balance == "batches" else None
    held = []
    if earlier is not None:
        held.append(
            Held(*(np.concatenate([seen[name][column] for name in old]) for column in ("features", "score")), config.distill_weight)
        )
    if recipe.last_layer.erased:
        erased = np.concatenate([seen[name]["erased"] for name in inputs.shares if name in seen])
        held.append(Held(erased, np.full(erased.shape[:2], SAYS_NOTHING), recipe.last_layer.erased))
    layer = fitted(features, positive, recipe.last_layer.penalty, counts, held)
    if CENTRE in state:
        state[CENTRE] = torch.from_numpy(layer.centre).float()
    bias = layer.intercept if CENTRE in state else layer.intercept - layer.weight @ layer.centre
    return state | {"head.weight": torch.from_numpy(layer.weight)[None].float(), "head.bias": torch.tensor([bias], dtype=torch.float32)}


def shown(image: torch.Tensor, weight: torch.Tensor, preprocessing: Preprocessing, views: str) -> list[torch.Tensor]:
    """Return what a network sees of images (B, 1, S, S) in [0, 1] and their weights in each view, all (B, 1, S, S).

    As the bundle shows them, and either brighter and darker, whatever the tone of the lungs, or as in a mirror.
    """
    plain = compose(image, weight, preprocessing)
    if views == "mirrored":
        return [plain, plain.flip(-1)]
    others = ({"gamma": preprocessing.gamma * factor, "lung_brightness": None} for factor in (BRIGHTER, DARKER))
    return [plain, *(compose(image, weight, preprocessing.model_copy(update=other)) for other in others)]


@dataclass(frozen=True)
class Layer:
    """A linear layer: the logit of features f (C,) is weight @ (f - centre) + intercept."""

    weight: np.ndarray
    centre: np.ndarray
    intercept: float


@dataclass(frozen=True)
class Held:
    """N images that are held to given scores, as the second term of Eq. 2 holds the old ones to what an earlier model says of them."""

    features: np.ndarray  # (N, views, C)
    scores: np.ndarray  # (N, views), in [0, 1]
    weight: float  # of their mean cross-entropy beside that against the labels: lambda


def fitted(
    features: np.ndarray, positive: np.ndarray, penalty: float, counts: np.ndarray | None = None, held: Sequence[Held] = ()
) -> Layer:
    """Return the logistic regression of labels (N,) bool on standardised features (N, views, C), every view with that label.

    `counts` (N,) is what each image counts beside the others; with None each label counts one half. The mean cross-entropy of those `held`
    is added to that against the labels. A score is a share of two labels: each view stands there once as a positive and once as a
    negative.
    """
    from sklearn.linear_model import LogisticRegression

    rows, labels = features.reshape(-1, features.shape[-1]), np.repeat(positive, features.shape[1])
    centre, spread = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
    spread = np.maximum(spread, LEAST_SPREAD * (np.median(spread) or 1))
    weights = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())
    if counts is not None:
        weights = np.repeat(counts, features.shape[1]) / (counts.sum() * features.shape[1])
    for group in held:
        views, scores = group.features.reshape(-1, rows.shape[1]), group.scores.ravel()
        rows, labels = np.concatenate([rows, views, views]), np.concatenate([labels, np.ones(len(views), bool), np.zeros(len(views), bool)])
        weights = np.concatenate([weights, group.weight * scores / len(views), group.weight * (1 - scores) / len(views)])
    model = LogisticRegression(C=1 / penalty, max_iter=3000).fit((rows - centre) / spread, labels, sample_weight=weights)
    return Layer(model.coef_[0] / spread, centre, float(model.intercept_[0]))


def _seen(dataset: ray.data.Dataset, arguments: dict[str, Any], config: FitConfig) -> dict[str, np.ndarray]:
    """Return the columns of `_features` of a whole data set, in its order."""
    answers = dataset.map_batches(_features, fn_kwargs=arguments, **on_cascade_workers(config.workers, config.use_gpu))
    batches = [dict(batch) for batch in answers.iter_batches(batch_size=None, batch_format="numpy")]
    return {name: np.concatenate([np.stack(list(batch[name])) for batch in batches]) for name in batches[0]}


@torch.no_grad()
def _features(
    rows: dict[str, Sequence[Any]],
    part: ray.ObjectRef,
    earlier: ray.ObjectRef | None,
    preprocessing: Preprocessing,
    views: str,
    erased: bool,
    use_gpu: bool,
) -> dict[str, np.ndarray]:
    """Return what the last layer is given of N rows of StageInputs, (N, views, C) float32, and which are positive, (N,) bool.

    With `erased` also what it is given of what is not lung, (N, 1, C). With an earlier network also what that says of each view, (N, views)
    in [0, 1].
    All is computed in float32, so that a layer does not depend on whether a machine computes in bf16.
    """
    device = torch.device("cuda" if use_gpu else "cpu")
    use_threads(len(os.sched_getaffinity(0)))
    module, size = _network(part, device)
    arrays = unpack(rows, size)
    image, weight = (torch.from_numpy(arrays[name]).to(device).float().unsqueeze(1) for name in ("image", "weight"))
    lungs = shown(image, weight, preprocessing, views)
    answer = {"features": _pooled(module, lungs), "positive": arrays["target"] > 0}
    if erased:
        answer["erased"] = _pooled(module, [compose(image, (weight == 0).float(), preprocessing)])
    if earlier is not None:
        judge = _network(earlier, device)[0]
        answer["score"] = torch.stack([judge(x).sigmoid()[:, 0] for x in lungs], 1).cpu().numpy()
    return answer


def _pooled(module: torch.nn.Module, views: Sequence[torch.Tensor]) -> np.ndarray:
    """Return the means of a network's last maps of each view (B, 1, S, S), (B, views, C) float32."""
    laid_out = (x.contiguous(memory_format=torch.channels_last) for x in views)
    return torch.stack([module.features_of(x).mean((2, 3)) for x in laid_out], 1).cpu().numpy()


@lru_cache(maxsize=2)
def _network(part: ray.ObjectRef, device: torch.device) -> tuple[torch.nn.Module, int]:
    """Return a network on its device, and the pixels a side that it takes; built once in each process."""
    given = ray.get(part)
    return given.module().to(device, memory_format=torch.channels_last), given.spec.input_size

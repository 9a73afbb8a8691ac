"""The last layer fitted anew: against scikit-learn's own answers, and through Ray Data against the network itself."""

from pathlib import Path

import numpy as np
import pytest
import ray.data
import torch
from sklearn.linear_model import LogisticRegression

from schemas.bundle import Preprocessing
from screening.cascade.network_input import compose
from tests.screening.networks import small_densenet, small_lite
from train.config import FitConfig, LastLayer, preset
from train.data.inputs import StageInputs
from train.last_layer import BRIGHTER, DARKER, Held, fitted, refitted, shown

SIZE = 64


def test_an_image_is_shown_as_the_bundle_shows_it_then_brighter_and_darker_or_in_a_mirror() -> None:
    tone = Preprocessing(gamma=0.6, lung_brightness=0.6, mean=0.4)
    image, weight = torch.rand(2, 1, 8, 8) / 4, torch.ones(2, 1, 8, 8)
    plain, brighter, darker = shown(image, weight, tone, "exposures")
    torch.testing.assert_close(plain, compose(image, weight, tone))
    torch.testing.assert_close(brighter, compose(image, weight, Preprocessing(gamma=0.6 * BRIGHTER, mean=0.4)))
    torch.testing.assert_close(darker, compose(image, weight, Preprocessing(gamma=0.6 * DARKER, mean=0.4)))
    same, mirrored = shown(image, weight, tone, "mirrored")
    torch.testing.assert_close(same, plain)
    torch.testing.assert_close(mirrored, plain.flip(-1))


def test_the_fit_is_that_of_standardised_features_with_labels_of_one_weight() -> None:
    rng = np.random.default_rng(0)
    positive = np.arange(90) % 3 == 0  # a third
    features = rng.normal([5.0, 0.0, -1.0], [2.0, 0.1, 1.0], (90, 2, 3))
    features[positive, :, 1] += 0.1
    layer = fitted(features, positive, 0.25)
    rows, labels = features.reshape(180, 3), np.repeat(positive, 2)
    assert layer.centre == pytest.approx(rows.mean(0))
    scaled = (rows - rows.mean(0)) / rows.std(0)
    model = LogisticRegression(C=1 / (0.25 * 180)).fit(scaled, labels, sample_weight=np.where(labels, 1.5, 0.75))
    assert (rows - layer.centre) @ layer.weight + layer.intercept == pytest.approx(model.decision_function(scaled), abs=1e-3)
    few = np.concatenate([features[positive], features[~positive][:30]])
    thrice = fitted(np.repeat(few, 3, axis=0), np.arange(180) < 90, 0.25)
    assert thrice.weight == pytest.approx(fitted(few, np.arange(60) < 30, 0.25).weight, abs=1e-4)
    assert abs(layer.weight[1]) * rows[:, 1].std() > 5 * abs(layer.weight[[0, 2]] * rows[:, [0, 2]].std(0)).max()
    even = fitted(features, positive, 0.25, np.where(positive, 2.0, 1.0))
    assert even.weight == pytest.approx(layer.weight, abs=1e-4), "a third that counts twice is a half"
    assert abs(fitted(features, positive, 25.0).weight[1]) < abs(layer.weight[1]) / 5, "a penalty that weighs more"


def test_a_feature_that_hardly_varies_is_not_blown_up() -> None:
    rng = np.random.default_rng(0)
    positive = np.arange(80) % 2 == 0
    features = rng.normal(size=(80, 1, 3)) * [1.0, 1.0, 1e-9]
    features[..., 2] += 1e-9 * positive[:, None]
    assert np.abs(fitted(features, positive, 1.0).weight).max() < 100, "float16, which bundles are packed in, ends at 65,504"
    assert np.isfinite(fitted(np.zeros((80, 1, 2)), positive, 1.0).weight).all()


def test_a_layer_is_held_to_what_an_earlier_model_says_of_old_data() -> None:
    rng = np.random.default_rng(0)
    features, positive = rng.normal(size=(80, 1, 4)), rng.random(80) < 0.5
    features[positive, :, 0] += 1
    old, earlier = rng.normal(size=(120, 2, 4)), np.array([0.0, 0.0, 1.5, -1.0])
    scores = 1 / (1 + np.exp(-(old @ earlier)))

    def said(weight: float) -> np.ndarray:
        layer = fitted(features, positive, 1e-4, held=[Held(old, scores, weight)])
        return (old - layer.centre) @ layer.weight + layer.intercept

    assert said(0.0) == pytest.approx(fitted_logits(features, positive, old), abs=1e-2)
    distances = [np.abs(said(weight) - old @ earlier).mean() for weight in (0.0, 1.0, 100.0)]
    assert distances[0] > 1.5 * distances[1] > 5 * distances[2]
    # Eq. 2 itself, at its optimum: no step along any coefficient lowers it
    layer = fitted(features, positive, 1e-4, held=[Held(old, scores, 1.0)])
    spread = features.reshape(80, 4).std(0)

    def objective(weight: np.ndarray) -> float:
        def cross_entropy(x: np.ndarray, share: np.ndarray) -> np.ndarray:
            logit = (x - layer.centre) @ weight + layer.intercept
            return np.logaddexp(0, logit) - share * logit

        loss = cross_entropy(features[:, 0], positive)
        balanced = (loss[positive].mean() + loss[~positive].mean()) / 2
        return balanced + cross_entropy(old, scores).mean() + 1e-4 / 2 * np.square(weight * spread).sum()

    for i in range(4):
        for step in (-0.05, 0.05):
            assert objective(layer.weight + step * np.eye(4)[i]) > objective(layer.weight)


def fitted_logits(features: np.ndarray, positive: np.ndarray, of: np.ndarray) -> np.ndarray:
    layer = fitted(features, positive, 1e-4)
    return (of - layer.centre) @ layer.weight + layer.intercept


def recipe(architecture: str) -> FitConfig:
    """A small network of either kind, whose last layer is fitted in the views of its preset."""
    lite, densenet = {"width": 0.25, "depth": 0.25}, {"growth_rate": 4, "block_config": [2, 2], "num_init_features": 8}
    arguments, views = (lite, "mirrored") if architecture == "efficientnet_lite" else (densenet, "exposures")
    erased = 2.0 if architecture == "efficientnet_lite" else 0.0
    layer = {"last_layer": LastLayer(views, penalty=0.25, erased=erased), "architecture": architecture, "arguments": arguments}
    return preset("small", preprocessing=Preprocessing(gamma=0.6, lung_brightness=0.6)).with_stage("pneumonia", input_size=SIZE, **layer)


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("architecture", ["densenet", "efficientnet_lite"])
def test_every_training_image_is_seen_once_by_the_network_as_it_is(architecture: str, tmp_path: Path) -> None:
    config = recipe(architecture)
    rng = np.random.default_rng(1)
    images = rng.uniform(0, 0.3, (12, SIZE, SIZE)).astype(np.float16)
    images[1::2, 20:40, 20:40] += 0.4
    weight, targets = np.zeros((SIZE, SIZE), np.float16), np.arange(12, dtype=np.uint8) % 2
    weight[8:56, 8:56] = 1
    rows = [
        {"group": "", "image": image.tobytes(), "weight": weight.tobytes(), "target": target.tobytes()}
        for image, target in zip(images, targets, strict=True)
    ]
    counts = {"normal": 6, "pneumonia": 4, "covid": 2}
    parts = {"normal": rows[::2], "pneumonia": rows[1:9:2], "covid": rows[9::2]}
    inputs = StageInputs(
        {name: ray.data.from_items(part) for name, part in parts.items()}, counts, 0, dict.fromkeys(counts, 1), dict.fromkeys(counts, 1.0)
    )
    module = small_densenet(**config.pneumonia.arguments) if architecture == "densenet" else small_lite(**config.pneumonia.arguments)
    before = module.state_dict()
    headless = {name: value for name, value in before.items() if not name.startswith("head")}
    state = refitted("pneumonia", inputs, headless, config)
    changed = {name for name, value in state.items() if not torch.equal(value, before[name])}
    assert changed == {"head.weight", "head.bias"} | ({"centre"} & before.keys())
    order = [*range(0, 12, 2), *range(1, 12, 2)]
    pixels = torch.from_numpy(images[order, None]).float(), torch.from_numpy(weight).float().expand(12, 1, -1, -1)
    seen = shown(*pixels, config.preprocessing, config.pneumonia.last_layer.views)
    module.load_state_dict(state)
    with torch.no_grad():
        logits = module(seen[0])[:, 0].numpy()
        if "centre" in before:
            module.centre.zero_()
        features = torch.stack([module.features_of(x).mean((2, 3)) for x in seen], 1).numpy()
        without = module.features_of(compose(pixels[0], 1 - pixels[1], config.preprocessing)).mean((2, 3))[:, None].numpy()
    silent = [Held(without, np.full((12, 1), 0.5), 2.0)] if architecture == "efficientnet_lite" else []
    expected = fitted(features, targets[order] > 0, 0.25, held=silent)
    assert logits == pytest.approx(
        (features[:, 0] - expected.centre) @ expected.weight + expected.intercept, abs=0.05
    )  # to the solver's tolerance
    assert logits[6:].min() > logits[:6].max()

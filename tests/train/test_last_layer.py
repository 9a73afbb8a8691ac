"""The last layer fitted anew: against scikit-learn's own answers, and through Ray Data against the network itself."""

from pathlib import Path

import numpy as np
import pytest
import ray.data
import torch
from sklearn.linear_model import LogisticRegression

from schemas.bundle import Preprocessing
from screening.cascade.network_input import compose
from tests.screening.networks import small_densenet
from train.config import FitConfig, preset
from train.data.inputs import StageInputs
from train.last_layer import BRIGHTER, DARKER, PENALTY, fitted, refitted, views

SIZE = 64


def test_an_image_is_shown_as_the_bundle_shows_it_then_brighter_and_darker() -> None:
    plain, brighter, darker = views(Preprocessing(gamma=0.6, lung_brightness=0.6, mean=0.4))
    assert plain == Preprocessing(gamma=0.6, lung_brightness=0.6, mean=0.4)
    assert brighter == Preprocessing(gamma=0.6 * BRIGHTER, mean=0.4)
    assert darker == Preprocessing(gamma=0.6 * DARKER, mean=0.4)


def test_the_fit_is_that_of_standardised_features_with_labels_of_one_weight() -> None:
    rng = np.random.default_rng(0)
    positive = np.arange(90) % 3 == 0  # a third
    features = rng.normal([5.0, 0.0, -1.0], [2.0, 0.1, 1.0], (90, 2, 3))
    features[positive, :, 1] += 0.1
    weight, bias = fitted(features, positive)
    rows, labels = features.reshape(180, 3), np.repeat(positive, 2)
    scaled = (rows - rows.mean(0)) / rows.std(0)
    model = LogisticRegression(C=1 / (PENALTY * 180)).fit(scaled, labels, sample_weight=np.where(labels, 1.5, 0.75))
    assert rows @ weight + bias == pytest.approx(model.decision_function(scaled), abs=1e-3)
    few = np.concatenate([features[positive], features[~positive][:30]])
    assert fitted(np.repeat(few, 3, axis=0), np.arange(180) < 90)[0] == pytest.approx(fitted(few, np.arange(60) < 30)[0], abs=1e-4)
    assert abs(weight[1]) * rows[:, 1].std() > 5 * abs(weight[[0, 2]] * rows[:, [0, 2]].std(0)).max()


@pytest.fixture
def config() -> FitConfig:
    densenet = {"growth_rate": 4, "block_config": [2, 2], "num_init_features": 8}
    config = preset("small", preprocessing=Preprocessing(gamma=0.6, lung_brightness=0.6))
    return config.with_stage("pneumonia", input_size=SIZE, arguments=densenet, last_layer_anew=True)


@pytest.mark.usefixtures("ray_cluster")
def test_every_training_image_is_seen_once_by_the_network_as_it_was_trained(config: FitConfig, tmp_path: Path) -> None:
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
    inputs = StageInputs({name: ray.data.from_items(part) for name, part in parts.items()}, counts, 0, dict.fromkeys(counts, 1))
    module = small_densenet(**config.pneumonia.arguments)
    before = module.state_dict()
    state = refitted("pneumonia", inputs, before, config)
    assert [name for name, value in state.items() if not torch.equal(value, before[name])] == ["head.weight", "head.bias"]
    order = [*range(0, 12, 2), *range(1, 12, 2)]
    seen = [
        compose(torch.from_numpy(images[order, None]).float(), torch.from_numpy(weight).float().expand(12, 1, -1, -1), view)
        for view in views(config.preprocessing)
    ]
    module.eval()
    with torch.no_grad():
        features = torch.stack([module.features_of(x).mean((2, 3)) for x in seen], 1).numpy()
    expected, bias = fitted(features, targets[order] > 0)
    module.load_state_dict(state)
    with torch.no_grad():
        logits = module(seen[0])[:, 0].numpy()
    assert logits == pytest.approx(features[:, 0] @ expected + bias, abs=0.2)  # bf16 where the machine computes in it
    assert logits[6:].min() > logits[:6].max()

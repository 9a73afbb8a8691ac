"""What the cascade answers for decoded rows: shown the lungs, the whole image and all but the lungs; its traces; random weights."""

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter

from schemas.bundle import OperatingPoint, Preprocessing
from screening.bundle.networks import NetworkSpec, save_bundle
from screening.cascade.cascade import Cascade
from screening.models.densenet import DenseNet
from tests.screening.networks import small_densenet, small_unet
from tests.train.radiographs import decoded, write_radiographs
from train.data.images import pixels_of
from train.evaluation.randomisation import LEVELS, METHODS, forgetful, randomised_rows, rank_correlation, ssim
from train.evaluation.scores import Shown, energy_inside, score_rows

_DENSENET = {"growth_rate": 8, "block_config": [2, 3, 2, 2], "num_init_features": 16}
NETWORKS = {
    "lungs": NetworkSpec("unet", 64, {"base_channels": 4, "depth": 3}),
    "pneumonia": NetworkSpec("densenet", 128, _DENSENET),
    "covid": NetworkSpec("densenet", 128, _DENSENET),
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Six decoded images."""
    return decoded(write_radiographs(tmp_path_factory.mktemp("set"), ["test", "test"], without_mask=1))


@pytest.fixture(scope="module")
def bundle_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Networks that are not trained, of which the first calls some of an image lung and the gate takes any share."""
    folder = str(tmp_path_factory.mktemp("bundle"))
    never = OperatingPoint(threshold=1, rule="none", data="none")
    save_bundle(
        folder,
        name="untrained",
        modules={"lungs": small_unet(1), "pneumonia": small_densenet(2), "covid": small_densenet(3)},
        networks=NETWORKS,
        operating_points={"pneumonia": never, "covid": never},
        preprocessing=Preprocessing(min_lung_area_fraction=0, max_lung_area_fraction=1),
    )
    return folder


@pytest.fixture(scope="module")
def columns(rows: dict[str, np.ndarray], bundle_url: str) -> dict[str, np.ndarray]:
    return score_rows(rows, bundle=(bundle_url, False), shown=tuple(Shown), traced=True)


def test_shown_the_lungs_it_is_the_cascade(rows: dict, bundle_url: str, columns: dict) -> None:
    result = Cascade.from_bundle(bundle_url, device="cpu")(pixels_of(rows), audit=np.ones(6, bool), guided=False)
    np.testing.assert_array_equal(columns["lungs_only.pneumonia_logit"], result.pneumonia_logit)
    np.testing.assert_array_equal(columns["lungs_only.covid_logit"], result.covid_logit)
    np.testing.assert_array_equal(np.isnan(columns["dice"]), ~rows["has_mask"].astype(bool))


def test_each_way_shows_what_it_says(rows: dict, bundle_url: str, columns: dict) -> None:
    """H² is of the image as shown: with the lungs erased, nothing of their inside reaches stage 3."""
    cascade = Cascade.from_bundle(bundle_url, device="cpu")
    with torch.inference_mode():
        held = cascade.hold(pixels_of(rows))
        lungs, area = cascade.find_lungs(held)
        assert ((area > 0) & (area < 1)).any(), "or the three ways would not differ"
        for kept, name in ((lungs, "lungs_only"), (~lungs, "lungs_erased"), (torch.ones_like(lungs), "whole_image")):
            found, h2 = cascade.judge("pneumonia", held, kept, np.arange(6))
            covid, _ = cascade.judge("covid", held, kept, np.arange(6), h2)
            np.testing.assert_array_equal(columns[f"{name}.pneumonia_logit"], found.logit)
            np.testing.assert_array_equal(columns[f"{name}.covid_logit"], covid.logit)
    assert (columns["lungs_only.covid_logit"] != columns["lungs_erased.covid_logit"]).any()


def test_traces_are_of_the_image_as_screened(rows: dict, bundle_url: str, columns: dict) -> None:
    cascade = Cascade.from_bundle(bundle_url, device="cpu")
    weight, bias = cascade._heads["covid"]
    np.testing.assert_allclose(
        columns["features"] @ weight[0].numpy() + bias.numpy(), columns["lungs_only.covid_logit"], rtol=1e-2, atol=1e-2
    )
    assert ((columns["pneumonia_energy"] >= 0) & (columns["pneumonia_energy"] <= 1)).all()
    assert columns["lung_area"].shape == (6,)


def test_energy_by_hand() -> None:
    flat, mask = np.ones((1, 2, 2), np.float32), np.zeros((1, 8, 8), bool)
    mask[:, :, :2] = True
    assert energy_inside(flat, mask) == pytest.approx([0.25]), "a constant map lies in the mask by its area"
    inside = np.zeros((1, 8, 8), np.float32)
    inside[:, 3, 1] = 5
    assert energy_inside(inside, mask) == pytest.approx([1])
    assert np.isnan(energy_inside(np.zeros((1, 2, 2), np.float32), mask)).all()


def test_rank_correlation_by_hand() -> None:
    # ranks (1, 2.5, 2.5, 4) and (1, 3, 2, 4), less their mean of 2.5: sums of squares 4.5 and 5, of products 4.5
    first, second = np.array([[0.1, 0.2], [0.2, 0.9]]), np.array([[10.0, 30.0], [20.0, 40.0]])
    assert rank_correlation(first, second) == pytest.approx(4.5 / (4.5 * 5) ** 0.5, abs=1e-12)
    assert rank_correlation(second, np.exp(-second)) == pytest.approx(-1, abs=1e-12)
    assert np.isnan(rank_correlation(first, np.ones((2, 2))))


def test_ssim_is_the_formula_by_scipys_windows() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random((16, 16)).round(1), rng.random((16, 16)).round(1)

    def local(values: np.ndarray) -> np.ndarray:
        return uniform_filter(values, 7)[3:-3, 3:-3]

    a, b = local(first), local(second)
    contrast = (2 * (local(first * second) - a * b) + 0.0009) / (local(first**2) - a**2 + local(second**2) - b**2 + 0.0009)
    expected = ((2 * a * b + 0.0001) / (a**2 + b**2 + 0.0001) * contrast).mean()
    assert ssim(torch.from_numpy(first), torch.from_numpy(second)) == pytest.approx(expected)
    assert ssim(torch.from_numpy(first), torch.from_numpy(first)) == pytest.approx(1)


def test_randomised_from_the_top() -> None:
    network, fresh = small_densenet(1), DenseNet(growth_rate=8, block_config=(2, 3, 2, 2), num_init_features=16)
    changed = {}
    for level in LEVELS:
        forgotten = dict(forgetful(network, fresh, level).named_parameters())
        changed[level] = {name for name, own in network.named_parameters() if not torch.equal(own, forgotten[name])}
    assert changed["head"] == {"head.weight", "head.bias"} - ({"head.bias"} if not network.head.bias.any() else set())
    assert any(name.startswith("features.denseblock4") for name in changed["head_and_last_block"])
    assert not any(name.startswith(("features.denseblock3", "features.conv0")) for name in changed["head_and_last_block"])


def test_maps_of_random_weights_are_others(rows: dict, bundle_url: str) -> None:
    found = randomised_rows({name: values[:2] for name, values in rows.items()}, bundle_url=bundle_url, use_gpu=False)
    for method in METHODS:
        for level in LEVELS:
            for figure in ("rank_correlation", "ssim"):
                values = found[f"{method}.{level}.{figure}"]
                assert values.shape == (2,)
                assert (np.isnan(values) | (np.abs(values) < 0.999)).all()
    assert found["patient_id"].tolist() == rows["patient_id"][:2].tolist()

"""What is written is what is loaded, and what would not load is not written."""

from pathlib import Path

import fsspec
import pytest
import torch
from safetensors.torch import load_file

from schemas.bundle import STAGES, Calibration, Preprocessing
from screening.bundle.checks import verify
from screening.bundle.networks import NetworkSpec, load, load_networks
from screening.errors import BundleError
from tests.screening.small_bundle import DENSENET, POINT, SPECS, replace_weights, save_small_bundle, small_modules


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_small_bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_what_is_written_is_what_is_loaded(tmp_path: Path):
    facts = {
        "preprocessing": Preprocessing(mean=0.4),
        "calibration": {"covid": Calibration(slope=1.5, intercept=-0.25, data="tuning split")},
        "training_data": {"images": 12, "sources": ["a", "b"]},
        "metrics": {"covid": {"auroc": 0.875}},
        "code_version": "0.1.0",
        "license": "Apache-2.0",
    }
    written = save_small_bundle(tmp_path / "bundle", **facts)
    loaded = load(str(tmp_path / "bundle"))
    assert loaded.manifest == written
    assert loaded.manifest.networks["covid"].input_size == 96
    for stage in STAGES:
        assert not loaded.networks[stage].training
        for key, value in small_modules()[stage].state_dict().items():
            assert torch.equal(loaded.networks[stage].state_dict()[key], value)


def test_the_same_bundle_has_the_same_digest_anywhere(tmp_path: Path):
    first, second, other = (
        save_small_bundle(tmp_path / "a"),
        save_small_bundle(tmp_path / "b"),
        save_small_bundle(tmp_path / "c", name="other"),
    )
    assert first.digest() == second.digest() != other.digest()


def test_half_the_size(tmp_path: Path):
    save_small_bundle(tmp_path / "full")
    save_small_bundle(tmp_path / "half", half=True)
    stored = load_file(tmp_path / "half" / "covid.safetensors")
    assert stored["features.conv0.weight"].dtype == torch.float16
    assert stored["features.norm0.running_var"].dtype == torch.float32
    loaded = load_networks(str(tmp_path / "half"))["covid"]
    assert all(tensor.dtype in (torch.float32, torch.int64) for tensor in loaded.state_dict().values())
    x = torch.randn(2, 1, 96, 96)
    torch.testing.assert_close(loaded(x), small_modules()["covid"](x), rtol=0.01, atol=0.01)


def test_weights_in_bfloat16(folder: Path):
    replace_weights(
        folder, "covid", lambda tensors: tensors.update({key: value.bfloat16() for key, value in tensors.items() if value.ndim})
    )
    loaded = load_networks(str(folder))["covid"].state_dict()
    for key, value in small_modules()["covid"].state_dict().items():
        assert torch.equal(loaded[key], value.bfloat16().float() if value.ndim else value), key


def test_a_metric_that_is_not_a_number_is_null(tmp_path: Path):
    written = save_small_bundle(tmp_path / "bundle", metrics={"auroc": float("nan")})
    assert written.metrics == {"auroc": None}
    assert verify(str(tmp_path / "bundle"), written.digest()) == written


def test_any_fsspec_url():
    written = save_small_bundle("memory://bundles/one")
    assert verify("memory://bundles/one").digest() == written.digest()
    assert sorted(Path(path).name for path in fsspec.filesystem("memory").ls("/bundles/one", detail=False)) == [
        "bundle.json",
        *sorted(f"{stage}.safetensors" for stage in STAGES),
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"networks": {stage: SPECS[stage] for stage in ("lungs", "pneumonia")}}, "'covid'"),
        ({"metrics": {"auroc": object()}}, "object"),
        ({"preprocessing": Preprocessing(mean=float("nan"))}, "mean"),
        ({"heatmap": "paper_reshape"}, "paper_reshape"),
        ({"heatmap": "none"}, "heatmap"),
        ({"operating_points": {"lungs": POINT}}, "operating_points"),
        ({"networks": SPECS | {"covid": SPECS["lungs"]}}, "architecture"),
        ({"networks": SPECS | {"covid": NetworkSpec("densenet", 100, DENSENET)}}, "input_size"),
        ({"networks": SPECS | {"covid": NetworkSpec("efficientnet_lite", 96, {"octaves": 2})}}, "a multiple of 64 pixels a side, not 96"),
    ],
)
def test_what_would_not_load_is_not_written(tmp_path: Path, changed: dict, message: str):
    with pytest.raises(BundleError, match=message):
        save_small_bundle(tmp_path / "bundle", **changed)
    assert not (tmp_path / "bundle").exists()

"""Bundles: what is written is what is loaded, and everything else is refused with the file and the remedy."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest
import torch
from safetensors.torch import load_file, save_file

from schemas.bundle import STAGES, Calibration, OperatingPoint, Preprocessing
from screening.bundle.checks import digest12, load_manifest, verify
from screening.bundle.networks import NetworkSpec, load, load_networks, save_bundle
from screening.errors import BundleError
from screening.models.build import build
from tests.screening.networks import untidy

_DENSENET = {"growth_rate": 4, "block_config": [1, 1, 1, 1], "num_init_features": 8}
SPECS = {
    "lungs": NetworkSpec("unet", 64, {"base_channels": 4, "depth": 2}),
    "pneumonia": NetworkSpec("densenet", 64, _DENSENET),
    "covid": NetworkSpec("densenet", 96, _DENSENET),
}
POINT = OperatingPoint(threshold=0.25, rule="sensitivity >= 0.9", data="tuning split", sensitivity=0.91, specificity=0.8)


@pytest.fixture(scope="module")
def modules() -> dict[str, torch.nn.Module]:
    torch.manual_seed(0)
    return {stage: untidy(build(spec)) for stage, spec in SPECS.items()}


@pytest.fixture
def save(modules: dict[str, torch.nn.Module]) -> Callable:
    """Return `save_bundle` with everything filled in that a test does not care for."""

    def _save(url: str | Path, **changed):
        facts = {"name": "test", "modules": modules, "networks": SPECS, "operating_points": {"pneumonia": POINT, "covid": POINT}}
        return save_bundle(str(url), **(facts | changed))

    return _save


@pytest.fixture
def folder(tmp_path: Path, save: Callable) -> Path:
    save(tmp_path / "bundle")
    return tmp_path / "bundle"


def edit(folder: Path, change: Callable[[dict], object]) -> None:
    manifest = json.loads((folder / "bundle.json").read_text())
    change(manifest)
    (folder / "bundle.json").write_text(json.dumps(manifest))


def replace_weights(folder: Path, stage: str, change: Callable[[dict], object]) -> None:
    """Change tensors and make the manifest agree with the file, as a careless tool would."""
    file = folder / f"{stage}.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)
    edit(folder, lambda manifest: manifest["networks"][stage].update(sha256=hashlib.sha256(file.read_bytes()).hexdigest()))


def test_what_is_written_is_what_is_loaded(tmp_path: Path, save: Callable, modules: dict[str, torch.nn.Module]):
    facts = {
        "preprocessing": Preprocessing(mean=0.4),
        "calibration": {"covid": Calibration(slope=1.5, intercept=-0.25, data="tuning split")},
        "training_data": {"images": 12, "sources": ["a", "b"]},
        "metrics": {"covid": {"auroc": 0.875}},
        "code_version": "0.1.0",
        "license": "Apache-2.0",
    }
    written = save(tmp_path / "bundle", **facts)
    found = load(str(tmp_path / "bundle"))
    assert found.manifest == written
    assert found.manifest.networks["covid"].input_size == 96
    for stage in STAGES:
        assert not found.networks[stage].training
        for key, value in modules[stage].state_dict().items():
            assert torch.equal(found.networks[stage].state_dict()[key], value)


def test_the_digest_is_of_the_canonical_json(folder: Path):
    manifest = load_manifest(str(folder))
    whole = json.loads((folder / "bundle.json").read_text())
    assert manifest.digest() == hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    assert digest12(manifest) == manifest.digest()[:12]
    for stage in STAGES:
        assert whole["networks"][stage]["sha256"] == hashlib.sha256((folder / f"{stage}.safetensors").read_bytes()).hexdigest()


def test_the_same_bundle_has_the_same_digest_anywhere(tmp_path: Path, save: Callable):
    first, second, other = save(tmp_path / "a"), save(tmp_path / "b"), save(tmp_path / "c", name="other")
    assert first.digest() == second.digest() != other.digest()


def test_half_the_size(tmp_path: Path, save: Callable, modules: dict[str, torch.nn.Module]):
    save(tmp_path / "full")
    save(tmp_path / "half", half=True)
    stored = load_file(tmp_path / "half" / "covid.safetensors")
    assert stored["features.conv0.weight"].dtype == torch.float16
    assert stored["features.norm0.running_var"].dtype == torch.float32
    loaded = load_networks(str(tmp_path / "half"))["covid"]
    assert all(tensor.dtype in (torch.float32, torch.int64) for tensor in loaded.state_dict().values())
    x = torch.randn(2, 1, 96, 96)
    torch.testing.assert_close(loaded(x), modules["covid"](x), rtol=0.01, atol=0.01)


def test_weights_in_bfloat16(folder: Path, modules: dict[str, torch.nn.Module]):
    replace_weights(
        folder, "covid", lambda tensors: tensors.update({key: value.bfloat16() for key, value in tensors.items() if value.ndim})
    )
    found = load_networks(str(folder))["covid"].state_dict()
    for key, value in modules["covid"].state_dict().items():
        assert torch.equal(found[key], value.bfloat16().float() if value.ndim else value), key


def test_a_metric_that_is_not_a_number_is_null(tmp_path: Path, save: Callable):
    written = save(tmp_path / "bundle", metrics={"auroc": float("nan")})
    assert written.metrics == {"auroc": None}
    assert verify(str(tmp_path / "bundle"), written.digest()) == written


def test_any_fsspec_url(save: Callable):
    written = save("memory://bundles/one")
    assert verify("memory://bundles/one").digest() == written.digest()
    assert sorted(Path(path).name for path in fsspec.filesystem("memory").ls("/bundles/one", detail=False)) == [
        "bundle.json",
        *sorted(f"{stage}.safetensors" for stage in STAGES),
    ]


def test_verify_holds_a_bundle_to_its_digest(folder: Path):
    digest = verify(str(folder)).digest()
    assert verify(str(folder), digest[:12]).digest() == verify(str(folder), digest).digest()
    edit(folder, lambda manifest: manifest["operating_points"]["covid"].update(threshold=0.5))
    assert verify(str(folder)).digest() != digest
    with pytest.raises(BundleError, match=r"bundle\.json was changed"):
        verify(str(folder), digest)


@pytest.mark.parametrize("file", ["bundle.json", "lungs.safetensors", "pneumonia.safetensors", "covid.safetensors"])
def test_a_missing_file(folder: Path, file: str):
    (folder / file).unlink()
    with pytest.raises(BundleError, match=f"{file} is missing"):
        verify(str(folder))


def test_no_folder(tmp_path: Path):
    with pytest.raises(BundleError, match=r"bundle\.json is missing"):
        load_manifest(str(tmp_path / "none"))


@pytest.mark.parametrize("position", [0, 9, 500, -1])
def test_a_changed_byte(folder: Path, position: int):
    file = folder / "covid.safetensors"
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleError, match=r"covid\.safetensors is damaged"):
        verify(str(folder))


def test_a_truncated_file(folder: Path):
    file = folder / "lungs.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BundleError, match=r"lungs\.safetensors is damaged"):
        verify(str(folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("head.bias"), r"lacks \['head.bias'\], has nothing"),
        (lambda tensors: tensors.update(more=torch.zeros(1)), r"has \['more'\] besides"),
        (lambda tensors: tensors.update({"head.bias": torch.zeros(2)}), r"head.bias has the shape \(2,\), the manifest asks for \(1,\)"),
        (lambda tensors: tensors["head.weight"].fill_(torch.nan), "head.weight holds values that are not finite"),
        (lambda tensors: tensors["head.weight"].fill_(torch.inf), "head.weight holds values that are not finite"),
        (
            lambda tensors: tensors.update({"head.bias": torch.tensor([torch.nan], dtype=torch.bfloat16)}),
            "head.bias holds values that are not finite",
        ),
        (
            lambda tensors: tensors.update({"head.bias": torch.zeros(1, dtype=torch.float8_e4m3fn)}),
            "head.bias holds F8_E4M3 numbers, not F64, F32, F16, BF16, I64",
        ),
    ],
)
def test_tensors_that_do_not_fit(folder: Path, change: Callable[[dict], object], message: str):
    replace_weights(folder, "pneumonia", change)
    with pytest.raises(BundleError, match=rf"pneumonia\.safetensors.*{message}"):
        verify(str(folder))


@pytest.mark.parametrize("content", [b"", b"\xff" * 100])
def test_weights_that_are_no_safetensors_file(folder: Path, content: bytes):
    (folder / "covid.safetensors").write_bytes(content)
    edit(folder, lambda manifest: manifest["networks"]["covid"].update(sha256=hashlib.sha256(content).hexdigest()))
    with pytest.raises(BundleError, match=r"covid\.safetensors is not a safetensors file"):
        verify(str(folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda manifest: manifest.update(format_version=2), "format_version"),
        (lambda manifest: manifest.update(surprise=1), "surprise"),
        (lambda manifest: manifest.pop("operating_points"), "operating_points"),
        (lambda manifest: manifest["operating_points"].pop("covid"), "no operating point for the stage 'covid'"),
        (lambda manifest: manifest["networks"].pop("lungs"), "no network for the stage 'lungs'"),
        (lambda manifest: manifest["networks"]["lungs"].update(architecture="densenet"), "'lungs' needs a unet"),
        (lambda manifest: manifest["networks"]["lungs"].update(file="../lungs.safetensors"), "file"),
        (lambda manifest: manifest["networks"]["lungs"]["arguments"].update(base_channels=8), "shape"),
        (lambda manifest: manifest["networks"]["covid"]["arguments"].update(growth_rate=10**12), "growth_rate"),
        (lambda manifest: manifest["networks"]["covid"]["arguments"].update(surprise=1), "surprise"),
        (lambda manifest: manifest["preprocessing"].update(mean=float("nan")), "NaN"),
        (lambda manifest: manifest.update(heatmap="paper_reshape"), "'paper_reshape' needs 1024"),
    ],
)
def test_a_manifest_that_this_code_cannot_follow(folder: Path, change: Callable[[dict], object], message: str):
    edit(folder, change)
    with pytest.raises(BundleError, match=message):
        verify(str(folder))


def test_no_json(folder: Path):
    (folder / "bundle.json").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(BundleError, match="not a manifest"):
        verify(str(folder))


@pytest.mark.parametrize("name", ["weights.pt", "old.PKL", "model.bin"])
def test_a_pickle_beside_the_weights(folder: Path, name: str):
    (folder / name).write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(BundleError, match=f"{name} may be a pickle"):
        verify(str(folder))


def test_other_files_may_lie_beside_the_weights(folder: Path):
    (folder / "curves.png").write_bytes(b"\x89PNG")
    verify(str(folder))


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
        ({"networks": SPECS | {"covid": NetworkSpec("densenet", 100, _DENSENET)}}, "input_size"),
    ],
)
def test_what_would_not_load_is_not_written(tmp_path: Path, save: Callable, changed: dict, message: str):
    with pytest.raises(BundleError, match=message):
        save(tmp_path / "bundle", **changed)
    assert not (tmp_path / "bundle").exists()

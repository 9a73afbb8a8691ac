"""A bundle that is damaged, incomplete or not for this code is refused with the file and the remedy."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from schemas.bundle import STAGES
from screening.bundle.checks import digest12, load_manifest, verify
from screening.errors import BundleError
from tests.screening.small_bundle import edit_manifest, replace_weights, save_small_bundle
from tests.told import Told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_small_bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_the_digest_is_of_the_canonical_json(folder: Path):
    manifest = load_manifest(str(folder))
    whole = json.loads((folder / "bundle.json").read_text())
    assert manifest.digest() == hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    assert digest12(manifest) == manifest.digest()[:12]
    for stage in STAGES:
        assert whole["networks"][stage]["sha256"] == hashlib.sha256((folder / f"{stage}.safetensors").read_bytes()).hexdigest()


def test_verify_holds_a_bundle_to_its_digest(folder: Path):
    told = Told()
    digest = verify(str(folder), on_progress=told).digest()
    assert told.ended == {"reading weights": (3, 3), "checking weights": (0, 0)}
    assert verify(str(folder), digest[:12]).digest() == verify(str(folder), digest).digest()
    edit_manifest(folder, lambda manifest: manifest["operating_points"]["covid"].update(threshold=0.5))
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
    edit_manifest(folder, lambda manifest: manifest["networks"]["covid"].update(sha256=hashlib.sha256(content).hexdigest()))
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
    edit_manifest(folder, change)
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

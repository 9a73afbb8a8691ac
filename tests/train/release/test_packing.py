"""A bundle in half the size: the same but for the digits of its weights, and it says what it was packed from."""

from pathlib import Path

import pytest
import torch

from screening.bundle.checks import verify
from screening.bundle.networks import load_networks
from screening.errors import BundleError
from tests.screening.small_bundle import save_small_bundle
from train.release.curves import CURVES_FILE
from train.release.packing import pack, weights_megabytes


def test_weights_are_rounded_and_everything_else_is_kept(tmp_path: Path) -> None:
    manifest = save_small_bundle(tmp_path / "bundle", metrics={"auroc": 0.75}, training_data={"images": 12}, license="MIT")
    packed = pack(str(tmp_path / "bundle"), str(tmp_path / "packed"), name="packed", license="Apache-2.0")
    assert verify(str(tmp_path / "packed")) == packed
    assert (packed.name, packed.license) == ("packed", "Apache-2.0")
    assert packed.training_data == {"images": 12, "packed_from": manifest.digest()}
    for fact in ("calibration", "operating_points", "metrics", "preprocessing", "heatmap"):
        assert getattr(packed, fact) == getattr(manifest, fact)
    before, after = (load_networks(str(tmp_path / name))["covid"].state_dict() for name in ("bundle", "packed"))
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor.half().float() if tensor.ndim > 1 else tensor, rtol=0, atol=0)


def test_name_and_license_stay_unless_others_are_given(tmp_path: Path) -> None:
    save_small_bundle(tmp_path / "bundle", license="MIT")
    packed = pack(str(tmp_path / "bundle"), str(tmp_path / "packed"))
    assert (packed.name, packed.license) == ("test", "MIT")


def test_the_size_is_that_of_the_weights(tmp_path: Path) -> None:
    manifest = save_small_bundle(tmp_path / "bundle")
    packed = pack(str(tmp_path / "bundle"), str(tmp_path / "packed"))
    sizes = [weights_megabytes(str(tmp_path / name), made) for name, made in (("bundle", manifest), ("packed", packed))]
    assert sizes[1] < 0.8 * sizes[0]
    assert sizes[1] == pytest.approx(sum(file.stat().st_size for file in (tmp_path / "packed").glob("*.safetensors")) / 1e6)


def test_the_picture_of_the_training_goes_with_it(tmp_path: Path) -> None:
    save_small_bundle(tmp_path / "bundle")
    (tmp_path / "bundle" / CURVES_FILE).write_text("<svg/>")
    pack(str(tmp_path / "bundle"), str(tmp_path / "packed"))
    assert (tmp_path / "packed" / CURVES_FILE).read_text() == "<svg/>"


def test_a_damaged_bundle_is_not_packed(tmp_path: Path) -> None:
    save_small_bundle(tmp_path / "bundle")
    (tmp_path / "bundle/covid.safetensors").write_bytes(b"")
    with pytest.raises(BundleError, match=r"covid\.safetensors"):
        pack(str(tmp_path / "bundle"), str(tmp_path / "packed"))
    assert not (tmp_path / "packed").exists()

"""A bundle's manifest: its digest changes with every fact, and what cannot be is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.bundle import DIGEST_LENGTH, BundleManifest, Calibration, Network, OperatingPoint, Preprocessing

NETWORK = Network(architecture="unet", input_size=256, file="lungs.safetensors", sha256="0" * 64)
POINT = OperatingPoint(threshold=0.5, rule="none", data="none")
MANIFEST = BundleManifest(name="a", networks={"lungs": NETWORK}, operating_points={"covid": POINT})


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "b"},
        {"networks": {"lungs": NETWORK.model_copy(update={"sha256": "1" * 64})}},
        {"networks": {"lungs": NETWORK.model_copy(update={"input_size": 128})}},
        {"operating_points": {"covid": POINT.model_copy(update={"threshold": 0.51})}},
        {"operating_points": {"covid": POINT.model_copy(update={"data": "elsewhere"})}},
        {"preprocessing": Preprocessing(min_age_years=18)},
        {"calibration": {"covid": Calibration(slope=2, intercept=0, data="here")}},
        {"heatmap": "paper_reshape"},
        {"training_data": {"images": 1}},
        {"metrics": {"auroc": 0.9}},
        {"code_version": "0.2"},
        {"license": "MIT"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_fact_changes_the_digest(changes: dict[str, Any]) -> None:
    assert MANIFEST.model_copy(update=changes).digest() != MANIFEST.digest()


def test_the_digest_survives_json() -> None:
    assert BundleManifest.model_validate_json(MANIFEST.model_dump_json()).digest() == MANIFEST.digest()
    assert DIGEST_LENGTH <= len(MANIFEST.digest()) == 64


@pytest.mark.parametrize(
    "wrong",
    [
        {"file": "../lungs.safetensors"},
        {"file": "weights/lungs.safetensors"},
        {"sha256": "0" * 63},
        {"input_size": 100},
    ],
    ids=lambda wrong: str(wrong),
)
def test_a_network_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Network(**(NETWORK.model_dump() | wrong))


def test_what_this_version_does_not_know_is_refused() -> None:
    with pytest.raises(ValidationError, match="surprise"):
        BundleManifest.model_validate(MANIFEST.model_dump() | {"surprise": 1})

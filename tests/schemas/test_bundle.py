"""A bundle's manifest: its digest changes with every fact, and what cannot be is refused."""

import hashlib
import json
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.bundle import DIGEST_LENGTH, BundleManifest, Calibration, Network, OperatingPoint, Overrides, Preprocessing, SitePoints

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
        {"sites": {"North": SitePoints(operating_points={"covid": POINT})}},
        {"code_version": "0.2"},
        {"license": "MIT"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_fact_changes_the_digest(changes: dict[str, Any]) -> None:
    assert MANIFEST.model_copy(update=changes).digest() != MANIFEST.digest()


def test_a_site_is_judged_by_its_own_points_and_every_other_by_the_bundles() -> None:
    own = POINT.model_copy(update={"threshold": 0.7})
    line = Calibration(slope=2, intercept=0, data="North")
    both = MANIFEST.model_copy(update={"operating_points": {"covid": POINT, "pneumonia": POINT}})
    bundle = both.judging_at({}, {"North": SitePoints(operating_points={"covid": own}, calibration={"covid": line})})
    assert bundle.digest() != both.digest() == both.judging_at(None).digest() == Overrides().applied(both).digest()
    assert (bundle.point_of("covid", "North"), bundle.calibration_of("covid", "North")) == (own, line)
    assert bundle.point_of("pneumonia", "North") == POINT  # a stage that a site has no point for
    for elsewhere in ("South", None):
        assert (bundle.point_of("covid", elsewhere), bundle.calibration_of("covid", elsewhere)) == (POINT, None)
    with pytest.raises(ValidationError, match="give the operating point on them"):
        SitePoints(operating_points={"pneumonia": own}, calibration={"covid": line})


def test_a_digest_is_what_it_was_before_there_were_points_of_sites_and_a_tone() -> None:
    facts = {name: value for name, value in MANIFEST.model_dump(mode="json").items() if name != "sites"}
    assert not {"gamma", "lung_brightness"} & facts["preprocessing"].keys()
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    assert MANIFEST.digest() == hashlib.sha256(canonical.encode()).hexdigest()
    for field in ("gamma", "lung_brightness"):
        brighter = MANIFEST.preprocessing.model_copy(update={field: 0.6})
        assert MANIFEST.model_copy(update={"preprocessing": brighter}).digest() != MANIFEST.digest()


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

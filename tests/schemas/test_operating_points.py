"""Operating points in a file: their evidence survives JSON, and what is no share or count is refused."""

from datetime import date

import pytest
from pydantic import ValidationError

from schemas.bundle import OperatingPoint, SitePoints
from schemas.operating_points import Evidence, OperatingPoints

EVIDENCE = Evidence(
    unit="patient", sensitivity_k=45, sensitivity_n=55, sensitivity_interval=(0.697, 0.898), specificity_k=498, specificity_n=619,
    specificity_interval=None,
)  # fmt: skip
POINTS = OperatingPoints(
    bundle_digest="a" * 64,
    chosen=date(2020, 3, 1),
    points={"covid": OperatingPoint(threshold=0.3, rule="sensitivity>=0.8", data="March")},
    evidence=EVIDENCE,
)


def test_they_survive_json() -> None:
    assert OperatingPoints.model_validate_json(POINTS.model_dump_json()) == POINTS


def test_points_of_sites_alone_are_enough_and_none_at_all_is_refused() -> None:
    own = SitePoints(operating_points=POINTS.points)
    points = OperatingPoints(bundle_digest="a" * 64, chosen=date(2020, 3, 1), sites={"North": own}, kept={"South": "12 people"})
    assert OperatingPoints.model_validate_json(points.model_dump_json()) == points
    with pytest.raises(ValidationError, match="neither for all images nor for a site"):
        OperatingPoints(bundle_digest="a" * 64, chosen=date(2020, 3, 1))


def test_what_this_version_does_not_know_is_refused() -> None:
    with pytest.raises(ValidationError, match="surprise"):
        OperatingPoints.model_validate(POINTS.model_dump() | {"surprise": 1})

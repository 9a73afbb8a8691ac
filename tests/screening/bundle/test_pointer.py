"""The file that names the bundle in use and its operating points."""

import json
from datetime import date
from pathlib import Path

import pytest

from schemas.bundle import Calibration, OperatingPoint, SitePoints
from schemas.operating_points import OperatingPoints
from screening.bundle import operating_points
from screening.bundle.pointer import BundlePointer, bundle_in_use, is_pointer, point_to
from screening.errors import BundleError, UsageError
from tests.screening.small_bundle import save_small_bundle

POINT = OperatingPoint(threshold=0.1 + 0.2, rule="r", data="d", sensitivity=1 / 3)
SITES = {"site-1": SitePoints(operating_points={"covid": POINT}, calibration={"covid": Calibration(slope=2 / 3, intercept=-1, data="d")})}


def test_a_folder_stands_for_itself() -> None:
    assert not is_pointer("s3://bucket/bundles/cxr")
    assert bundle_in_use("s3://bucket/bundles/cxr") == BundlePointer(bundle_url="s3://bucket/bundles/cxr")


@pytest.mark.parametrize(
    ("named", "expected"),
    [("/bundles/a", "/bundles/a"), ("s3://bucket/a", "s3://bucket/a"), ("bundles/a", "{folder}/bundles/a")],
)
def test_a_file_names_a_folder(tmp_path: Path, named: str, expected: str) -> None:
    file = tmp_path / "current.json"
    assert is_pointer(str(file))
    point_to(str(file), BundlePointer(bundle_url=named))
    assert json.loads(file.read_text()) == {"bundle_url": named}
    assert bundle_in_use(str(file)) == BundlePointer(bundle_url=expected.format(folder=tmp_path))


def test_a_file_holds_operating_points_to_the_last_bit(tmp_path: Path) -> None:
    own = save_small_bundle(tmp_path / "bundle")
    point_to(str(tmp_path / "current.json"), BundlePointer(bundle_url="bundle", operating_points={"pneumonia": POINT}, sites=SITES))
    manifest = bundle_in_use(str(tmp_path / "current.json")).manifest()
    assert manifest == own.judging_at({"pneumonia": POINT}, SITES)
    assert manifest.digest() != own.digest()


def test_a_folder_and_a_file_of_operating_points(tmp_path: Path) -> None:
    own, points = save_small_bundle(tmp_path / "bundle"), str(tmp_path / "points.json")
    chosen = OperatingPoints(bundle_digest=own.digest(), chosen=date(2020, 3, 1), points={"covid": POINT}, sites=SITES)
    operating_points.save(points, chosen)
    assert bundle_in_use(str(tmp_path / "bundle"), points).manifest() == own.judging_at({"covid": POINT}, SITES)
    with pytest.raises(UsageError, match="holds its operating points, too"):
        bundle_in_use(str(tmp_path / "current.json"), points)
    operating_points.save(points, chosen.model_copy(update={"bundle_digest": "0" * 64}))
    with pytest.raises(UsageError, match="for bundle 000000000000"):
        bundle_in_use(str(tmp_path / "bundle"), points)


def test_another_bundle_in_the_folder_is_not_the_one_that_the_file_names(tmp_path: Path) -> None:
    own, file = save_small_bundle(tmp_path / "bundle"), str(tmp_path / "current.json")
    at_points = BundlePointer(bundle_url="bundle", operating_points={"covid": POINT}, sites=SITES)
    point_to(file, at_points.model_copy(update={"bundle_digest": own.judging_at({"covid": POINT}, SITES).digest()}))
    assert bundle_in_use(file).manifest() == own.judging_at({"covid": POINT}, SITES)
    save_small_bundle(tmp_path / "bundle", half=True)  # other weights under the same name
    with pytest.raises(BundleError, match="put that one back, or register and promote this one"):
        bundle_in_use(file).manifest()
    point_to(file, at_points)
    assert bundle_in_use(file).manifest().operating_points["covid"] == POINT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"bundle_url": 1}',
        '{"bundle_url": "a", "and": "b"}',
        '{"bundle_url": "a", "bundle_digest": "0123"}',
        '{"bundle_url": "a", "operating_points": {"covid": {"threshold": 2}}}',
    ],
)
def test_a_file_that_names_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "current.json").write_text(text)
    with pytest.raises(BundleError, match=r"current\.json names no bundle"):
        bundle_in_use(str(tmp_path / "current.json"))
    with pytest.raises(BundleError, match=r"none\.json does not exist"):
        bundle_in_use(str(tmp_path / "none.json"))

"""A random bundle fitted to a made-up hospital: its numbers are the site's, its weights are the bundle's."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from schemas.bundle import Calibration
from screening.benchmark.random_bundle import save_random_bundle
from screening.bundle.checks import load_manifest, verify
from screening.bundle.operating_points import check
from screening.cascade.cascade import Cascade
from screening.errors import TrainingError
from tests.archives import phantom_pixels
from tests.train.radiographs import decoded, write_manifest, write_radiographs
from train.data.images import pixels_of
from train.data.manifest import read_manifest
from train.evaluation.intervals import Resampling
from train.release.site import SiteFit, fit_site, images_needed, points_of

pytestmark = pytest.mark.usefixtures("ray_cluster")

RULES = {"pneumonia": "sensitivity>=0.80", "covid": "youden"}
HOW = Resampling(replicates=20)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = str(tmp_path_factory.mktemp("bundle"))
    save_random_bundle(url, phantom_pixels(4))
    return url


@pytest.fixture(scope="module")
def radiographs(bundle: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifteen images, labelled as the bundle ranks them, because its networks know nothing of disease."""
    path = write_radiographs(tmp_path_factory.mktemp("set"), ["train", "val", "test", "test", "train"])
    found = Cascade.from_bundle(bundle, device="cpu")(pixels_of(decoded(path)), audit=np.ones(15, bool), guided=False)
    ill = set(np.argsort(found.pneumonia_logit)[5:].tolist())
    tested = set(sorted(ill, key=lambda i: found.covid_logit[i])[5:])
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    labels = ["covid" if i in tested else "pneumonia" if i in ill else "normal" for i in range(15)]
    return write_manifest(path, [row | {"label": label} for row, label in zip(rows, labels, strict=True)])


@pytest.mark.slow  # several evaluations
def test_a_site_gets_numbers_of_its_own_and_the_same_networks(bundle: str, radiographs: Path, tmp_path: Path) -> None:
    manifest = read_manifest(str(radiographs))
    fitted, found = fit_site(bundle, manifest, "north", str(tmp_path / "north"), RULES, least=5, how=HOW)
    before = load_manifest(bundle)
    assert verify(str(tmp_path / "north")) == fitted
    assert fitted.digest() != before.digest()
    assert (fitted.name, fitted.networks) == (f"{before.name}@north", before.networks)
    assert fitted.training_data["fitted_to"]["bundle"] == before.digest()
    assert (fitted.training_data["fitted_to"]["images"], fitted.training_data["fitted_to"]["patients"]) == (15, 15)
    assert [(fit.stage, fit.positives, fit.negatives) for fit in found] == [("pneumonia", 10, 5), ("covid", 5, 5)]
    for fit in found:
        point = fitted.operating_points[fit.stage]
        assert (fit.kept, point.rule, "site north, manifest" in point.data) == (None, RULES[fit.stage], True)
        assert point.sensitivity == fit.after["sensitivity"]["value"]
        assert fit.after["auroc"]["value"] == fit.before["auroc"]["value"]
    json.dumps([fit.to_json() for fit in found], allow_nan=False)

    points = points_of(fitted, found, "North, 2nd floor")
    at_site = before.judging_at(None, check(points, before.digest()).sites)
    for stage in RULES:
        assert at_site.point_of(stage, "North, 2nd floor") == fitted.operating_points[stage]
        assert at_site.calibration_of(stage, "North, 2nd floor") == fitted.calibration[stage]
        assert at_site.point_of(stage, "elsewhere") == before.operating_points[stage]
    evidence, after = points.site_evidence["North, 2nd floor"], found[-1].after
    assert (evidence.others["stage"], evidence.sensitivity_k, evidence.specificity_n) == ("covid", after["sensitivity"]["k"], 5)


def test_a_stage_that_keeps_the_bundles_numbers_has_none_of_the_sites(bundle: str) -> None:
    before = load_manifest(bundle)
    share = {"k": 4, "n": 5}
    figures = {"sensitivity": share, "specificity": share}
    kept, own = (SiteFit(stage, 5, 5, why, {}, figures, {}) for stage, why in (("covid", "it has 5"), ("pneumonia", None)))
    line = Calibration(slope=2, intercept=1, data="here")
    record = before.training_data | {"fitted_to": {"bundle": before.digest()}}
    fitted = before.model_copy(update={"calibration": {"pneumonia": line}, "training_data": record})
    points = points_of(fitted, [kept, own], "north")
    assert (list(points.sites["north"].operating_points), points.sites["north"].calibration) == (["pneumonia"], {"pneumonia": line})
    assert points.site_evidence["north"].sensitivity_interval == pytest.approx((0.376, 0.964), abs=1e-3)  # Wilson's of 4 in 5


def test_too_few_images_keep_the_bundles_own(bundle: str, radiographs: Path, tmp_path: Path) -> None:
    manifest = read_manifest(str(radiographs))
    with pytest.raises(TrainingError, match="10 positive and 5 negative images, 50 of each are needed"):
        fit_site(bundle, manifest, "north", str(tmp_path / "north"), RULES, how=HOW)
    assert not (tmp_path / "north").exists()


def test_how_many_images_a_narrow_interval_needs() -> None:
    shares = {"sensitivity": {"value": 0.9}, "specificity": {"value": 1.0}}
    assert images_needed(shares) == {"sensitivity": 139, "specificity": 16}  # 1.96² × 0.9 × 0.1 / 0.05² = 138.3

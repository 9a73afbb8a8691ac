"""A random bundle fitted to a made-up hospital: its numbers are the site's, its weights are the bundle's."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from screening.benchmark.random_bundle import save_random_bundle
from screening.bundle.checks import load_manifest, verify
from screening.cascade.cascade import Cascade
from screening.errors import TrainingError
from tests.archives import phantom_pixels
from tests.train.radiographs import decoded, write_manifest, write_radiographs
from train.data.images import pixels_of
from train.data.manifest import read_manifest
from train.evaluation.intervals import Resampling
from train.release.site import fit_site, images_needed

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


def test_too_few_images_keep_the_bundles_own(bundle: str, radiographs: Path, tmp_path: Path) -> None:
    manifest = read_manifest(str(radiographs))
    with pytest.raises(TrainingError, match="10 positive and 5 negative images, 50 of each are needed"):
        fit_site(bundle, manifest, "north", str(tmp_path / "north"), RULES, how=HOW)
    assert not (tmp_path / "north").exists()


def test_how_many_images_a_narrow_interval_needs() -> None:
    shares = {"sensitivity": {"value": 0.9}, "specificity": {"value": 1.0}}
    assert images_needed(shares) == {"sensitivity": 139, "specificity": 16}  # 1.96² × 0.9 × 0.1 / 0.05² = 138.3

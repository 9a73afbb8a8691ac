"""`screening score` as a user calls it."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from jobs.cli import make_app
from schemas.answer import Answer
from schemas.bundle import OperatingPoint
from schemas.operating_points import Evidence, OperatingPoints
from screening.bundle import operating_points
from screening.bundle.checks import load_manifest
from screening.bundle.released import phantom_bundle
from screening.errors import ArchiveError, BundleError, UsageError
from screening.privacy import Pseudonymizer, create_key
from tests.archives import phantom_dicom

runner = CliRunner()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("files")
    (folder / "normal.dcm").write_bytes(phantom_dicom(0, "normal", 512))
    (folder / "covid.dcm").write_bytes(phantom_dicom(1, "covid", 512))
    (folder / "notes.txt").write_text("no image")
    return [str(folder / name) for name in ("normal.dcm", "covid.dcm", "notes.txt")]


def score(*arguments: str, expected: int = 0):
    done = runner.invoke(make_app(), ["score", "--bundle", phantom_bundle(), *arguments])
    assert done.exit_code == expected, done.output
    return done


def test_for_people_and_with_pictures(files: list[str], tmp_path: Path) -> None:
    text = score(*files, "--heatmaps", str(tmp_path / "maps")).stdout
    assert f"{files[0]}: scored by synthetic-small (1d1fd39643d3)" in text
    assert "COVID-19: not asked, because stage 2 is negative" in text
    assert "COVID-19: positive (probability 0." in text
    assert f"{files[2]}: rejected, not_dicom: starts as no DICOM" in text
    names = {path.name for path in (tmp_path / "maps").iterdir()}
    assert names == {
        *(f"0001.{kind}.png" for kind in ("image", "lungs", "pneumonia")),
        *(f"0002.{kind}.png" for kind in ("image", "lungs", "pneumonia", "covid", "guided")),
    }
    assert np.asarray(Image.open(tmp_path / "maps" / "0002.covid.png")).shape == (512, 512)


def test_for_programs_with_a_key_and_other_thresholds(files: list[str], tmp_path: Path) -> None:
    key = create_key(tmp_path / "key")
    digest = load_manifest(phantom_bundle()).digest()
    points = {"pneumonia": OperatingPoint(threshold=0.0, rule="all", data="a test")}
    counts = {"sensitivity_k": 1, "sensitivity_n": 1, "specificity_k": 0, "specificity_n": 1}
    evidence = Evidence(unit="instance", sensitivity_interval=None, specificity_interval=None, **counts)
    chosen = OperatingPoints(bundle_digest=digest, chosen=date(2020, 3, 1), points=points, evidence=evidence)
    operating_points.save(str(tmp_path / "points.json"), chosen)
    options = ["--json", "--pseudonym-key", str(tmp_path / "key"), "--operating-points", str(tmp_path / "points.json")]
    lines = score(*files, *options).stdout.splitlines()
    normal, covid, notes = (Answer.model_validate(json.loads(line)) for line in lines)
    assert (normal.pneumonia_positive, normal.pneumonia_threshold) == (True, 0.0)
    assert normal.covid_score is not None
    assert normal.patient_pseudonym == Pseudonymizer(key).pseudonym("TEST-0", "PatientID")
    assert covid.bundle_digest != digest
    assert (notes.outcome, notes.file) == ("rejected", files[2])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (["no-such.dcm"], ArchiveError, "no such folder, file or bucket"),
        (["FILE", "--operating-points", "none.json"], UsageError, "does not exist"),
        (["FILE", "--bundle", "nowhere"], BundleError, "give the folder of a bundle"),
        (["FILE", "--device", "cuda:9"], UsageError, "no GPU"),
        (["FILE", "--pseudonym-key", "no.key"], UsageError, "key"),
        (["FILE", "--sites", "sites.csv"], UsageError, "Give the key of the nights"),
    ],
)
def test_what_cannot_begin(files: list[str], arguments: list[str], error: type[Exception], words: str) -> None:
    done = score(*[files[0] if argument == "FILE" else argument for argument in arguments], expected=1)
    assert isinstance(done.exception, error)
    assert words in str(done.exception)
    assert done.stdout == ""

import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jobs.cli import make_app
from schemas.operating_points import OperatingPoints
from screening.bundle.checks import load_manifest
from screening.bundle.operating_points import load
from screening.bundle.released import RELEASED_BUNDLE
from screening.errors import TrainingError, UsageError
from tests.train.radiographs import write_radiographs
from train.release.site import SiteFit

SHARE = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 10, "patients": 10, "k": 9}
ACCURACY = {"auroc": {"value": 0.85, "low": 0.7, "high": 0.9, "n": 20, "patients": 20}, "sensitivity": SHARE, "specificity": SHARE}
NEEDED = {"sensitivity": 1139, "specificity": 16}
FOUND = [
    SiteFit("pneumonia", 60, 70, None, ACCURACY, ACCURACY, NEEDED),
    SiteFit("covid", 3, 57, "keeps the bundle's own numbers: it has 3", ACCURACY, ACCURACY, NEEDED),
]


def points_of_another_bundle() -> OperatingPoints:
    """Points for a bundle that is not the released one."""
    point = load_manifest(str(RELEASED_BUNDLE)).operating_points["covid"]
    return OperatingPoints(bundle_digest="ab" * 32, chosen=date(2020, 3, 1), points={"covid": point})


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(make_app(), ["calibrate", *map(str, arguments)])


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list:
    """Calls of train.release.site.fit_site, which is shown elsewhere."""
    calls = []

    def fit_site(*arguments, **options) -> tuple:
        calls.append((arguments, options))
        released = load_manifest(str(RELEASED_BUNDLE))
        record = released.training_data | {"fitted_to": {"bundle": released.digest()}}
        return released.model_copy(update={"training_data": record}), FOUND

    monkeypatch.setattr("train.release.site.fit_site", fit_site)
    return calls


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_radiographs(tmp_path_factory.mktemp("set"), ["train", "val"])


def test_a_person_reads_what_was_fitted_and_what_was_not(called: list, labels: Path) -> None:
    answer = invoke(RELEASED_BUNDLE, labels, "--site", "north", "--output", "out", "--least", 40, "--covid-rule", "youden")
    assert answer.exit_code == 0, answer.output
    [((_, manifest, site, output, rules), options)] = called
    assert (manifest.url, site, output, options["least"]) == (str(labels), "north", "out", 40)
    assert rules == {"pneumonia": "sensitivity>=0.90", "covid": "youden"}
    words = ("60 positive, 70 negative", "flatter", "keeps the bundle's own numbers: it has 3", "needs about 1,139 positive images")
    assert [said for said in words if said not in answer.stdout] == []


def test_the_points_of_several_hospitals_are_put_into_one_file(called: list, labels: Path, tmp_path: Path) -> None:
    file = tmp_path / "sites.json"
    for site in ("North, 2nd floor", "south", "south"):
        answer = invoke(RELEASED_BUNDLE, labels, "--site", site, "--save", file)
        assert answer.exit_code == 0, answer.output
    assert f"operating points of North, 2nd floor, south in {file}" in answer.stdout
    assert "bundle" not in answer.stdout.splitlines()[-1]
    assert [options for (*_, output, _), options in called if output is not None] == []
    points = load(str(file))
    assert list(points.sites) == list(points.site_evidence) == ["North, 2nd floor", "south"]
    assert list(points.sites["south"].operating_points) == ["pneumonia"]  # stage 3 kept the bundle's
    said = json.loads(invoke(RELEASED_BUNDLE, labels, "--site", "south", "--save", file, "--json").stdout)
    assert (said["bundle"], said["sites"]) == (None, ["North, 2nd floor", "south"])


def test_json_is_what_was_found(called: list, labels: Path) -> None:
    answer = json.loads(invoke(RELEASED_BUNDLE, labels, "--site", "north", "--output", "out", "--json").stdout)
    assert answer["stages"] == [fit.to_json() for fit in FOUND]


def test_wrong_arguments_are_refused(called: list, labels: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(points_of_another_bundle().model_dump_json())
    for arguments, error, words in (
        ((RELEASED_BUNDLE, labels, "--site", "north"), UsageError, "give --output for a bundle, --save"),
        ((RELEASED_BUNDLE, labels, "--site", "north", "--save", other), UsageError, "for bundle abababababab, not"),
        ((RELEASED_BUNDLE, labels, "--site", "north", "--save", labels), UsageError, "holds no operating points"),
        ((RELEASED_BUNDLE, labels, "--site", "a/b", "--output", "out"), UsageError, "letters"),
        ((RELEASED_BUNDLE, labels, "--site", "a", "--output", "out", "--pneumonia-rule", "best"), UsageError, "best"),
        ((RELEASED_BUNDLE, tmp_path / "none.csv", "--site", "a", "--output", "out"), TrainingError, "missing"),
    ):
        answer = invoke(*arguments)
        assert isinstance(answer.exception, error)
        assert words in str(answer.exception)
    assert called == []

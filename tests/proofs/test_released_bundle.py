"""The figures of the released bundle, measured again on patients that it has not seen."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from screening.bundle.checks import verify
from screening.bundle.released import RELEASED_BUNDLE
from tests.hospitals import write_hospitals
from tests.programs import screening
from tests.real_data import cxr_folder
from train.evaluation.metrics_file import METRICS_FILE

pytestmark = pytest.mark.slow

LEAST = {"dice": 0.95, "pneumonia": 0.92, "covid": 0.92}  # what this release holds on the test splits; we want 0.95 and 0.93
MOST_ERASED = {"pneumonia": 0.60, "covid": 0.65}  # AUROC without the lungs


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What `screening evaluate` finds on the test split now."""
    folder = tmp_path_factory.mktemp("evaluation")
    labels = write_hospitals(tmp_path_factory.mktemp("hospitals"))
    command = ["evaluate", str(RELEASED_BUNDLE), str(labels), "--output", str(folder), "--split", "test"]
    screening(*command, "--replicates", "200", "--audit", "quick", seconds=900)
    return json.loads((folder / METRICS_FILE).read_text())


def test_the_card_says_what_is_measured(measured: dict) -> None:
    said = json.loads((RELEASED_BUNDLE / METRICS_FILE).read_text())
    assert measured["manifest"] == said["manifest"]
    for stage in ("pneumonia", "covid"):
        now, then = (answer["splits"]["test"]["stages"][stage]["auroc"]["value"] for answer in (measured, said))
        assert now == pytest.approx(then, abs=0.005)


def test_it_is_as_good_as_we_say(measured: dict) -> None:
    figures = measured["splits"]["test"]
    assert figures["dice"]["mean"]["value"] >= LEAST["dice"]
    for stage in ("pneumonia", "covid"):
        assert figures["stages"][stage]["auroc"]["value"] >= LEAST[stage]


@pytest.mark.parametrize("stage", ["pneumonia", "covid"])
def test_without_lungs_there_is_little_left_to_tell_by(measured: dict, stage: str) -> None:
    erased = measured["splits"]["test"]["audit"]["lungs_erased"][stage]
    assert erased["difference"]["bootstrap_low"] > 0
    assert erased["lungs_erased"]["value"] <= MOST_ERASED[stage]


def test_a_run_uses_it_unless_another_is_named(tmp_path: Path) -> None:
    with (cxr_folder() / "labels.csv").open() as file:
        images = [row["image"] for row in csv.DictReader(file) if row["split"] == "test"][:3]
    (tmp_path / "archive").mkdir()
    for image in images:
        shutil.copy(cxr_folder() / image, tmp_path / "archive")
    key = tmp_path / "key"
    key.write_bytes(b"0123456789abcdef0123456789abcdef")
    key.chmod(0o600)
    options = ["--results", str(tmp_path / "results"), "--pseudonym-key", str(key), "--json"]
    run = json.loads(screening("run", str(tmp_path / "archive"), *options, seconds=900).stdout)[-1]
    assert run["bundle_digest"] == verify(str(RELEASED_BUNDLE)).digest()
    assert run["counts"]["outcomes"] == {"scored": 3, "rejected": 0, "failed": 0}

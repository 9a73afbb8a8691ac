import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jobs.cli import make_app
from screening.bundle.released import RELEASED_BUNDLE
from screening.errors import BundleError, TrainingError, UsageError
from tests.train.radiographs import write_radiographs

SHARE = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 10, "patients": 10, "k": 9}
AREA = {"value": 0.8512, "low": 0.7, "high": 0.9, "n": 20, "patients": 20}
FOLD = {
    **{"source": "east", "fresh_weights": True, "positives": 10, "negatives": 10, "auroc": AREA},
    **{"sensitivity": SHARE, "specificity": SHARE, "lungs_erased": AREA},
}
FOUND = {
    **{"stage": "pneumonia", "folds": [FOLD], "mean_auroc": 0.8512, "least_auroc": 0.8512},
    **{"mean_sensitivity": 0.9, "mean_specificity": 0.9},
}


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(make_app(), ["crossval", *map(str, arguments)])


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list:
    """Calls of train.crossval.cross_validate, which is shown elsewhere."""
    calls = []
    monkeypatch.setattr("train.crossval.cross_validate", lambda *arguments, **options: calls.append((arguments, options)) or FOUND)
    return calls


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_radiographs(tmp_path_factory.mktemp("set"), ["train", "val"])


def test_options_reach_the_folds(called: list, labels: Path) -> None:
    options = ("--size", 96, "--epochs", 2, "--source", "east", "--tuberculosis", "left-out", "--exclude-license", "NC", "--fresh-weights")
    options += ("--init-weights", "lite.pth", "--weights-license", "Apache-2.0")
    answer = invoke(labels, "--output", "out", "--init-from", RELEASED_BUNDLE, *options)
    assert answer.exit_code == 0, answer.output
    [((stage, manifest, output, config, init_from), given)] = called
    assert (stage, manifest.url, output, init_from, given["sources"]) == ("pneumonia", str(labels), "out", str(RELEASED_BUNDLE), ["east"])
    assert given["fresh"]
    assert (given["init_weights"], given["weights_license"]) == ("lite.pth", "Apache-2.0")
    assert "east *" in answer.stdout
    assert (config.pneumonia.input_size, config.pneumonia.epochs, config.pneumonia.coarse_size) == (96, 2, None)
    assert (config.pneumonia.balance, config.tuberculosis, config.exclude_license) == ("source", "left-out", "NC")
    assert "0.851 (0.700 to 0.900)" in answer.stdout
    assert "mean AUROC 0.851, least 0.851" in answer.stdout
    for preset, size in (("hospitals", 160), ("photographs", 256)):
        invoke(labels, "--output", "out", "--init-from", RELEASED_BUNDLE, "--preset", preset)
        assert called[-1][0][3].pneumonia.input_size == size


def test_what_folds_began_with_is_said(labels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file, said in ((None, "* begun with fresh weights"), ({"file": "lite.pth"}, "* begun with the weights of lite.pth")):
        monkeypatch.setattr("train.crossval.cross_validate", lambda *_, file=file, **__: FOUND | {"init_weights": file})
        assert said in invoke(labels, "--output", "out", "--init-from", RELEASED_BUNDLE).stdout


def test_json_is_what_was_found(called: list, labels: Path) -> None:
    assert json.loads(invoke(labels, "--output", "out", "--init-from", RELEASED_BUNDLE, "--json").stdout) == FOUND


def test_wrong_arguments_are_refused_before_anything_is_trained(called: list, labels: Path, tmp_path: Path) -> None:
    for arguments, error in (
        ((labels, "--output", "out", "--init-from", tmp_path / "none"), BundleError),
        ((tmp_path / "none.csv", "--output", "out", "--init-from", RELEASED_BUNDLE), TrainingError),
        ((labels, "--output", "out", "--init-from", RELEASED_BUNDLE, "--size", 100), UsageError),
    ):
        assert isinstance(invoke(*arguments).exception, error)
    assert called == []

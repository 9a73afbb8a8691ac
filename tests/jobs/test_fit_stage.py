import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs import fit_stage
from jobs.cli import make_app
from schemas.bundle import BundleManifest, OperatingPoint, Preprocessing
from screening.errors import UsageError

runner = CliRunner()


@pytest.fixture
def manifest() -> BundleManifest:
    """What a training returns; the networks do not matter here."""
    point = OperatingPoint(threshold=0.4, rule="youden", data="here", sensitivity=0.95, specificity=0.9)
    figures = {"images": 60, "lungs_dice": 0.97, "lungs_dice_images": 60, "pneumonia_auroc": 0.98, "covid_auroc": 0.99}
    return BundleManifest(
        name="mine",
        networks={},
        preprocessing=Preprocessing(),
        operating_points={"pneumonia": point, "covid": point},
        metrics={"val": figures},
    )


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, manifest: BundleManifest) -> list:
    """Calls of train.fit.fit, which is shown elsewhere."""
    calls = []

    def fit(*arguments, **options) -> BundleManifest:
        calls.append((arguments, options))
        options["on_epoch"](
            {"stage": "lungs", "epoch": 1, "epochs": 2, "train_loss": 1.0, "tuning_loss": 1.0, "tuning_dice": 0.5, "images_per_second": 9}
        )
        return manifest

    monkeypatch.setattr("train.fit.fit", fit)
    return calls


def test_options_reach_the_training(called: list) -> None:
    arguments = "fit covid set/labels.csv --output out/mine --preset small --epochs 2 --workers 2 --seed 5 --init-from b --storage s"
    result = runner.invoke(make_app(), arguments.split())
    assert result.exit_code == 0, result.output
    [((stage, manifest_url, output, config), options)] = called
    assert (stage, manifest_url, output, options["init_from"]) == ("covid", "set/labels.csv", "out/mine", "b")
    assert (config.name, config.workers, config.seed, config.storage_url, config.use_gpu) == ("mine", 2, 5, "s", False)
    assert config.covid.epochs == 2
    assert config.covid.input_size == 128
    assert "AUROC 0.990, threshold 0.400 (youden)" in result.output
    assert "lungs      epoch  1/2" in result.output


def test_incremental_learning_is_asked_for_by_name(called: list) -> None:
    arguments = "fit pneumonia new.csv --output b --init-from old --distill-weight 0.5 --old-manifest old.csv"
    assert runner.invoke(make_app(), arguments.split()).exit_code == 0
    [((*_, config), options)] = called
    assert (config.distill_weight, options["init_from"], options["old_manifest"]) == (0.5, "old", "old.csv")


def test_json_is_the_manifest_alone(called: list, manifest: BundleManifest) -> None:
    result = runner.invoke(make_app(), ["fit", "all", "labels.csv", "--output", "b", "--json"])
    assert json.loads(result.stdout) == json.loads(manifest.model_dump_json())
    assert called[0][0][3].pneumonia.input_size == 512


def test_wrong_usage(tmp_path: Path) -> None:
    app = make_app()
    for arguments in (
        ["fit", "heart", "labels.csv", "--output", "b"],
        ["fit", "all", "labels.csv"],
        ["fit", "all", "x", "--output", "b", "--epochs", "0"],
        ["fit", "pneumonia", "x", "--output", "b", "--init-from", "a", "--distill-weight", "-1"],
    ):
        assert runner.invoke(app, arguments).exit_code == 2
    result = runner.invoke(app, ["fit", "lungs", str(tmp_path / "labels.csv"), "--output", "b"])
    assert isinstance(result.exception, UsageError)


def test_help_shows_an_example() -> None:
    result = runner.invoke(make_app(), ["fit", "--help"])
    assert "screening fit all" in result.output
    assert fit_stage.command.__doc__

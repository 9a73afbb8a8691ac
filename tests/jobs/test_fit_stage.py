import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs import fit_stage
from jobs.cli import make_app
from schemas.bundle import BundleManifest, OperatingPoint, Preprocessing
from screening.bundle.released import RELEASED_BUNDLE
from screening.errors import BundleError, TrainingError, UsageError
from tests.train.radiographs import write_radiographs

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


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A manifest with images to train and to tune on."""
    return str(write_radiographs(tmp_path_factory.mktemp("set"), ["train", "val"]))


RELEASED = str(RELEASED_BUNDLE)


def test_options_reach_the_training(called: list, labels: str) -> None:
    arguments = f"fit covid {labels} --output out/mine --preset small --epochs 2 --workers 2 --seed 5 --init-from {RELEASED} --storage s"
    result = runner.invoke(make_app(), arguments.split())
    assert result.exit_code == 0, result.output
    [((stage, manifest_url, output, config), options)] = called
    assert (stage, manifest_url, output, options["init_from"]) == ("covid", labels, "out/mine", RELEASED)
    assert (config.name, config.workers, config.seed, config.storage_url, config.use_gpu) == ("mine", 2, 5, "s", False)
    assert config.covid.epochs == 2
    assert config.covid.input_size == 128
    assert "AUROC 0.990, threshold 0.400 (youden)" in result.output
    assert "lungs      epoch  1/2" in result.output


def test_incremental_learning_is_asked_for_by_name(called: list, labels: str) -> None:
    arguments = f"fit pneumonia {labels} --output b --preset photographs --init-from {RELEASED} --distill-weight 0.5"
    arguments += f" --old-manifest {labels}"
    assert runner.invoke(make_app(), arguments.split()).exit_code == 0
    [((*_, config), options)] = called
    assert (config.distill_weight, options["init_from"], options["old_manifest"]) == (0.5, RELEASED, labels)
    assert (config.pneumonia.balance, config.covid.balance) == ("label", "source")  # old and new groups stand side by side in a batch


def test_json_is_the_manifest_alone(called: list, manifest: BundleManifest, labels: str) -> None:
    result = runner.invoke(make_app(), ["fit", "all", labels, "--output", "b", "--json"])
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


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["lungs", "LABELS"], UsageError, "--init-from that brings pneumonia and covid"),
        (["covid", "LABELS", "--init-from", "none"], BundleError, "none/bundle.json is missing"),
        (["all", "none.csv"], TrainingError, "none.csv is missing"),
        (["pneumonia", "LABELS", "--init-from", RELEASED, "--distill-weight", "1"], UsageError, "--preset 512"),
        (["pneumonia", "LABELS", "--init-from", RELEASED, "--old-manifest", "none.csv"], UsageError, "--old-manifest names the old data"),
        (["all", "LABELS", "--preset", "public", "--epochs", "9", "--coarse-epochs", "9"], UsageError, "--coarse-epochs 9 must be below"),
        (["all", "LABELS", "--preset", "photographs"], UsageError, "stage pneumonia of this --preset is not trained"),
        (["lungs", "LABELS", "--init-from", RELEASED, "--init-weights", "lite.pth"], UsageError, "--init-weights are of a DenseNet-121 or"),
        (["all", "LABELS", "--workers", "3"], UsageError, "--workers 3 cannot share"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_starts(
    arguments: list[str], error: type[Exception], message: str, labels: str, called: list
) -> None:
    result = runner.invoke(make_app(), ["fit", *(labels if word == "LABELS" else word for word in arguments), "--output", "b"])
    assert isinstance(result.exception, error)
    assert message in str(result.exception)
    assert called == []


def test_help_shows_an_example() -> None:
    result = runner.invoke(make_app(), ["fit", "--help"])
    assert "screening fit all" in result.output
    assert fit_stage.command.__doc__

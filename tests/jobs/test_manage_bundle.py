"""`screening bundle`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.manage_bundle import app
from schemas.bundle import BundleManifest, Calibration, OperatingPoint
from screening.bundle import NetworkSpec, save_bundle
from screening.errors import BundleError
from screening.models import build

runner = CliRunner()


@pytest.fixture
def bundle(tmp_path: Path) -> tuple[str, BundleManifest]:
    densenet = {"growth_rate": 4, "block_config": [1, 1], "num_init_features": 8}
    networks = {
        "lungs": NetworkSpec("unet", 64, {"base_channels": 4, "depth": 1}),
        "pneumonia": NetworkSpec("densenet", 64, densenet),
        "covid": NetworkSpec("densenet", 64, densenet),
    }
    point = OperatingPoint(threshold=0.125, rule="sensitivity >= 0.9", data="tuning split", sensitivity=0.905)
    manifest = save_bundle(
        str(tmp_path / "bundle"),
        name="small",
        modules={stage: build(spec) for stage, spec in networks.items()},
        networks=networks,
        operating_points={"pneumonia": point, "covid": point},
        calibration={"covid": Calibration(slope=2, intercept=0.5, data="tuning split")},
        metrics={"auroc": 0.75},
    )
    return str(tmp_path / "bundle"), manifest


def test_verify(bundle: tuple[str, BundleManifest]):
    url, manifest = bundle
    answer = runner.invoke(app, ["verify", url, "--digest", manifest.digest()[:12]])
    assert answer.exit_code == 0
    assert manifest.digest() in answer.stdout
    answer = runner.invoke(app, ["verify", url, "--json"])
    assert json.loads(answer.stdout) == {"bundle": url, "name": "small", "digest": manifest.digest(), "valid": True}


def test_verify_refuses(bundle: tuple[str, BundleManifest]):
    url, _ = bundle
    assert isinstance(runner.invoke(app, ["verify", url, "--digest", "0123"]).exception, BundleError)
    (Path(url) / "covid.safetensors").write_bytes(b"")
    answer = runner.invoke(app, ["verify", url])
    assert isinstance(answer.exception, BundleError)
    assert answer.exit_code == 1


def test_show(bundle: tuple[str, BundleManifest]):
    url, manifest = bundle
    shown = runner.invoke(app, ["show", url]).stdout
    for part in (
        "small",
        manifest.digest(),
        "densenet",
        "0.1250",
        "0.905",
        "sensitivity >= 0.9",
        "2.0000 * logit + 0.5000",
        "auroc = 0.75",
    ):
        assert part in shown
    assert json.loads(runner.invoke(app, ["show", url, "--json"]).stdout) == {"digest": manifest.digest()} | manifest.model_dump(
        mode="json"
    )


def test_show_reads_no_weights(bundle: tuple[str, BundleManifest]):
    url, _ = bundle
    (Path(url) / "covid.safetensors").unlink()
    assert runner.invoke(app, ["show", url]).exit_code == 0


@pytest.mark.parametrize("command", ["verify", "show"])
def test_help_shows_an_example(command: str):
    assert f"screening bundle {command} bundles/cxr-public-1" in runner.invoke(app, [command, "--help"]).stdout

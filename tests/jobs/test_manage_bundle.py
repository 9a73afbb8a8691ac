"""`screening bundle`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.manage_bundle import app
from schemas.bundle import BundleManifest, Calibration, OperatingPoint
from screening.bundle.checks import verify
from screening.bundle.networks import NetworkSpec, save_bundle
from screening.errors import BundleError, UsageError
from screening.models.build import build

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


def test_pack_says_what_it_wrote(bundle: tuple[str, BundleManifest], tmp_path: Path):
    """What packing does to a bundle is shown in tests/train/release/test_packing.py."""
    url, packed_url = bundle[0], str(tmp_path / "packed")
    answer = json.loads(runner.invoke(app, ["pack", url, packed_url, "--name", "packed", "--json"]).stdout)
    assert (answer["name"], answer["digest"]) == ("packed", verify(packed_url).digest())
    assert 0 < answer["megabytes"] < 1


def test_card_refuses_figures_of_another_bundle(bundle: tuple[str, BundleManifest], tmp_path: Path):
    """What a card says is shown where it is made, in tests/train/release/test_model_card.py."""
    (tmp_path / "metrics.json").write_text(json.dumps({"bundle": {"digest": "0" * 64}}))
    answer = runner.invoke(app, ["card", bundle[0], "--metrics", str(tmp_path / "metrics.json")])
    assert isinstance(answer.exception, UsageError)
    assert "evaluate this one" in str(answer.exception)
    answer = runner.invoke(app, ["card", bundle[0], "--metrics", str(tmp_path / "none.json")])
    assert "cannot be read" in str(answer.exception)


@pytest.mark.parametrize(
    ("command", "example"),
    [
        ("verify", "screening bundle verify bundles/cxr-public-2"),
        ("show", "screening bundle show bundles/cxr-public-2"),
        ("pack", "screening bundle pack out/trained bundles/cxr-public-2"),
        ("card", "screening bundle card bundles/cxr-public-2"),
    ],
)
def test_help_shows_an_example(command: str, example: str):
    assert example in runner.invoke(app, [command, "--help"]).stdout

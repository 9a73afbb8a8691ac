"""`screening evaluate` and `screening promote` on bundles that are not trained: the whole way from a manifest to metrics, page and card."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from jobs.cli import make_app
from schemas.bundle import OperatingPoint, Preprocessing
from screening.bundle.checks import verify
from screening.bundle.networks import NetworkSpec, save_bundle
from screening.errors import BundleError, PromotionRefused, UsageError
from tests.screening.networks import small_densenet, small_unet
from tests.train.radiographs import write_radiographs

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_cluster")]

DENSENET = {"growth_rate": 8, "block_config": [2, 3, 2, 2], "num_init_features": 16}


def untrained(folder: Path, seed: int) -> str:
    """Write a bundle whose first network calls some of an image lung, and return its folder."""
    point = OperatingPoint(threshold=0.5, rule="none", data="none")
    save_bundle(
        str(folder),
        name=f"untrained-{seed}",
        modules={"lungs": small_unet(1), "pneumonia": small_densenet(seed), "covid": small_densenet(seed + 1)},
        networks={
            "lungs": NetworkSpec("unet", 64, {"base_channels": 4, "depth": 3}),
            "pneumonia": NetworkSpec("densenet", 64, DENSENET),
            "covid": NetworkSpec("densenet", 64, DENSENET),
        },
        operating_points={"pneumonia": point, "covid": point},
        preprocessing=Preprocessing(min_lung_area_fraction=0, max_lung_area_fraction=1),
    )
    return str(folder)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(make_app(), [*map(str, arguments)])


def evaluate(*arguments: object) -> Result:
    return invoke("evaluate", *arguments, "--replicates", 20)


@pytest.fixture(scope="module")
def radiographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_radiographs(tmp_path_factory.mktemp("set"), ["test"] * 4 + ["val"])


@pytest.fixture(scope="module")
def evaluated(radiographs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str, dict[str, Any]]:
    """The output folder, the bundle, what was printed, and the metrics."""
    folder = tmp_path_factory.mktemp("evaluated")
    bundle, other = untrained(folder / "bundle", 5), untrained(folder / "other", 4)
    options = ("--split", "test", "--compare", other, "--without-lung-mask", "--card")
    answer = evaluate(bundle, radiographs, "--output", folder / "out", *options)
    assert answer.exit_code == 0, answer.output
    return folder / "out", bundle, answer.stdout, json.loads((folder / "out" / "metrics.json").read_text())


def test_metrics_page_and_card_are_written(evaluated: tuple) -> None:
    folder, bundle, _, metrics = evaluated
    assert metrics["bundle"]["digest"][:12] in (folder / "evaluation.html").read_text()
    assert metrics["bundle"]["digest"] in (Path(bundle) / "MODEL_CARD.md").read_text()


def test_every_part_was_measured(evaluated: tuple) -> None:
    metrics = evaluated[3]
    [figures] = metrics["splits"].values()
    assert (figures["images"], figures["labels"]) == (12, {"normal": 4, "pneumonia": 4, "covid": 4})
    assert figures["dice"]["mean"]["n"] == 12
    assert [found["second"] for found in figures["comparisons"]] == ["without the lung mask", "untrained-4"]
    assert figures["comparisons"][1]["auroc"]["covid"]["first"] == figures["stages"]["covid"]["auroc"]["value"]
    audit = figures["audit"]
    assert audit["randomisation"]["images"] == 8
    assert 0 <= audit["energy"]["covid"]["share"]["value"] <= 1
    erased = audit["lungs_erased"]["covid"]
    assert erased["lungs_only"]["value"] == figures["stages"]["covid"]["auroc"]["value"]
    assert erased["difference"]["second"] == erased["lungs_erased"]["value"]
    assert all(probe["balanced_accuracy"] is None for probe in audit["source_probe"]), "the images name no source"


def test_a_person_reads_tables(evaluated: tuple) -> None:
    _, _, printed, metrics = evaluated
    area = metrics["splits"]["test"]["stages"]["pneumonia"]["auroc"]
    assert "Split test: 12 images of 12 patients" in printed
    assert f"{area['value']:.3f} ({area['low']:.3f} to {area['high']:.3f})" in printed
    for words in ("Stage 2: pneumonia or normal", "with the lungs erased", "AUROC less that untrained-4", "evaluation.html"):
        assert words in printed


def test_refusals(radiographs: Path, evaluated: tuple, tmp_path: Path) -> None:
    assert isinstance(evaluate(tmp_path / "none", radiographs, "--output", tmp_path).exception, BundleError)
    answer = evaluate(evaluated[1], radiographs, "--output", tmp_path, "--split", "train")
    assert isinstance(answer.exception, UsageError)
    assert "no image in split 'train'" in str(answer.exception)


@pytest.mark.parametrize("depth", ["none", "quick"])
def test_an_evaluation_without_the_audit(radiographs: Path, evaluated: tuple, depth: str, tmp_path: Path) -> None:
    answer = evaluate(evaluated[1], radiographs, "--output", tmp_path, "--split", "val", "--audit", depth)
    assert answer.exit_code == 0, answer.output
    audit = json.loads((tmp_path / "metrics.json").read_text())["splits"]["val"]["audit"]
    assert (audit is None) == (depth == "none")
    assert ("shortcut audit: not measured" in answer.stdout) == (depth == "none")
    assert "Not measured" in (tmp_path / "evaluation.html").read_text()


def test_promotion_by_the_old_images(radiographs: Path, evaluated: tuple, tmp_path: Path) -> None:
    """A bundle keeps what it is itself, so it is released; random networks forget what others knew, or cannot be shown not to."""
    bundle = evaluated[1]
    same, forced = tmp_path / "same", tmp_path / "forced"
    options = ("--old-manifest", radiographs, "--replicates", 20, "--storage", tmp_path / "storage")
    answer = invoke("promote", bundle, same, "--baseline", bundle, "--margin", 0, *options)
    assert answer.exit_code == 0, answer.output
    for name in ("bundle.json", "covid.safetensors", "MODEL_CARD.md"):
        assert (same / name).read_bytes() == (Path(bundle) / name).read_bytes()
    assert json.loads((same / "promotion.json").read_text())["promoted"]
    assert verify(str(same)).digest() == verify(bundle).digest()
    other = untrained(tmp_path / "other", 4)
    answer = invoke("promote", other, forced, "--baseline", bundle, *options)
    assert isinstance(answer.exception, PromotionRefused)
    assert "may lose more than 0.02" in str(answer.exception)
    assert not forced.exists()
    answer = invoke("promote", other, forced, "--baseline", bundle, "--force", "--json", *options)
    assert answer.exit_code == 0
    assert not json.loads(answer.stdout)["promoted"]
    assert json.loads((forced / "promotion.json").read_text()) == json.loads(answer.stdout)

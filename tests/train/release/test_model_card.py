"""The card of answers that were made up: everything that was measured stands in it."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from screening.benchmark.random_bundle import save_random_bundle
from screening.bundle.checks import load_manifest, verify
from screening.errors import UsageError
from tests.train.evaluation.made_metrics import made_metrics
from train.evaluation.page import evaluation_page
from train.release.model_card import CARD_FILE, markdown_table, model_card, write_card


@pytest.fixture(scope="module")
def metrics() -> dict[str, Any]:
    return made_metrics()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = str(tmp_path_factory.mktemp("card") / "bundle")
    save_random_bundle(url, np.random.default_rng(0).integers(0, 255, (2, 1, 512, 512), np.uint8))
    return url


def of(folder: str, metrics: dict[str, Any]) -> dict[str, Any]:
    """The metrics as if they were of the bundle in the folder."""
    return metrics | {"bundle": {"name": "made", "digest": load_manifest(folder).digest()}}


def test_the_card_lies_in_a_bundle_that_still_verifies(folder: str, metrics: dict) -> None:
    before = verify(folder).digest()
    text = write_card(folder, of(folder, metrics), notes="We tried *more*.")
    assert (Path(folder) / CARD_FILE).read_text() == text
    assert verify(folder).digest() == before
    for heading in ("Model details", "Intended use", "Factors", "Metrics", "Training data", "Evaluation data", "Quantitative analyses"):
        assert f"\n## {heading}\n" in text
    assert text.endswith("## Notes of this release\n\nWe tried *more*.\n")


def test_the_card_states_what_was_measured_beside_what_was_printed(folder: str, metrics: dict) -> None:
    text = write_card(folder, of(folder, metrics))
    figures = metrics["splits"]["test"]
    for stage in ("pneumonia", "covid", "cascade"):
        assert f"{figures['stages'][stage]['auroc']['value']:.3f} (" in text
    assert f"({figures['three_class']['operating_points']['accuracy']['k']}/90;" in text
    for printed in ("0.88", "96.6 %", "99.9 %", "40.0 %", "87.02 %", "split by image", "split by patient"):
        assert printed in text
    assert "Not a medical device" in text
    assert "another manifest than the one that it was trained on" in text
    assert "the other" in text
    assert r"<b>here\|" in text


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("gamma", 0.6, "Stages 2 and 3 see pixels in [0, 1] to the power of 0.6."),
        ("lung_brightness", 0.7, "Darker lungs are brightened until their geometric mean is 0.7."),
    ],
)
def test_the_card_states_what_makes_lungs_brighter(folder: str, metrics: dict, field: str, value: float, said: str) -> None:
    manifest = load_manifest(folder)
    brighter = manifest.model_copy(update={"preprocessing": manifest.preprocessing.model_copy(update={field: value})})
    assert said not in model_card(manifest, metrics, 1.0)
    assert said in model_card(brighter, metrics, 1.0)


def test_the_card_names_the_files_of_others_that_it_and_the_bundles_before_it_were_trained_with(folder: str, metrics: dict) -> None:
    file = {"file": "photographs.pth", "sha256": "ab" * 32, "license": "Apache-2.0"}
    first = {"stages_trained": ["lungs", "pneumonia"], "init_weights": file | {"file": "densenet.pth"}}
    second = {"stages_trained": ["pneumonia"], "init_weights": file, "init_from": {"digest": "cd" * 32, "training_data": first}}
    again = second | {"init_from": {"digest": "cd" * 32, "training_data": second}}
    third = {"stages_trained": ["covid"], "init_from": {"digest": "ef" * 32, "training_data": again}}
    text = model_card(load_manifest(folder).model_copy(update={"training_data": third}), metrics, 1.0)
    said = f"`photographs.pth`, SHA-256 `{'ab' * 32}`, licence Apache-2.0."
    assert text.count(f"Stage 2 began with the weights of {said}") == 1
    assert f"Stage 2 began with the weights of {said.replace('photographs.pth', 'densenet.pth')}" in text


def test_every_table_of_the_card_has_rows_of_one_length(folder: str, metrics: dict) -> None:
    lines = write_card(folder, of(folder, metrics)).splitlines()
    for first, second in pairwise(lines):
        if first.startswith("|") and second.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", first)) == len(re.findall(r"(?<!\\)\|", second)), (first, second)
    assert markdown_table(["a"], [["b\nc|d"]]) == "| a |\n| --- |\n| b c\\|d |"


@pytest.mark.parametrize("depth", ["none", "quick"])
def test_what_was_not_measured_is_said_and_has_no_table(folder: str, metrics: dict, depth: str) -> None:
    figures = metrics["splits"]["test"]
    audit = None if depth == "none" else figures["audit"] | {"randomisation": None}
    less = metrics | {"splits": {"test": figures | {"audit": audit}}}
    card, page = write_card(folder, of(folder, less)), evaluation_page(less)
    for text in (card, page):
        assert text.count("Not measured: the evaluation was told to leave it out") == 1
    assert [("with random weights" in card), ("of random weights" in page)] == [depth == "quick"] * 2
    assert [("With the lungs erased" in text) for text in (card, page)] == [depth == "quick"] * 2
    assert "SSIM" not in card + page
    assert ("split test: not measured" in page) == (depth == "none")


def test_figures_of_another_bundle_are_refused(folder: str, metrics: dict) -> None:
    with pytest.raises(UsageError, match="evaluate this one"):
        write_card(folder, metrics)


def test_what_the_recipe_does_at_hospitals_left_out_stands_above_its_own_split(folder: str, metrics: dict) -> None:
    share = metrics["splits"]["test"]["stages"]["pneumonia"]["sensitivity"]
    area = {"value": 0.8123, "low": 0.7, "high": 0.9, "n": 40, "patients": 40}
    fold = {
        "source": "north",
        "fresh_weights": True,
        "positives": 20,
        "negatives": 20,
        "auroc": area,
        "lungs_erased": area,
        "sensitivity": share,
        "specificity": share,
    }
    crossval = {
        "stage": "pneumonia",
        "folds": [fold],
        "mean_auroc": 0.8123,
        "least_auroc": 0.8123,
        "mean_sensitivity": 0.9,
        "mean_specificity": 0.5,
        "init_from": "ab" * 32,
    }
    crossval["configuration"] = {"pneumonia": {"input_size": 160, "epochs": 6}}
    text = write_card(folder, of(folder, metrics), crossvals=[crossval])
    assert text.index("At a hospital it has not seen") < text.index("Quantitative analyses")
    assert "Bundle `abababababab` brought the other stages." in text
    assert "| north | fresh | 20 / 20 | 0.812 (0.700 to 0.900) |" in text
    assert "Mean AUROC 0.812, least 0.812. Mean sensitivity 90.0%, mean specificity 50.0%." in text
    assert "trained without that source, at 160 pixels a side for 6 epochs" in text
    crossval |= {"init_weights": {"file": "lite.pth"}, "configuration": {"pneumonia": {"input_size": 128, "epochs": 0}}}
    text = write_card(folder, of(folder, metrics), crossvals=[crossval])
    assert "that is not trained, at 128 pixels a side, with a last layer fitted without that source" in text
    assert "| north | of lite.pth | 20 / 20 |" in text

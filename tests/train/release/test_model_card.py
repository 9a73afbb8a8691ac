"""The card, and the page, of answers that were made up: everything that was measured stands in both."""

import dataclasses
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from screening.benchmark.random_bundle import save_random_bundle
from screening.bundle.checks import load_manifest, verify
from screening.errors import UsageError
from tests.train.evaluation.made_scores import bundle, scores
from train.evaluation.audit import erased_figures
from train.evaluation.comparison import compared
from train.evaluation.figures import split_figures
from train.evaluation.intervals import Resampling
from train.evaluation.page import evaluation_page
from train.evaluation.probe import source_probes
from train.evaluation.randomisation import LEVELS, METHODS
from train.release.model_card import CARD_FILE, markdown_table, write_card

HOW = Resampling(replicates=40)


@pytest.fixture(scope="module")
def metrics() -> dict[str, Any]:
    """What an evaluation gives, of made-up scores; a collection's name tries to be markup."""
    found = scores(bundle=bundle())
    found = dataclasses.replace(found, source=np.where(found.source == "here", "<b>here|", found.source))
    other = scores(seed=1, bundle=bundle(name="the other"))
    estimate = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 12, "patients": 6}
    similar = {level: {"rank_correlation": estimate, "ssim": estimate} for level in LEVELS}
    figures = split_figures(found, HOW) | {"refused": {"blank": 2}, "comparisons": [compared(found, other, "the other", HOW)]}
    figures["audit"] = {
        "lungs_erased": {stage: erased_figures(found, other, stage, HOW) for stage in ("pneumonia", "covid")},
        "source_probe": source_probes(found, np.random.default_rng(0).normal(size=(90, 4)), HOW),
        "energy": {stage: {"share": estimate, "area": estimate, "difference": estimate} for stage in ("pneumonia", "covid")},
        "randomisation": {"images": 12, "methods": dict.fromkeys(METHODS, similar), "guided_energy": estimate, "area": estimate},
    }
    return {
        "bundle": {"name": "made", "digest": found.bundle.digest()},
        "manifest": {"file": "labels.csv", "sha256": "0" * 64},
        "unit": "image",
        "bootstrap": {"replicates": 40, "seed": 0},
        "splits": {"test": figures},
    }


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


def test_the_page_is_one_file_without_scripts(metrics: dict) -> None:
    page = evaluation_page(metrics)
    assert "<script" not in page
    assert "<b>here" not in page, "a value of a table is never markup"
    assert "&lt;b&gt;here|" in page
    assert "<p>Unit of analysis: the image." in page
    assert "&lt;p&gt;" not in page, "no markup of ours is escaped"
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert "default-src &#39;none&#39;" in page
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    covid = metrics["splits"]["test"]["stages"]["covid"]
    assert f"{covid['auroc']['value']:.3f} ({covid['auroc']['low']:.3f} to" in page
    assert f"({covid['sensitivity']['k']}/{covid['sensitivity']['n']};" in page

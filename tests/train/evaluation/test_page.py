"""The evaluation page of answers that were made up: one file without scripts, in which everything that was measured stands."""

import re
from datetime import UTC, datetime

from tests.train.evaluation.made_metrics import made_metrics
from train.evaluation.page import evaluation_page


def test_the_page_is_one_file_without_scripts() -> None:
    page = evaluation_page(made_metrics())
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
    covid = made_metrics()["splits"]["test"]["stages"]["covid"]
    assert f"{covid['auroc']['value']:.3f} ({covid['auroc']['low']:.3f} to" in page
    assert f"({covid['sensitivity']['k']}/{covid['sensitivity']['n']};" in page


def test_it_says_of_what_and_when() -> None:
    page = evaluation_page(made_metrics(), datetime(2020, 3, 1, 12, 30, tzinfo=UTC))
    assert "Evaluation of made" in page
    assert "labels.csv (000000000000). Written 2020-03-01 12:30 UTC." in page


def test_what_was_left_out_is_said() -> None:
    metrics = made_metrics()
    figures = metrics["splits"]["test"] | {"audit": None, "comparisons": [], "refused": {}}
    page = evaluation_page(metrics | {"splits": {"test": figures}})
    assert "Not measured: the evaluation was told to leave it out" in page
    assert "None was asked for: see --compare" in page
    assert "Refused by the gate before stage 1: none." in page

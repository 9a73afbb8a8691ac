"""Operating points in a file: for one bundle and no other."""

import json
from pathlib import Path

import pytest

from schemas.operating_points import OperatingPoints
from screening.analytics.thresholds import Target, operating_points
from screening.bundle.operating_points import check, load, save
from screening.errors import UsageError

DIGEST = "a" * 64
ROW = {
    "bundle_digest": DIGEST,
    "unit": "patient",
    "subgroup": "all",
    "threshold": 0.31,
    "tp": 45,
    "fp": 121,
    "fn": 10,
    "tn": 498,
    "sensitivity": 45 / 55,
    "sensitivity_low": 0.697,
    "sensitivity_high": 0.898,
    "specificity": 498 / 619,
    "specificity_low": 0.771,
    "specificity_high": 0.834,
    "prevalence": 0.01,
    "called": 166,
}


def chosen() -> OperatingPoints:
    """Return the points of the row."""
    return operating_points(ROW, Target(sensitivity=0.8, specificity=0.7), "results of March", "within 14 days")


def test_a_file_comes_back_as_it_was_saved(tmp_path: Path):
    save(str(tmp_path / "points.json"), chosen())
    points = load(str(tmp_path / "points.json"))
    assert points == chosen()
    assert check(points, DIGEST).operating_points["covid"].threshold == 0.31
    assert check(points, DIGEST).operating_points.keys() == {"covid"}  # stage 2 keeps the bundle's own
    assert check(points, DIGEST).sites == {}
    assert (points.points["covid"].rule, points.points["covid"].data) == ("sensitivity>=0.8, specificity>=0.7", "results of March")
    evidence = points.evidence
    assert (evidence.sensitivity_k, evidence.sensitivity_n, evidence.specificity_k, evidence.specificity_n) == (45, 55, 498, 619)
    assert evidence.sensitivity_interval == (0.697, 0.898)
    assert evidence.others == {"called": 166}


def test_both_stages_of_a_pair():
    row = {name: value for name, value in ROW.items() if name != "threshold"} | {"pneumonia_threshold": 0.2, "covid_threshold": 0.4}
    points = operating_points(row | {"basis": "audit sample"}, Target(sensitivity=0.8), "", "")
    assert {stage: point.threshold for stage, point in points.points.items()} == {"pneumonia": 0.2, "covid": 0.4}
    assert points.evidence.basis == "audit sample"


def test_another_bundle_is_refused():
    with pytest.raises(UsageError, match="for bundle aaaaaaaaaaaa, not bbbbbbbbbbbb"):
        check(chosen(), "b" * 64)


def test_scores_of_another_product_cannot_be_saved():
    with pytest.raises(UsageError, match=r"not in \[0, 1\]"):
        operating_points(ROW | {"threshold": 47.0}, Target(sensitivity=0.8), "", "")


def test_what_is_no_such_file_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="does not exist"):
        load(str(tmp_path / "none.json"))
    for text in ("{}", "not JSON", json.dumps(chosen().model_dump(mode="json") | {"more": 1})):
        (tmp_path / "points.json").write_text(text)
        with pytest.raises(UsageError, match="holds no operating points"):
            load(str(tmp_path / "points.json"))

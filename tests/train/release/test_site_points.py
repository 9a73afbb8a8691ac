"""Operating points by site: chosen on the site's own people, calling the same people on its own calibration, and none for a small site."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from scipy.special import expit

from schemas.operating_points import OperatingPoints
from screening.analytics import thresholds
from screening.analytics.thresholds import Question, Target
from screening.analytics.views import connect
from screening.errors import ResultsError
from tests.screening.instance_rows import pneumonia_row, reference_of, write_instances
from train.release.site_points import choose_by_site, describe

SHIFT = {"North": 0.0, "South": 2.0, "Islet": 0.0}  # of the logits: the machines of South make every image look worse
PEOPLE = {"North": 60, "South": 60, "Islet": 8}
TARGET = Target(sensitivity=0.9)


def rows_of(*, calibrated: bool) -> tuple[list[dict[str, Any]], list[tuple[int, str, int]]]:
    """Return a third of each site's people ill, with logits a standard deviation apart; and their tests."""
    random, rows, tests = np.random.default_rng(7), [], []
    for site, people in PEOPLE.items():
        for _ in range(people):
            number, ill = len(rows), random.random() < 1 / 3
            logit = float(np.float32(random.normal(1.5 * ill + SHIFT[site])))
            score = float(expit(logit))
            probability = float(expit(2 * logit - 1)) if calibrated else None
            called = (probability or score) >= 0.5
            columns = {"covid_logit": logit, "covid_score": score, "covid_probability": probability, "InstitutionName": site}
            rows.append(pneumonia_row(number, covid=called, **columns))
            tests.append((number, "positive" if ill else "negative", 0))
    return rows, tests


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., duckdb.DuckDBPyConnection]:
    def write_and_open(*, calibrated: bool) -> duckdb.DuckDBPyConnection:
        rows, tests = rows_of(calibrated=calibrated)
        write_instances(str(tmp_path / "r"), rows)
        connection = connect(str(tmp_path / "r"), reference_of(*tests))
        thresholds.ask(connection, Question(by="site"))
        return connection

    return write_and_open


def chosen(connection: duckdb.DuckDBPyConnection, least: int = 10) -> OperatingPoints:
    return choose_by_site(connection, thresholds.table(connection), TARGET, "results", "within 14 days", least)


def called_at(threshold: float, values: list[float], ill: list[bool]) -> tuple[int, int]:
    """Return true and false positives."""
    return tuple(sum(value >= threshold for value, sick in zip(values, ill, strict=True) if sick is wanted) for wanted in (True, False))


@pytest.mark.parametrize("calibrated", [False, True])
def test_each_site_keeps_its_target_on_its_own_people(opened: Callable, calibrated: bool) -> None:
    points = chosen(opened(calibrated=calibrated))
    rows, tests = rows_of(calibrated=calibrated)
    assert points.sites.keys() == {"North", "South"}
    for site, own in points.sites.items():
        here = [number for number, row in enumerate(rows) if row["InstitutionName"] == site]
        ill = [tests[number][1] == "positive" for number in here]
        line = own.calibration.get("covid")
        assert (line is not None) == calibrated
        logits = [rows[number]["covid_logit"] for number in here]
        values = [float(expit(logit if line is None else line.slope * logit + line.intercept)) for logit in logits]
        evidence = points.site_evidence[site]
        true, false = called_at(own.operating_points["covid"].threshold, values, ill)
        assert (true, sum(ill)) == (evidence.sensitivity_k, evidence.sensitivity_n)
        assert len(ill) - sum(ill) - false == evidence.specificity_k
        assert true >= 0.9 * sum(ill)
        if calibrated:  # a probability holds on the site's own people
            assert np.mean(values) == pytest.approx(np.mean(ill), abs=0.03)
    if not calibrated:
        assert points.sites["South"].operating_points["covid"].threshold > points.sites["North"].operating_points["covid"].threshold


def test_a_site_with_too_few_people_keeps_the_bundles_point_and_is_told_why(opened: Callable) -> None:
    points = chosen(opened(calibrated=True))
    assert points.kept.keys() == {"Islet"}
    assert points.kept["Islet"].endswith("of at least 10 each")
    shown = {row["site"]: row for row in describe(points)}
    assert (shown["Islet"]["threshold"], shown["North"]["keeps"]) == (None, None)
    assert "of at least 10 each" in shown["Islet"]["keeps"]
    with pytest.raises(ResultsError, match="no site gets an operating point of its own: Islet"):
        chosen(opened(calibrated=True), least=1000)

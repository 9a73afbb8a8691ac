"""Predictive values, tests and cost per case and net benefit, against published data and second implementations."""

from pathlib import Path

import duckdb
import numpy as np
import pytest
from scipy.stats import norm

from screening.analytics import thresholds
from screening.analytics.cases import load_cases
from screening.analytics.predictive_values import measure_decision_curve, measure_predictive_values
from screening.analytics.thresholds import Question
from screening.analytics.views import connect, connect_cases
from tests.screening.instance_rows import pneumonia_row, reference_of, write_instances

APOE4 = (240, 87, 178, 288)  # TP, FN, FP, TN of Mercaldo, Lau and Zhou 2007: the ApoE4 allele against Alzheimer's disease
Z = norm.ppf(0.975)


def open_cells(folder: Path, tp: int, fn: int, fp: int, tn: int) -> duckdb.DuckDBPyConnection:
    """Return a connection over cases with this 2x2 table; all who are called score 0.8, the others 0.3."""
    lines = [f"{score},{label}" for n, score, label in ((tp, 0.8, 1), (fn, 0.3, 1), (fp, 0.8, 0), (tn, 0.3, 0)) for _ in range(n)]
    path = folder / "cases.csv"
    path.write_text("\n".join(["id,score,truth", *(f"{number},{line}" for number, line in enumerate(lines))]))
    return connect_cases([load_cases(str(path))], threshold=0.5)


def covid_row(connection: duckdb.DuckDBPyConnection, **question: float) -> dict[str, float]:
    (row,) = (row for row in measure_predictive_values(connection, Question(**question)) if row["question"] == "covid")
    return row


def logit_interval(k: float, n: float, other_k: float, other_n: float, odds: float) -> tuple[float, float]:
    """Return Mercaldo's interval of the share with odds (k/n) / (other_k/other_n) * `odds`, from the variances of two log proportions."""
    variance = (1 - k / n) / k + (1 - other_k / other_n) / other_k
    centre = np.log(k / n / (other_k / other_n) * odds)
    return tuple(1 / (1 + np.exp(-(centre + side * Z * np.sqrt(variance)))) for side in (-1, 1))


@pytest.mark.parametrize("prevalence", [0.03, 0.5])
def test_the_data_of_mercaldo(tmp_path: Path, prevalence: float):
    """By the two log proportions whose ratio PPV's odds are: another way to the same interval than the logits of the view."""
    row = covid_row(open_cells(tmp_path, *APOE4), prevalence=prevalence)
    tp, fn, fp, tn = APOE4
    odds = prevalence / (1 - prevalence)
    sensitivity, specificity = tp / (tp + fn), tn / (fp + tn)
    assert row["ppv"] == pytest.approx(sensitivity * prevalence / (sensitivity * prevalence + (1 - specificity) * (1 - prevalence)))
    assert (row["ppv_low"], row["ppv_high"]) == pytest.approx(logit_interval(tp, tp + fn, fp, fp + tn, odds))
    assert (row["npv_low"], row["npv_high"]) == pytest.approx(logit_interval(tn, fp + tn, fn, tp + fn, 1 / odds))
    assert (row["tests_per_case_low"], row["tests_per_case_high"]) == pytest.approx((1 / row["ppv_high"], 1 / row["ppv_low"]))


def test_a_cell_of_nobody_takes_the_adjusted_interval(tmp_path: Path):
    """Mercaldo's Table II: half the squared quantile is added to each cell."""
    row = covid_row(open_cells(tmp_path, 20, 0, 5, 95), prevalence=0.1)
    tp, fn, fp, tn = (cell + Z**2 / 2 for cell in (20, 0, 5, 95))
    assert (row["npv"], row["ppv"]) == (1.0, pytest.approx(0.1 / (0.1 + 0.05 * 0.9)))
    assert (row["npv_low"], row["npv_high"]) == pytest.approx(logit_interval(tn, fp + tn, fn, tp + fn, 9))
    assert (row["ppv_low"], row["ppv_high"]) == pytest.approx(logit_interval(tp, tp + fn, fp, fp + tn, 1 / 9))


def test_costs_against_a_simulation(tmp_path: Path):
    """A parametric bootstrap of sensitivity and specificity: 2.5 % of its draws lie beyond each limit."""
    tp, fn, fp, tn = APOE4
    row = covid_row(open_cells(tmp_path, *APOE4), prevalence=0.03, cost_screen=2.0, cost_test=25.0)
    random, n = np.random.default_rng(1), 400_000
    found, false = random.binomial(tp + fn, tp / (tp + fn), n) / (tp + fn), random.binomial(fp + tn, fp / (fp + tn), n) / (fp + tn)
    costs = (2 + 25 * (found * 0.03 + false * 0.97)) / (found * 0.03)
    assert row["cost_per_case"] == pytest.approx((2 + 25 * (tp / 327 * 0.03 + fp / 466 * 0.97)) / (tp / 327 * 0.03))
    assert (row["cost_per_case_low"], row["cost_per_case_high"]) == pytest.approx(np.quantile(costs, [0.025, 0.975]), rel=0.005)
    ppv = found * 0.03 / (found * 0.03 + false * 0.97)
    assert (row["ppv_low"], row["ppv_high"]) == pytest.approx(np.quantile(ppv, [0.025, 0.975]), rel=0.005)
    assert row["screened_per_case_low"] < row["screened_per_case"] < row["screened_per_case_high"]


def test_the_thresholds_have_the_same_intervals(tmp_path: Path):
    answers = [(True, "positive")] * 24 + [(False, "positive")] * 9 + [(True, "negative")] * 18 + [(False, "negative")] * 29
    rows = [pneumonia_row(number, covid=called, covid_score=0.8 if called else 0.3) for number, (called, _) in enumerate(answers)]
    write_instances(str(tmp_path), rows)
    connection = connect(str(tmp_path), reference_of(*((number, result, 0) for number, (_, result) in enumerate(answers))))
    question = {"prevalence": 0.03, "cost_screen": 2.0, "cost_test": 25.0}
    row = covid_row(connection, **question)
    thresholds.ask(connection, Question(**question))
    (as_run,) = (row for row in thresholds.table(connection) if row["as_run"])
    (pair,) = (row for row in thresholds.table(connection, pairs=True) if row["as_run"])
    for name in ("ppv", "npv", "tests_per_case", "screened_per_case", "cost_per_case"):
        for part in ("", "_low", "_high"):
            assert as_run[name + part] == pytest.approx(row[name + part]), name + part
            assert pair[name + part] == pytest.approx(row[name + part]), name + part


def test_without_a_prevalence_it_is_that_of_the_data(tmp_path: Path):
    row = covid_row(open_cells(tmp_path, 30, 10, 20, 140))
    assert (row["prevalence"], row["ppv"], row["npv"]) == pytest.approx((0.2, 30 / 50, 140 / 150))


def test_net_benefit_against_a_plain_implementation(tmp_path: Path):
    """Vickers and Elkin 2006: NB = TP/n - FP/n p/(1-p), by counting people at each threshold probability."""
    random = np.random.default_rng(7)
    positive = random.random(300) < 0.3
    scores = np.clip(random.normal(0.35 + 0.25 * positive, 0.2), 0, 1).round(3)
    path = tmp_path / "cases.csv"
    path.write_text("\n".join(["id,score,truth", *(f"{n},{s},{int(p)}" for n, (s, p) in enumerate(zip(scores, positive, strict=True)))]))
    connection = connect_cases([load_cases(str(path))], threshold=0.5)
    curve = measure_decision_curve(connection, Question())
    assert [round(row["threshold_probability"], 2) for row in curve] == [number / 100 for number in range(1, 100)]
    for row in curve:
        p, n = row["threshold_probability"], 300
        for name, called in (
            ("net_benefit", scores >= 0.5),
            ("net_benefit_by_score", scores >= p - 1e-6),
            ("net_benefit_all", scores >= 0),
        ):
            assert row[name] == pytest.approx((called & positive).sum() / n - (called & ~positive).sum() / n * p / (1 - p))
    (row,) = (row for row in curve if round(row["threshold_probability"], 2) == 0.2)
    untested, missed = (scores < 0.5).mean(), ((scores < 0.5) & positive).mean()
    assert row["avoided_per_100"] == pytest.approx(100 * (untested - missed - missed * 0.8 / 0.2)), "a missed case costs 4 tests at 20 %"
    assert not row["calibrated"]


def test_net_benefit_at_another_prevalence(tmp_path: Path):
    connection = open_cells(tmp_path, *APOE4)
    (row,) = (row for row in measure_decision_curve(connection, Question(prevalence=0.05)) if row["threshold_probability"] == 0.1)
    assert row["net_benefit"] == pytest.approx(0.05 * 240 / 327 - 0.95 * 178 / 466 / 9)
    assert row["net_benefit_all"] == pytest.approx(0.05 - 0.95 / 9)


def test_logits_have_no_curve_by_score(tmp_path: Path):
    path = tmp_path / "cases.csv"
    path.write_text("id,score,truth\n1,3.5,1\n2,-2,0\n3,0.4,0\n")
    connection = connect_cases([load_cases(str(path))], threshold=0.5)
    assert {row["net_benefit_by_score"] for row in measure_decision_curve(connection, Question())} == {None}

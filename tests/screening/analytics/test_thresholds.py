"""Thresholds against tables worked by hand, against the view accuracy, and against scikit-learn's ROC curve."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_curve

from schemas.reference import REFERENCE_SCHEMA
from screening.analytics import thresholds
from screening.analytics.cases import load_cases
from screening.analytics.thresholds import Question, Target, choose
from screening.analytics.views import connect, connect_cases
from screening.errors import ResultsError, UsageError
from screening.metrics import wilson
from tests.screening.instance_rows import DIGEST, NIGHT, instance_row, pneumonia_row, write_instances

Rows = list[dict[str, Any]]


def reference_of(results: dict[int, str]) -> pa.Table:
    """Return one test a person, of the night of the radiograph."""
    rows = [{"patient_pseudonym": f"{number:032x}", "result": result, "specimen_date": NIGHT} for number, result in results.items()]
    return pa.Table.from_pylist(rows, REFERENCE_SCHEMA)


def judged(number: int, covid: float, pneumonia: float = 0.8, **columns: Any) -> dict[str, Any]:
    """Return a stage-2 positive; the cascade was run with the stage-3 point 0.5."""
    return pneumonia_row(number, covid=covid >= 0.5, covid_score=covid, pneumonia_score=pneumonia, **columns)


def audited(number: int, covid: float, pneumonia: float) -> dict[str, Any]:
    """Return a stage-2 negative of the audit sample."""
    return instance_row(number, covid_score=covid, pneumonia_score=pneumonia, audit_sample=True, stage_reached="covid")


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., duckdb.DuckDBPyConnection]:
    """A function that writes rows and opens them with a question."""

    def write_and_open(rows: Rows, tests: dict[int, str], **question: Any) -> duckdb.DuckDBPyConnection:
        write_instances(str(tmp_path / "results"), rows)
        connection = connect(str(tmp_path / "results"), reference_of(tests))
        thresholds.ask(connection, Question(**question))
        return connection

    return write_and_open


ROWS = [
    judged(1, 0.9),
    judged(2, 0.7),
    judged(3, 0.3),
    instance_row(4, pneumonia_score=0.2),  # missed by stage 2
    judged(5, 0.7),
    judged(6, 0.1),
    instance_row(7),
    instance_row(8),
    judged(9, 0.9),  # unverified
    judged(10, 0.3),  # indeterminate
]
TESTS = dict.fromkeys((1, 2, 3, 4), "positive") | dict.fromkeys((5, 6, 7, 8), "negative") | {10: "indeterminate"}


def test_every_threshold_by_hand(opened: Callable):
    found = thresholds.table(opened(ROWS, TESTS))
    cells = [(row["tp"], row["fp"], row["fn"], row["tn"], row["called"]) for row in found]
    assert cells == [(1, 0, 3, 4, 2), (2, 1, 2, 3, 4), (3, 1, 1, 3, 6), (3, 2, 1, 2, 7)]
    assert [row["threshold"] for row in found] == pytest.approx([0.8, 0.5, 0.2, 0.05])
    assert [row["as_run"] for row in found] == [False, True, False, False]
    second = found[1]
    assert (second["sensitivity"], second["specificity"], second["prevalence"]) == (0.5, 0.75, 0.5)
    assert (second["sensitivity_low"], second["sensitivity_high"]) == pytest.approx(wilson(2, 4))
    assert (second["specificity_low"], second["specificity_high"]) == pytest.approx(wilson(3, 4))
    assert (second["screened"], second["called_share"], second["tests_per_day"]) == (10, 0.4, 4.0)
    assert second["cost_per_case"] is None
    (units,) = thresholds.units(opened(ROWS, TESTS))
    names = ("units", "positives", "negatives", "indeterminate", "unverified", "not_scored")
    assert [units[name] for name in names] == [10, 4, 4, 1, 1, 0]


def test_yield_at_a_stated_prevalence_by_hand(opened: Callable):
    question = {"prevalence": 0.02, "cost_screen": 5.0, "cost_test": 50.0, "screened_per_day": 1000.0}
    row = thresholds.table(opened(ROWS, TESTS, **question))[1]  # sensitivity 0.5, specificity 0.75
    assert row["ppv"] == pytest.approx(0.01 / 0.255)  # of 1,000 people 20 are cases: 10 found, 245 false alerts
    assert row["npv"] == pytest.approx(0.735 / 0.745)
    assert row["screened_per_case"] == pytest.approx(100)
    assert row["tests_per_case"] == pytest.approx(25.5)
    assert row["missed_per_100000"] == pytest.approx(1000)
    assert row["cost_per_case"] == pytest.approx((5 * 1000 + 50 * 255) / 10)
    assert row["tests_per_day"] == pytest.approx(400)
    assert row["ppv_low"] < row["ppv"] < row["ppv_high"]


def test_as_run_is_what_accuracy_says(opened: Callable):
    rows = [*ROWS, judged(101, 0.6, patient_pseudonym=f"{3:032x}"), judged(102, 0.95, patient_pseudonym=f"{6:032x}")]
    rows[-1]["StudyDate"] = NIGHT - timedelta(100)  # not linked: does not count for a verified person
    for unit in thresholds.UNITS:
        connection = opened(rows, TESTS, unit=unit)
        (row,) = [row for row in thresholds.table(connection) if row["as_run"]]
        (said,) = connection.sql(f"from accuracy where unit = '{unit}'").to_arrow_table().to_pylist()
        for name in ("tp", "fp", "fn", "tn", "sensitivity", "sensitivity_low", "specificity", "specificity_high"):
            assert row[name] == said[name], (unit, name)


def test_all_thresholds_are_those_of_scikit_learn(opened: Callable):
    random = np.random.default_rng(4)
    labels = random.random(300) < 0.3
    scores = np.round(np.clip(random.normal(0.4 + 0.3 * labels, 0.2), 0.01, 0.99), 2)  # with ties
    rows = [judged(number, float(score)) for number, score in enumerate(scores, 1)]
    tests = {number: "positive" if label else "negative" for number, label in enumerate(labels, 1)}
    found = thresholds.table(opened(rows, tests))
    false_positive, true_positive, at = roc_curve(labels, scores.astype(np.float32), drop_intermediate=False)
    assert len(found) == len(at) - 1  # scikit-learn's first one calls nobody
    assert [row["sensitivity"] for row in found] == pytest.approx(list(true_positive[1:]))
    assert [1 - row["specificity"] for row in found] == pytest.approx(list(false_positive[1:]))
    for row in found:
        assert (scores.astype(np.float32) >= row["threshold"]).sum() == row["called"]


def test_subgroups_by_hand(opened: Callable):
    sexes = {1: "F", 2: "F", 3: "M", 4: "M", 5: "F", 6: "M", 7: "F", 8: None}
    rows = [row | {"PatientSex": sexes.get(number)} for number, row in enumerate(ROWS, 1)]
    found = thresholds.table(opened(rows, TESTS, by="sex"))
    best = {row["subgroup"]: row for row in found if row["subgroup"] != "unknown"}  # the last, lowest threshold of each
    assert {name: (row["tp"], row["fp"], row["fn"], row["tn"]) for name, row in best.items()} == {"F": (2, 1, 0, 1), "M": (1, 1, 1, 0)}
    assert {row["screened"] for row in found if row["subgroup"] == "F"} == {4}
    ages = [row | {"age_years": 64.9 if number % 2 else None} for number, row in enumerate(ROWS, 1)]
    assert {row["subgroup"] for row in thresholds.table(opened(ages, TESTS, by="age_band"))} == {"40 to 64", "unknown"}
    both = [*ROWS, judged(101, 0.2, patient_pseudonym=f"{1:032x}", InstitutionName="B")]
    assert {row["subgroup"] for row in thresholds.table(opened(both, TESTS, by="site"))} == {"several", "unknown"}


def test_a_rule_is_read_as_it_was_written():
    for target in (Target(0.9), Target(specificity=0.7), Target(0.9, 0.7, 1e-05), Target(capacity=250.0)):
        assert Target.read(str(target)) == target
    for rule in ("", "youden", "sensitivity>=0.9, cost<=3", "about sensitivity>=0.9"):
        assert Target.read(rule) is None


def test_small_subgroups_are_held_back_with_one_that_keeps_them_from_the_totals(opened: Callable):
    people = {"A": range(1, 4), "B": range(10, 17), "C": range(20, 40), "D": range(40, 70)}
    rows = [judged(number, 0.9 - number / 100, InstitutionName=site) for site, numbers in people.items() for number in numbers]
    tests = {number: "negative" if number % 5 else "positive" for numbers in people.values() for number in numbers}
    shown, held = thresholds.without_small_subgroups(thresholds.table(opened(rows, tests, by="site")), 5)
    assert held == ["A", "B", "C"], "A has few persons; A, B and C few positives, and each of them would follow from the others"
    assert {row["subgroup"] for row in shown} == {"D"}
    assert thresholds.without_small_subgroups(shown, 50) == (shown, []), "a subgroup that is everybody is no subgroup"


def test_pairs_at_and_above_the_stage_2_point_are_counted(opened: Callable):
    rows = [judged(1, 0.9, 0.6), judged(2, 0.7, 0.95), judged(3, 0.3, 0.7), judged(5, 0.7, 0.8), judged(6, 0.1, 0.9)]
    rows += [instance_row(4, pneumonia_score=0.2), instance_row(7), instance_row(8)]
    found = {
        (round(row["pneumonia_threshold"], 3), round(row["covid_threshold"], 3)): row
        for row in thresholds.table(opened(rows, TESTS), pairs=True)
    }
    assert found[0.6, 0.7]["as_run"]
    assert sum(row["as_run"] for row in found.values()) == 1
    for pair, cells in {(0.6, 0.7): (2, 1, 2, 3), (0.8, 0.7): (1, 1, 3, 3), (0.9, 0.7): (1, 0, 3, 4), (0.7, 0.3): (2, 1, 2, 3)}.items():
        row = found[pair]
        assert (row["tp"], row["fp"], row["fn"], row["tn"], row["basis"]) == (*cells, "observed"), pair
        assert (row["sensitivity_low"], row["sensitivity_high"]) == pytest.approx(wilson(cells[0], 4))
    below = [row for pair, row in found.items() if pair[0] < 0.6]
    assert {(row["basis"], row["tp"], row["sensitivity"]) for row in below} == {("not observed", None, None)}


def test_pairs_below_the_stage_2_point_come_from_the_audit_sample(opened: Callable):
    """Of 10 cases between the points 4 were drawn and 3 of them are positive in stage 3: 7.5 are estimated; of 10 others 1 of 4, so 2.5."""
    rows = [judged(1, 0.9, 0.8), judged(2, 0.9, 0.8)]
    tests = {1: "positive", 2: "negative"}
    for start, result, found in ((10, "positive", 3), (30, "negative", 1)):
        for place in range(10):
            tests[start + place] = result
            drawn = (
                audited(start + place, 0.9 if place < found else 0.1, 0.4)
                if place < 4
                else instance_row(start + place, pneumonia_score=0.4)
            )
            rows.append(drawn)
    (row,) = [row for row in thresholds.table(opened(rows, tests), pairs=True) if row["pneumonia_threshold"] < 0.5 < row["covid_threshold"]]
    assert (row["basis"], row["undecided"], row["audited"]) == ("audit sample", 20, 8)
    assert (row["tp"], row["fn"], row["fp"], row["tn"]) == pytest.approx((8.5, 2.5, 3.5, 7.5))
    # variance of the audit: (10 / 11)^2 (1 - 4 / 10) p (1 - p) / 4 with p = (3 + 2) / (4 + 4), beside that of 11 people
    spread = (8.5 + 2) * (2.5 + 2) / 15**2
    effective = spread / (spread / 11 + (10 / 11) ** 2 * 0.6 * (5 / 8) * (3 / 8) / 4)
    assert effective < 11
    limits = wilson(8.5 / 11 * effective, effective)
    assert (row["sensitivity_low"], row["sensitivity_high"]) == pytest.approx(limits)


def test_a_full_audit_is_a_count(opened: Callable):
    rows = [judged(1, 0.9, 0.8), judged(2, 0.9, 0.8), audited(3, 0.9, 0.4), audited(4, 0.1, 0.4)]
    rows.append(audited(103, 0.1, 0.4) | {"patient_pseudonym": f"{3:032x}"})  # a second radiograph of person 3
    tests = {1: "positive", 2: "negative", 3: "positive", 4: "negative"}
    (row,) = [row for row in thresholds.table(opened(rows, tests), pairs=True) if row["pneumonia_threshold"] < 0.5 < row["covid_threshold"]]
    assert (row["tp"], row["fp"], row["fn"], row["tn"]) == (2, 1, 0, 1)
    assert (row["sensitivity_low"], row["sensitivity_high"]) == pytest.approx(wilson(2, 2))


def rows_of(*figures: tuple[float, float, float, float]) -> Rows:
    """Return rows from (threshold, sensitivity, specificity, tests a day)."""
    names = ("threshold", "sensitivity", "specificity", "tests_per_day")
    return [dict(zip(names, row, strict=True)) | {"bundle_digest": DIGEST} for row in figures]


@pytest.mark.parametrize(
    ("target", "threshold"),
    [
        (Target(sensitivity=0.9), 0.4),
        (Target(sensitivity=0.9, specificity=0.7), 0.4),
        (Target(specificity=0.7), 0.3),
        (Target(capacity=500), 0.4),
        (Target(sensitivity=0.8, capacity=450), 0.6),
        (Target(sensitivity=0.99, specificity=0.7), None),
        (Target(capacity=5), None),
    ],
)
def test_choice(target: Target, threshold: float | None):
    rows = rows_of((0.9, 0.5, 0.99, 100), (0.6, 0.8, 0.9, 400), (0.4, 0.9, 0.8, 500), (0.3, 0.95, 0.7, 700), (0.1, 0.99, 0.3, 2000))
    chosen = choose(rows, target)
    assert (chosen and chosen["threshold"]) == threshold


def test_what_is_not_observed_is_never_chosen():
    known = {"covid_threshold": 0.5, "sensitivity": 0.8, "specificity": 0.8, "basis": "observed"}
    unknown = known | {"sensitivity": None, "specificity": None, "basis": "not observed"}
    assert choose([unknown, known], Target(capacity=None, sensitivity=0.5)) is known
    assert choose([unknown], Target(sensitivity=0.5)) is None


def test_what_makes_no_sense_is_refused():
    for arguments in ({"unit": "image"}, {"by": "colour"}, {"prevalence": 2}, {"cost_test": 5}, {"cost_test": -1, "cost_screen": 1}):
        with pytest.raises(UsageError):
            Question(**arguments)
    for arguments in ({"sensitivity": 90}, {"capacity": 0}):
        with pytest.raises(UsageError):
            Target(**arguments)
    with pytest.raises(UsageError, match="give --bundle, there are a, b"):
        thresholds.one_bundle([{"bundle_digest": "a"}, {"bundle_digest": "b"}])
    with pytest.raises(ResultsError, match="no verified unit"):
        thresholds.one_bundle([])


def test_thinned_keeps_the_ends_and_the_row_as_run():
    rows = [{"bundle_digest": DIGEST, "place": place, "as_run": place == 17} for place in range(101)]
    assert [row["place"] for row in thresholds.thinned(rows, 5)] == [0, 17, 25, 50, 75, 100]
    assert thresholds.thinned(rows[:1], 5) == rows[:1]


def test_results_made_elsewhere(tmp_path: Path):
    """Scores without calls, in a unit of their own, and no stage 2."""
    lines = ["id,score,truth", "a,90,positive", "b,70,positive", "c,70,negative", "d,10,negative", "e,20,", "f,,positive"]
    (tmp_path / "product.csv").write_text("\n".join(lines))
    connection = connect_cases([load_cases(str(tmp_path / "product.csv"))])
    found = thresholds.table(connection)
    assert [(row["threshold"], row["tp"], row["fp"], row["fn"], row["tn"], row["called"]) for row in found] == [
        (80, 1, 0, 1, 2, 1),
        (45, 2, 1, 0, 1, 3),
        (15, 2, 1, 0, 1, 4),
        (5, 2, 2, 0, 0, 5),
    ]
    assert not any(row["as_run"] for row in found)
    (units,) = thresholds.units(connection)
    assert [units[name] for name in ("positives", "negatives", "unverified", "not_scored", "not_scored_positive")] == [2, 2, 1, 1, 1]
    assert thresholds.table(connection, pairs=True) == []

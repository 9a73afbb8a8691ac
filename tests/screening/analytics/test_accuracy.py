"""accuracy: stages, ROC areas, the gate's loss, pairs, subgroups, calibration, against numbers worked by hand and other libraries."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import binomtest
from sklearn.metrics import brier_score_loss, roc_auc_score

from schemas.reasons import Reason
from screening.analytics.accuracy import measure_accuracy
from screening.analytics.cases import load_cases
from screening.analytics.views import connect, connect_cases
from screening.errors import UsageError
from screening.metrics import delong, delong_paired
from tests.paper_data import nhia_path
from tests.screening.instance_rows import NIGHT, instance_row, person, pneumonia_row, reference_of, refused_row, write_instances
from tests.told import Told

Rows = list[dict[str, Any]]


def open_rows(folder: Path, rows: Rows, *tests: tuple[int, str, int | None]) -> duckdb.DuckDBPyConnection:
    """Return a connection over instance rows and tests."""
    write_instances(str(folder / "results"), rows)
    return connect(str(folder / "results"), reference_of(*tests))


def open_scores(folder: Path, n: int = 400, files: int = 1) -> duckdb.DuckDBPyConnection:
    """Return a connection over files of scored cases of the same people, 30 % positive, called at 0.5."""
    random = np.random.default_rng(5)
    positive = random.random(n) < 0.3
    paths = []
    for file in range(files):
        score = np.clip(np.round(random.normal(0.4 + 0.25 * positive, 0.2 + 0.1 * file), 2), 0, 1)
        lines = [f"{case},{int(label)},{value}" for case, (label, value) in enumerate(zip(positive, score, strict=True))]
        paths.append(folder / f"product{file}.csv")
        paths[-1].write_text("\n".join(["id,truth,score", *lines]))
    return connect_cases([load_cases(str(path)) for path in paths], threshold=0.5)


def scores_of(connection: duckdb.DuckDBPyConnection, name: str = "product0") -> tuple[np.ndarray, np.ndarray]:
    """Return truth and score of one file, by case."""
    found = connection.sql(
        "select truth = 'positive' as truth, value from judgements join bundles using (bundle_digest) "
        "where unit = 'patient' and name = $name order by unit_id",
        params={"name": name},
    ).fetchnumpy()
    return np.asarray(found["truth"]).astype(bool), np.asarray(found["value"])


def test_likelihood_ratios_by_hand():
    """Simel 1991: sensitivity 90/109 and 1 - specificity 241/1233 of the paper's cases."""
    connection = connect_cases([load_cases(nhia_path())])
    told = Told()
    (row,) = measure_accuracy(connection, on_progress=told)["accuracy"]
    assert told.ended == {"gathering the scores": (0, 0), "bootstrap of the ROC areas": (0, 0), "asking the views": (11, 11)}
    ratio = (90 / 109) / (241 / 1233)
    spread = 1.959964 * np.sqrt(1 / 90 - 1 / 109 + 1 / 241 - 1 / 1233)
    found = [row["lr_positive"], row["lr_positive_low"], row["lr_positive_high"]]
    assert found == pytest.approx([ratio, ratio * np.exp(-spread), ratio * np.exp(spread)], rel=1e-6)
    assert row["lr_negative"] == pytest.approx((19 / 109) / (992 / 1233))


def test_the_papers_table_6_and_its_visible_signs():
    connection = connect_cases([load_cases(nhia_path())], groups=["split", "visible_signs"])
    rows = {(row["subgroup"], row["subgroup_value"]): row for row in measure_accuracy(connection)["subgroups"]}
    found = {key: [row[f"{name}_{part}"] for name in ("sensitivity", "specificity") for part in "kn"] for key, row in rows.items()}
    assert found["split", "val"] == [45, 54, 494, 614]
    assert found["split", "test"] == [45, 55, 498, 619]
    assert found["visible_signs", "1"] == [42, 47, 0, 0]
    interval = [round(100 * rows["visible_signs", "1"][name], 2) for name in ("sensitivity", "sensitivity_low", "sensitivity_high")]
    assert interval == [89.36, 77.41, 95.37]
    assert not {"sex", "age"} & {name for name, _ in rows}, "a subgroup of which nothing is known is left out"
    with pytest.raises(UsageError, match="--group nonsense: there is no such column, but case_id"):
        connect_cases([load_cases(nhia_path())], groups=["nonsense"])
    with pytest.raises(UsageError, match="--unit pixel"):
        measure_accuracy(connection, "pixel")


def test_each_stage_by_hand(tmp_path: Path):
    rows = [
        pneumonia_row(1, covid=True),  # positive: found
        pneumonia_row(2),  # positive: lost by stage 3
        instance_row(3),  # positive: lost by the gate
        instance_row(4),  # negative: stopped by the gate
        pneumonia_row(5),  # negative: stopped by stage 3
        pneumonia_row(6, covid=True),  # negative: false alert
    ]
    connection = open_rows(tmp_path, rows, *((n, "positive" if n <= 3 else "negative", 0) for n in range(1, 7)))
    found = {row["question"]: [row[cell] for cell in ("units", "tp", "fp", "fn", "tn")] for row in measure_accuracy(connection)["accuracy"]}
    assert found == {"gate": [6, 2, 2, 1, 1], "stage_3": [4, 1, 1, 1, 1], "covid": [6, 1, 1, 2, 2]}


def test_persons_add_up_at_every_stage(tmp_path: Path):
    """Of person 2 the radiograph about the test was stopped by stage 2 and another one was not; of person 3 it was refused."""
    early = {"StudyDate": NIGHT - timedelta(100)}
    rows = [
        pneumonia_row(1, covid=True),
        instance_row(2),
        pneumonia_row(102, patient_pseudonym=person(2), **early),
        refused_row(3, Reason.LATERAL_VIEW),
        pneumonia_row(103, patient_pseudonym=person(3), covid_positive=None, **early),  # stage 3 did not answer
        pneumonia_row(4),
        pneumonia_row(5, covid_positive=None),
    ]
    connection = open_rows(tmp_path, rows, *((number, "positive", 0) for number in (1, 2, 3)))
    cells = ("units", "tp", "fn", "unverified", "not_scored")
    found = {row["question"]: [row[cell] for cell in cells] for row in measure_accuracy(connection)["accuracy"]}
    assert found == {"gate": [5, 1, 1, 3, 0], "stage_3": [5, 1, 0, 2, 2], "covid": [5, 1, 1, 1, 2]}


def test_those_stopped_by_the_gate_rank_below_all_others(tmp_path: Path):
    rows = [
        pneumonia_row(1, covid_logit=-3.0),
        instance_row(2, pneumonia_logit=-9.0),
        pneumonia_row(3, covid_logit=-4.0),
        instance_row(4, pneumonia_logit=-8.0),
    ]
    connection = open_rows(tmp_path, rows, (1, "positive", 0), (2, "positive", 0), (3, "negative", 0), (4, "negative", 0))
    (row,) = (row for row in measure_accuracy(connection, replicates=0)["auroc"] if row["question"] == "covid")
    assert (row["auroc"], row["positives"], row["negatives"]) == (0.5, 2, 2)  # 1 above both, 2 below both


def test_areas_are_those_of_scikit_learn_and_delong(tmp_path: Path):
    connection = open_scores(tmp_path)
    (area,) = measure_accuracy(connection, replicates=100)["auroc"]
    truth, score = scores_of(connection)
    twin = delong(truth, score)
    assert area["auroc"] == pytest.approx(roc_auc_score(truth, score))
    assert (area["auroc_low"], area["auroc_high"]) == pytest.approx((twin.low, twin.high))
    assert area["bootstrap_low"] == pytest.approx(twin.low, abs=0.03)
    assert (area["positives"], area["negatives"], area["patients"]) == (truth.sum(), (~truth).sum(), 400)


def test_brier_and_calibration(tmp_path: Path):
    connection = open_scores(tmp_path)
    answer = measure_accuracy(connection, replicates=0)
    truth, score = scores_of(connection)
    (brier,) = answer["brier"]
    assert brier["brier"] == pytest.approx(brier_score_loss(truth, score))
    assert brier["brier_reference"] == pytest.approx(truth.mean() * (1 - truth.mean()))
    assert sum(row["n"] for row in answer["calibration"]) == 400
    row = next(row for row in answer["calibration"] if row["bin_low"] == 0.4)
    inside = (score >= 0.4) & (score < 0.5)
    assert (row["k"], row["n"]) == (truth[inside].sum(), inside.sum())
    assert row["predicted"] == pytest.approx(score[inside].mean())


def test_scores_that_are_no_probabilities_have_no_brier_score(tmp_path: Path):
    (tmp_path / "points.csv").write_text("id,truth,score\n1,1,80\n2,0,20\n")
    answer = measure_accuracy(connect_cases([load_cases(str(tmp_path / "points.csv"))], threshold=50))
    assert [(row["n"], row["outside"], row["brier"]) for row in answer["brier"]] == [(0, 2, None)]
    assert answer["calibration"] == []
    assert answer["auroc"][0]["auroc"] == 1.0


def test_two_products_on_the_same_people(tmp_path: Path):
    connection = open_scores(tmp_path, files=2)
    answer = measure_accuracy(connection, replicates=0)
    (first, second) = (scores_of(connection, name) for name in sorted(("product0", "product1"), key=digest_of(connection)))
    truth = first[0]
    for row in answer["paired"]:
        among = truth if row["truth"] == "positive" else ~truth
        right_first, right_second = ((score[among] >= 0.5) == truth[among] for _, score in (first, second))
        only_first, only_second = int((right_first & ~right_second).sum()), int((~right_first & right_second).sum())
        assert (row["n"], row["only_first"], row["only_second"]) == (among.sum(), only_first, only_second)
        assert row["difference"] == pytest.approx(right_first.mean() - right_second.mean())
        assert row["difference_low"] < row["difference"] < row["difference_high"]
        assert row["p"] == pytest.approx(binomtest(only_first, only_first + only_second).pvalue)
    (compared,) = answer["paired_auroc"]
    twin = delong_paired(truth, first[1], second[1])
    assert (compared["difference"], compared["p"]) == (pytest.approx(twin.difference), pytest.approx(twin.p))


def digest_of(connection: duckdb.DuckDBPyConnection):
    """Return the function that gives the digest of a name, the order in which two stand in a pair."""
    return dict(connection.sql("select name, bundle_digest from bundles").fetchall()).__getitem__


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (3, 10), (13, 33), (500, 560)])
def test_mcnemar_is_the_exact_binomial_test(tmp_path: Path, b: int, c: int):
    (p,) = open_scores(tmp_path, 20).sql("select mcnemar_exact($b, $c)", params={"b": b, "c": c}).fetchall()[0]
    assert p == pytest.approx(binomtest(b, b + c).pvalue if b + c else 1.0, rel=1e-9)


def test_interval_of_a_paired_difference_is_newcombes_example(tmp_path: Path):
    """Newcombe 1998 (Statistics in Medicine 17, 2635), table II: 36, 12, 2, 0 gives 0.0569 to 0.3404 by method 10."""
    (limits,) = open_scores(tmp_path, 20).sql("select paired_low(36, 12, 2, 0), paired_high(36, 12, 2, 0)").fetchall()
    assert limits == pytest.approx((0.0569, 0.3404), abs=5e-5)


def audited_row(number: int, covid_score: float | None, nights_later: int = 0) -> dict[str, Any]:
    """Return a radiograph that stage 2 held back, in the audit sample where it has a score of stage 3."""
    night = {"screen_date": NIGHT + timedelta(nights_later)}
    if covid_score is None:
        return instance_row(number, **night)
    return instance_row(number, **night, audit_sample=True, stage_reached="covid", covid_logit=0.0, covid_score=covid_score)


def test_the_gates_loss_by_hand(tmp_path: Path):
    """First night: 4 held back, 2 audited, 1 called. Second: 6 held back, 1 audited, called. Weights 2 and 6."""
    rows = [pneumonia_row(1, covid=True), pneumonia_row(2)]
    rows += [audited_row(10, 0.9), audited_row(11, 0.5), audited_row(12, None), audited_row(13, None)]
    rows += [audited_row(20, 0.73, 1), *(audited_row(20 + other, None, 1) for other in range(1, 6))]
    tests = [(row["object_id"], "positive") for row in rows]
    connection = open_rows(tmp_path, rows, *((int(key, 16), result, 0) for key, result in tests))
    (loss,) = measure_accuracy(connection)["gate_loss"]
    assert [loss[name] for name in ("truth", "judged", "held_back", "audited", "audited_called", "covered")] == [
        "positive",
        12,
        10,
        3,
        2,
        10,
    ]
    assert loss["share"] == pytest.approx((1 * 2 + 1 * 6) / (2 * 2 + 1 * 6))
    assert loss["lost"] == pytest.approx(8)
    assert loss["share_of_judged"] == pytest.approx(8 / 12)
    # Kish's effective number: (2 + 2 + 6)² / (4 + 4 + 36)
    effective = 100 / 44
    (limits,) = connection.sql(f"select wilson_low({0.8 * effective}, {effective}), wilson_high({0.8 * effective}, {effective})").fetchall()
    assert (loss["low"], loss["high"]) == pytest.approx(limits)


def test_no_audit_no_estimate(tmp_path: Path):
    connection = open_rows(tmp_path, [pneumonia_row(1, covid=True), instance_row(2)], (1, "positive", 0), (2, "positive", 0))
    (loss,) = measure_accuracy(connection)["gate_loss"]
    assert (loss["held_back"], loss["audited"], loss["share"], loss["lost"]) == (1, 0, None, None)


def sites(folder: Path, *numbers: int, min_cell: int) -> dict[str, tuple]:
    """Return site → suppressed, units, verified for sites with so many negative people."""
    rows = [
        instance_row(100 * site + number, InstitutionName="abc"[site]) for site, people in enumerate(numbers) for number in range(people)
    ]
    connection = open_rows(folder, rows, *((int(row["object_id"], 16), "negative", 0) for row in rows))
    found = measure_accuracy(connection, min_cell=min_cell)["subgroups"]
    return {row["subgroup_value"]: (row["suppressed"], row["units"], row["verified"]) for row in found if row["subgroup"] == "site"}


def test_small_cells_are_suppressed_and_cannot_be_worked_out(tmp_path: Path):
    hidden = (True, None, None)
    assert sites(tmp_path, 4, 6, 9, min_cell=5) == {"a": hidden, "b": hidden, "c": (False, 9, 9)}, "one alone would follow from the total"
    assert sites(tmp_path, 4, 4, 9, min_cell=5) == {"a": hidden, "b": hidden, "c": (False, 9, 9)}
    assert sites(tmp_path, 4, 6, 9, min_cell=1) == {"a": (False, 4, 4), "b": (False, 6, 6), "c": (False, 9, 9)}


def test_few_positives_are_not_the_units_less_the_negatives(tmp_path: Path):
    rows = [instance_row(number, PatientSex="F" if number < 12 else "M") for number in range(1, 32)]
    positive = {1, 2, *range(12, 20)}
    connection = open_rows(tmp_path, rows, *((number, "positive" if number in positive else "negative", 0) for number in range(1, 32)))
    found = [row for row in measure_accuracy(connection)["subgroups"] if row["subgroup"] == "sex"]
    cells = [(row["suppressed"], row["units"], row["verified"], row["sensitivity_n"], row["specificity_n"]) for row in found]
    assert cells == [(True, None, None, None, 9), (True, None, None, None, 12)]
    alone = [row for row in measure_accuracy(connection)["subgroups"] if row["subgroup"] == "view"]
    assert alone == [], "a subgroup of which nothing is known is left out"


def test_a_person_has_the_attributes_of_the_first_radiograph(tmp_path: Path):
    first = instance_row(1, StudyDate=NIGHT, ViewPosition="PA", age_years=64.0)
    second = pneumonia_row(2, covid=True, patient_pseudonym=person(1), StudyDate=NIGHT + timedelta(9), ViewPosition="AP", age_years=65.0)
    tests = reference_of((1, "positive", 2)).set_column(1, "symptom_onset_date", pa.array([NIGHT - timedelta(3)], pa.date32()))
    write_instances(str(tmp_path / "results"), [first, second])
    found = connect(str(tmp_path / "results"), tests).sql(
        "select subgroup, subgroup_value, tp from group_accuracy where unit = 'patient' and question = 'covid' and subgroup <> 'all'"
    )
    known = {row for row in found.fetchall() if row[1] != "unknown"}
    assert known == {("age", "40 to 64", 1), ("view", "PA", 1), ("days since onset", "3 to 5", 1)}


def test_correction_for_who_was_tested_on_the_published_example(tmp_path: Path):
    """Begg and Greenes 1983: 650 liver scans of Drum and Christacopoulos 1972. Sensitivity 0.895 as seen, 0.836 corrected."""
    cells = {(True, "positive"): 231, (True, "negative"): 32, (False, "positive"): 27, (False, "negative"): 54}
    calls = [(called, result) for (called, result), n in cells.items() for _ in range(n)]
    calls += [(True, None)] * 166 + [(False, None)] * 140
    lines = [f"{case},{result or ''},{int(called)}" for case, (called, result) in enumerate(calls)]
    (tmp_path / "scans.csv").write_text("\n".join(["id,label,call", *lines]))
    answer = measure_accuracy(connect_cases([load_cases(str(tmp_path / "scans.csv"))]), replicates=0)
    (seen,) = answer["accuracy"]
    (row,) = [row for row in answer["verification"] if row["question"] == "covid"]
    assert (seen["sensitivity"], seen["specificity"]) == pytest.approx((231 / 258, 54 / 86))
    assert (row["called"], row["called_verified"], row["not_called"], row["not_called_verified"]) == (429, 263, 221, 81)
    assert (row["sensitivity_corrected"], row["specificity_corrected"]) == pytest.approx((0.836, 0.738), abs=5e-4)
    assert row["unequal"]
    assert row["verified_difference"] == pytest.approx(263 / 429 - 81 / 221)
    drawn = corrected_by_bootstrap(np.array([231, 32, 166, 27, 54, 140]))
    limits = [[row[f"{name}_corrected_{end}"] for end in ("low", "high")] for name in ("sensitivity", "specificity")]
    assert limits == pytest.approx(np.quantile(drawn, [0.025, 0.975], axis=1).T, abs=0.01)


def corrected_by_bootstrap(counts: np.ndarray) -> np.ndarray:
    """Return the corrected sensitivity and specificity of 20,000 samples drawn anew, (2, 20000): another way to their intervals."""
    tp, fp, unverified, fn, tn, others = np.random.default_rng(1).multinomial(counts.sum(), counts / counts.sum(), 20_000).T
    called, not_called = tp + fp + unverified, fn + tn + others
    ill, missed = called * tp / (tp + fp), not_called * fn / (fn + tn)
    well, alarms = not_called * tn / (fn + tn), called * fp / (tp + fp)
    return np.array([ill / (ill + missed), well / (well + alarms)])


def test_everybody_tested_needs_no_correction(tmp_path: Path):
    answer = measure_accuracy(open_scores(tmp_path), replicates=0)
    for seen in answer["accuracy"]:
        (row,) = [row for row in answer["verification"] if row["question"] == seen["question"]]
        assert not row["unequal"]
        for name in ("sensitivity", "specificity"):
            assert row[f"{name}_corrected"] == pytest.approx(seen[name])

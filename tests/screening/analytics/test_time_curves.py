"""Lead time as a survival curve and sensitivity by days since onset, against statsmodels over the same people."""

import random
from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
import statsmodels.api as sm
from statsmodels.duration.survfunc import SurvfuncRight

from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.cases import load_cases
from screening.analytics.lead_time import measure_lead_time
from screening.analytics.time_curves import lead_curve, onset_curve
from screening.analytics.views import connect, connect_cases
from tests.paper_data import nhia_path
from tests.screening.instance_rows import NIGHT, person, pneumonia_row, write_instances

PEOPLE = 90


@pytest.fixture(scope="module")
def people() -> list[dict]:
    """Ninety confirmed persons of one radiograph each: some missed, some whose result was never reported, two without any date."""
    draw, people = random.Random(5), []
    for number in range(1, PEOPLE + 1):
        since = draw.randrange(0, 15)
        found = draw.random() < 0.25 + 0.045 * since
        specimen = draw.randrange(0, 12)
        report = None if number % 6 == 0 else specimen + draw.randrange(0, 8)
        people.append(
            {"number": number, "since": since, "found": found, "specimen": specimen, "report": report, "undated": number in (7, 30)}
        )
    return people


@pytest.fixture(scope="module")
def connection(people: list[dict], tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    folder = str(tmp_path_factory.mktemp("people"))
    rows = [pneumonia_row(each["number"], covid=each["found"], StudyDate=NIGHT) for each in people]
    tests = [
        {
            "patient_pseudonym": person(each["number"]),
            "symptom_onset_date": NIGHT - timedelta(each["since"]),
            "specimen_date": NIGHT + timedelta(each["specimen"]),
            "result_date": None if each["report"] is None else NIGHT + timedelta(each["report"]),
            "result": "positive",
        }
        for each in people
    ]
    tests += [{"patient_pseudonym": person(each["number"]), "result": "positive"} for each in people if each["undated"]]
    table = pa.Table.from_pylist([dict.fromkeys(REFERENCE_SCHEMA.names) | test for test in tests], REFERENCE_SCHEMA)
    write_instances(folder, rows)
    return connect(folder, table)


def test_lead_time_is_statsmodels_survival_curve(people: list[dict], connection: duckdb.DuckDBPyConnection):
    """A missed person never had a day of lead; a result without a date came no earlier than its specimen."""
    known = [each for each in people if not (each["found"] and each["undated"])]
    rows = lead_curve(connection, min_cell=1)
    for population in ("confirmed", "found"):
        taken = [each for each in known if each["found"] or population == "confirmed"]
        told = [each["specimen"] if each["report"] is None else each["report"] for each in taken]
        days = np.array([day if each["found"] else -1 for day, each in zip(told, taken, strict=True)])
        ended = np.array([not each["found"] or each["report"] is not None for each in taken])
        theirs = SurvfuncRight(days + 2, ended.astype(int))  # statsmodels takes times above 0
        own = [row for row in rows if row["population"] == population]
        assert [row["days"] for row in own] == list(range(days.max() + 1))
        for row in own:
            before = theirs.surv_times - 2 < row["days"]
            assert row["share"] == pytest.approx(theirs.surv_prob[before][-1] if before.any() else 1)
            assert row["at_risk"] == (days >= row["days"]).sum()
            if row["low"] is not None:
                share, error = theirs.surv_prob[before][-1], theirs.surv_prob_se[before][-1]
                limits = np.exp(-np.exp(np.log(-np.log(share)) + np.array([1, -1]) * 1.959964 * error / (share * np.log(share)) * -1))
                assert (row["low"], row["high"]) == pytest.approx(limits, abs=1e-6)
    assert sum(each["report"] is None and each["found"] for each in known) >= 5


def test_where_few_are_left_the_curve_ends(connection: duckdb.DuckDBPyConnection):
    whole, shown = lead_curve(connection, min_cell=1), lead_curve(connection, min_cell=10)
    assert [row for row in whole if row["at_risk"] >= 10] == shown
    assert len(shown) < len(whole)
    assert onset_curve(connection, min_cell=PEOPLE + 1) == []


def test_without_censoring_it_is_the_share_of_the_summary():
    """The paper's cases: whose confirmation has no date has no specimen either, and takes no part in the curve."""
    found = measure_lead_time(connect_cases([load_cases(nhia_path())]), tuple(range(1, 8)), min_cell=1)
    curve = {row["days"]: row for row in found["curve"] if row["population"] == "confirmed"}
    timing = {row["timing"]: row["k"] for row in found["timing"]}
    for row in found["summary"]:
        assert curve[row["days"]]["share"] == pytest.approx(row["k"] / (row["n"] - timing["dates missing"]))
        assert curve[row["days"]]["at_risk"] == row["k"]


def test_sensitivity_by_days_since_onset_is_statsmodels_curve(people: list[dict], connection: duckdb.DuckDBPyConnection):
    since = np.array([each["since"] for each in people])
    found = np.array([each["found"] for each in people])
    rows = onset_curve(connection)
    first, last = np.sort(since)[4], np.sort(since)[-5]
    assert [row["days"] for row in rows] == list(range(first, last + 1))
    assert {row["form"] for row in rows} == {"spline"}
    low, middle, high = np.quantile(since, (0.1, 0.5, 0.9))

    def design(days: np.ndarray) -> np.ndarray:
        one, two, three = (np.maximum(days - knot, 0) ** 3 for knot in (low, middle, high))
        return np.column_stack([np.ones(days.size), days, one - (two * (high - low) - three * (middle - low)) / (high - middle)])

    fit = sm.GLM(found, design(since), sm.families.Binomial()).fit(cov_type="HC0", tol=1e-12)
    there = design(np.array([row["days"] for row in rows]))
    errors = np.sqrt(np.einsum("np,pq,nq->n", there, fit.cov_params() * PEOPLE / (PEOPLE - 1), there))
    for name, side in (("share", 0), ("low", -1), ("high", 1)):
        expected = 1 / (1 + np.exp(-(there @ fit.params + side * 1.959964 * errors)))
        assert [row[name] for row in rows] == pytest.approx(expected, abs=1e-5)


def test_several_radiographs_of_a_person_are_a_cluster(people: list[dict], tmp_path: Path):
    rows = [
        pneumonia_row(1000 * copy + each["number"], covid=each["found"], StudyDate=NIGHT, patient_pseudonym=person(each["number"]))
        for each in people
        for copy in (1, 2, 3)
    ]
    tests = [
        {"patient_pseudonym": person(each["number"]), "symptom_onset_date": NIGHT - timedelta(each["since"]), "specimen_date": NIGHT}
        for each in people
    ]
    write_instances(str(tmp_path), rows)
    table = pa.Table.from_pylist(
        [dict.fromkeys(REFERENCE_SCHEMA.names) | test | {"result": "positive"} for test in tests], REFERENCE_SCHEMA
    )
    thrice = onset_curve(connect(str(tmp_path), table))
    write_instances(str(tmp_path / "once"), rows[::3])
    once = onset_curve(connect(str(tmp_path / "once"), table))
    assert [row["low"] for row in thrice] == pytest.approx([row["low"] for row in once], abs=1e-6), "three of each are no more evidence"

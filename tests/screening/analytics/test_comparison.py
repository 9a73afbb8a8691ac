"""Non-inferiority on the same people: the counts are those of paired_accuracy, the variance that of statsmodels, and who may be asked."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
import statsmodels.api as sm

from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.cases import load_cases
from screening.analytics.clustered import clustered_accuracy
from screening.analytics.comparison import compare
from screening.analytics.views import connect, connect_cases
from screening.errors import UsageError
from screening.statistics.clusters import clustered_share, moments
from screening.statistics.paired import non_inferiority
from tests.screening.instance_rows import NIGHT, person, pneumonia_row, write_instances

PERSONS, SITES = 160, 8


def answers() -> dict[str, np.ndarray]:
    """Return two radiographs of each person, who is positive, and where either bundle was right: alike within a person and a site."""
    draw = np.random.default_rng(4)
    who = np.repeat(np.arange(PERSONS), 2)
    leaning = draw.normal(0, 1.2, PERSONS) + draw.normal(0, 0.8, SITES)[np.arange(PERSONS) % SITES]
    right = {name: draw.random(who.size) < 1 / (1 + np.exp(-shift - leaning[who])) for name, shift in (("first", 1.2), ("second", 1.0))}
    return {"who": who, "site": who % SITES, "positive": who < 100, **right}


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    known, rows = answers(), []
    for digest, name in (("a" * 64, "first"), ("b" * 64, "second")):
        for place, who in enumerate(known["who"]):
            given = {"patient_pseudonym": person(int(who)), "InstitutionName": f"Site {known['site'][place]}", "StudyDate": NIGHT}
            called = bool(known[name][place] == known["positive"][place])
            rows.append(pneumonia_row(1 + place, covid=called, bundle_digest=digest, **given))
    tests = [
        {"patient_pseudonym": person(who), "specimen_date": NIGHT, "result_date": NIGHT, "result": "positive" if who < 100 else "negative"}
        for who in range(PERSONS)
    ]
    folder = str(tmp_path_factory.mktemp("two"))
    write_instances(folder, rows)
    return connect(folder, pa.Table.from_pylist(tests, REFERENCE_SCHEMA))


def of_covid(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["measure"]: row for row in found["rows"] if row["question"] == "covid"}


@pytest.mark.parametrize("unit", ["instance", "study", "patient"])
def test_the_counts_are_those_of_the_view(connection: duckdb.DuckDBPyConnection, unit: str):
    found = of_covid(compare(connection, "a", "b", unit, margin=0.05, cluster="unit"))
    query = "from paired_accuracy where unit = $unit and question = 'covid'"
    for row in connection.sql(query, params={"unit": unit}).to_arrow_table().to_pylist():
        own = found["sensitivity" if row["truth"] == "positive" else "specificity"]
        assert [own[name] for name in ("n", "only_first", "only_second")] == [row[name] for name in ("n", "only_first", "only_second")]
        either = (own["first_k"], own["first_low"], own["second_k"], own["second_high"])
        assert either == pytest.approx((row["k"], row["low"], row["other_k"], row["other_high"]))
        expected = non_inferiority(row["only_first"], row["only_second"], row["n"], 0.05)
        assert own["design_effect"] == 1
        for name, value in vars(expected).items():
            assert own[name] == pytest.approx(value), name
    persons = compare(connection, "a", "b", "patient", margin=0.05, cluster="person")["rows"]
    assert persons == compare(connection, "a", "b", "patient", margin=0.05, cluster="unit")["rows"]


@pytest.mark.parametrize(("cluster", "column"), [("person", "who"), ("site", "site")])
def test_clusters_have_the_variance_of_statsmodels(connection: duckdb.DuckDBPyConnection, cluster: str, column: str):
    known = answers()
    found = of_covid(compare(connection, "a", "b", "instance", margin=0.05, cluster=cluster))
    alone = of_covid(compare(connection, "a", "b", "instance", margin=0.05, cluster="unit"))
    for measure, positive in (("sensitivity", True), ("specificity", False)):
        own = known["positive"] == positive
        difference = known["first"][own].astype(int) - known["second"][own]
        groups = known[column][own]
        count = len(set(groups))
        robust = {"cov_type": "cluster", "cov_kwds": {"groups": groups, "use_correction": False}}
        variance = sm.OLS(difference, np.ones(difference.size)).fit(**robust).cov_params()[0, 0] * count / (count - 1)
        effect = max(1.0, variance / (difference.var() / difference.size))
        row = found[measure]
        assert (row["clusters"], row["design_effect"]) == (count, pytest.approx(effect))
        counts = [(difference == side).sum() / effect for side in (1, -1)]
        expected = non_inferiority(*counts, difference.size / effect, 0.05, count)
        assert (row["low"], row["high"], row["p"]) == pytest.approx((expected.low, expected.high, expected.p))
        assert row["first_high"] - row["first_low"] > alone[measure]["first_high"] - alone[measure]["first_low"]


@pytest.mark.parametrize("unit", ["instance", "patient"])
def test_accuracy_by_clusters(connection: duckdb.DuckDBPyConnection, unit: str):
    known = answers()
    rows = [row for row in clustered_accuracy(connection, unit) if row["question"] == "covid" and row["bundle_digest"] == "a" * 64]
    assert {row["cluster"] for row in rows} == ({"site"} if unit == "patient" else {"person", "site"})
    for row in rows if unit == "instance" else []:
        own = known["positive"] == (row["measure"] == "sensitivity")
        of = moments(known["who" if row["cluster"] == "person" else "site"][own], known["first"][own])
        assert (row["clusters"], row["k"], row["n"]) == (of.clusters, of.total, of.n)
        assert (row["design_effect"], row["low"], row["high"]) == pytest.approx(clustered_share(of))


def test_one_site_has_no_interval_by_site(tmp_path: Path):
    for name, calls in (("new", "1101"), ("old", "1001")):
        lines = [f"{case},{int(case < 2)},{call}" for case, call in enumerate(calls)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["id,label,call", *lines]))
    with connect_cases([load_cases(str(tmp_path / f"{name}.csv")) for name in ("new", "old")]) as opened:
        found = compare(opened, "new", "old", margin=0.1, cluster="site")
        rows = of_covid(found)
        assert (found["first"], rows["sensitivity"]["difference"]) == ("new", 0.5)
        assert {rows[name][part] for name in rows for part in ("low", "p", "non_inferior", "first_low")} == {None}
        turned = of_covid(compare(opened, "old", "new", margin=0.1, cluster="unit"))["sensitivity"]
        assert (turned["difference"], turned["non_inferior"]) == (-0.5, False)
        for wrong, message in (
            ({"first": "newer"}, "none begins so: there are new, old"),
            ({"first": ""}, "several begin so"),
            ({"first": "old"}, "are the same"),
            ({"margin": 1.0}, "between 0 and 1"),
            ({"cluster": "town"}, "it is unit, person, site"),
            ({"unit": "town"}, "it is instance, study, patient"),
        ):
            with pytest.raises(UsageError, match=message):
                compare(opened, **{"first": "new", "second": "old", "margin": 0.1} | wrong)

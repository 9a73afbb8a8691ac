"""Cohen's kappa and its interval against published tables, and which judgements are held against each other."""

from itertools import product
from pathlib import Path

import pyarrow as pa
import pytest

from schemas.reading import READING_SCHEMA
from schemas.reasons import Reason
from screening.analytics.agreement import agreement_of, measure_agreement
from screening.analytics.views import connect
from tests.readings import reading_of, shared_uid, write_readings
from tests.screening.instance_rows import DIGEST, instance_row, pneumonia_row, refused_row, write_instances


def judged(table: list[list[int]]) -> tuple[list[str], list[str]]:
    """Return the categories that two judges gave, from their cross-table."""
    pairs = [(str(i), str(j)) for i, j in product(range(len(table)), repeat=2) for _ in range(table[i][j])]
    return [one for one, _ in pairs], [two for _, two in pairs]


# the printouts of SAS in J. Uebersax, "Calculating Kappa with SAS" (john-uebersax.com/stat/saskappa.htm), and of PROC FREQ for the table of
# three categories with which statsmodels is tested; both use Fleiss, Cohen and Everitt's standard error
@pytest.mark.parametrize(
    ("table", "kappa", "low", "high"),
    [
        ([[0, 0, 0], [5, 16, 3], [8, 12, 28]], 0.3333, 0.1738, 0.4929),
        ([[0, 4, 1], [0, 8, 0], [0, 1, 5]], 0.4842, 0.2137, 0.7547),
    ],
)
def test_kappa_as_published(table: list[list[int]], kappa: float, low: float, high: float) -> None:
    found = agreement_of(*judged(table))
    assert (found.kappa, found.low, found.high) == pytest.approx((kappa, low, high), abs=5e-5)


def test_diagnoses_of_two_psychiatrists() -> None:
    """Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions, 3rd ed. 2003, table 18.1: agreement 0.89, by chance 0.66."""
    found = agreement_of(*judged([[75, 1, 4], [5, 4, 1], [0, 0, 10]]))
    assert found.n == 100
    assert (found.observed, found.expected, found.kappa) == pytest.approx((0.89, 0.66, 0.68), abs=5e-3)


def test_where_chance_alone_agrees_fully_there_is_no_kappa() -> None:
    found = agreement_of(["covid"] * 5, ["covid"] * 5)
    assert (found.n, found.observed, found.kappa, found.low) == (5, 1.0, None, None)
    assert agreement_of([], []).observed is None


def test_the_interval_stays_within_its_limits() -> None:
    full = agreement_of(["a", "b"], ["a", "b"])
    assert (full.kappa, full.low, full.high) == (1.0, 1.0, 1.0)
    assert agreement_of(["a", "b", "a"], ["b", "a", "a"]).low == -1.0


def test_who_is_held_against_whom(tmp_path: Path) -> None:
    rows = [instance_row(1), pneumonia_row(2), pneumonia_row(3, covid=True), instance_row(4), refused_row(5, Reason.BLANK)]
    write_instances(str(tmp_path), [*rows, *(row | {"bundle_digest": "b" * 64} for row in rows[:2])])
    ann = [reading_of(row, finding) for row, finding in zip(rows, ("normal", "covid", "covid", "unreadable", "normal"), strict=True)]
    bo = [reading_of(rows[0], "normal", "bo", scores_hidden=False), reading_of(rows[2], "pneumonia", "bo")]
    connection = connect(str(tmp_path), write_readings(tmp_path, *ann, *bo))
    found = {(row["first"], row["second"], row["question"]): row for row in measure_agreement(connection)}
    assert len(found) == 5 * 3, "each reader with each bundle and with the other reader, three questions each"
    with_cascade = found["ann", DIGEST, "finding"]
    assert [with_cascade[name] for name in ("n", "beside", "hidden", "observed")] == [3, 2, 3, pytest.approx(2 / 3)]
    assert found["ann", DIGEST, "pneumonia"]["kappa"] == 1.0, "both see pneumonia of some kind in the same radiographs"
    readers = found["ann", "bo", "covid"]
    assert [readers[name] for name in ("kind", "name", "n", "hidden", "observed")] == ["reader", "bo", 2, 1, 0.5]
    of_one = measure_agreement(connection, "b" * 64)
    assert {row["second"] for row in of_one} == {"b" * 64, "bo"}


@pytest.mark.parametrize("unknown", [{}, {"pixel_hash": None}, {"pixel_hash": None, "patient_pseudonym": None}])
def test_radiographs_that_share_a_uid_are_two(tmp_path: Path, unknown: dict[str, None]) -> None:
    """Ann reads both, Bo one and Cy the other: Bo and Cy have read nothing in common."""
    one, two = shared_uid()
    write_instances(str(tmp_path), [one, two])
    ann = [reading_of(one | unknown, "covid"), reading_of(two | unknown, "pneumonia")]
    others = [reading_of(one | unknown, "covid", "bo"), reading_of(two | unknown, "normal", "cy")]
    connection = connect(str(tmp_path))
    connection.register("readings", pa.Table.from_pylist([reading.model_dump() for reading in (*ann, *others)], READING_SCHEMA))
    rows = [row for row in measure_agreement(connection) if row["question"] == "finding"]
    found = {(row["first"], row["second"]): (row["n"], row["observed"]) for row in rows}
    assert found == {
        ("ann", DIGEST): (2, 1.0),
        ("bo", DIGEST): (1, 1.0),
        ("cy", DIGEST): (1, 0.0),
        ("ann", "bo"): (1, 1.0),
        ("ann", "cy"): (1, 0.0),
    }


def test_without_readings_there_is_nothing(tmp_path: Path) -> None:
    write_instances(str(tmp_path), [instance_row(1)])
    assert measure_agreement(connect(str(tmp_path))) == []

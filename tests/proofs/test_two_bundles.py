"""Results of two bundles are never mixed in one figure: beside another bundle every answer about the first stays, and names it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from schemas.reasons import Reason
from screening.analytics.tables import all_tables
from screening.analytics.views import connect, list_views
from screening.report.facts import ReportOptions
from screening.report.write import render
from tests.screening.instance_rows import NIGHT, instance_row, pneumonia_row, reference_of, refused_row, write_instances

FIRST, SECOND = "a" * 64, "b" * 64
NAMES = ("bundle_digest", "other_digest", "name")  # of a row that says whose figure it is
# of the reference table and of persons, whoever judged them; what they say of radiographs is the same for every bundle that saw them
OF_NO_BUNDLE = ("link_rule", "match_rate", "reference", "reference_read", "reference_cleaning", "reference_reasons", "latest_readings",
                "reading_tests", "tests", "episodes", "bundles")  # fmt: skip
Row = dict[str, Any]


def rows_of(digest: str, *, contrary: bool) -> list[Row]:
    """Return sixty persons on three nights at two sites; a contrary bundle calls positive whom the other one does not."""
    rows = []
    for number in range(60):
        place = {"InstitutionName": ("North", "South")[number % 2], "Manufacturer": "maker", "ViewPosition": "PA"}
        place |= {"PatientSex": "MF"[number % 2], "age_years": 20.0 + number}
        facts = {
            "bundle_digest": digest,
            "screen_date": NIGHT + timedelta(number % 3),
            "Manufacturer": "maker",
            "ViewPosition": "PA",
            **place,
        }
        ill = (number % 4 < 2) is not contrary
        score = 0.55 + 0.005 * number if ill else 0.1 + 0.005 * number
        logits = {"covid_score": score, "covid_logit": 10 * score - 5}
        judged = pneumonia_row(number, covid=ill, **logits, **facts) if number % 5 else instance_row(number, **facts)
        rows.append(judged)
    return [*rows, refused_row(90, (Reason.BLANK, Reason.READ_FAILED)[contrary], bundle_digest=digest)]


def opened(folder: Path, *digests: str) -> duckdb.DuckDBPyConnection:
    """Return a connection over the results of bundles, the second of which is contrary to the first."""
    for digest in digests:
        write_instances(str(folder), rows_of(digest, contrary=digest == SECOND))
    tests = [(number, "positive" if number % 4 < 2 else "negative", 1) for number in range(50)]
    return connect(str(folder), reference_of(*tests, reading="pneumonia"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    return opened(tmp_path_factory.mktemp("alone"), FIRST)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    return opened(tmp_path_factory.mktemp("both"), FIRST, SECOND)


def as_text(rows: pa.Table | list[Row]) -> list[str]:
    """Return rows in an order of their own; sums may differ in their last bits, because other rows stand beside these."""
    listed = rows.to_pylist() if isinstance(rows, pa.Table) else rows
    return sorted(str({name: f"{value:.9g}" if isinstance(value, float) else value for name, value in row.items()}) for row in listed)


def test_a_view_names_the_bundle_of_each_row_and_says_of_it_what_it_says_alone(
    alone: duckdb.DuckDBPyConnection, both: duckdb.DuckDBPyConnection
) -> None:
    judged = [view for view in list_views() if view not in OF_NO_BUNDLE]
    assert len(judged) > 25
    for view in judged:
        columns = both.table(view).columns
        named = "second" if view == "reading_pairs" else "bundle_digest"
        assert named in columns, f"{view}: no column says whose answer a row is"
        where = f"{named} = '{FIRST}'" + (f" and other_digest = '{FIRST}'" if "other_digest" in columns else "")
        found = as_text(both.sql(f"from {view} where {where}").to_arrow_table())
        assert found == as_text(alone.sql(f"from {view} where {where}").to_arrow_table()), view
    for view in OF_NO_BUNDLE[:-1]:
        assert as_text(both.sql(f"from {view}").to_arrow_table()) == as_text(alone.sql(f"from {view}").to_arrow_table()), view


def test_every_answer_of_the_commands_names_its_bundle(alone: duckdb.DuckDBPyConnection, both: duckdb.DuckDBPyConnection) -> None:
    """`screening tables` holds the answers of accuracy, lead-time, monitor, thresholds and the flow."""
    one, two = (all_tables(connection, has_reference=True, min_cell=1) for connection in (alone, both))
    assert len(two) >= 12
    assert {"accuracy", "auroc", "monitor", "flow", "thresholds", "paired"} <= two.keys()
    for name, rows in two.items():
        if name == "about":
            continue
        assert all(any(column in row for column in NAMES) for row in rows), f"{name}: a row does not say whose figure it is"
        own = [row for row in rows if SECOND not in row.values() and SECOND[:12] not in row.values()]
        assert as_text(own) == as_text(one.get(name, [])), name
        if name not in ("paired", "paired_auroc"):
            # the contrary bundle finds nobody whom a test confirmed, so that it has no lead time
            answering = {FIRST} if name == "lead_time_curve" else {FIRST, SECOND}
            assert {row["bundle_digest"] for row in rows} == answering, name


def test_a_report_is_about_one_bundle_and_names_the_other(both: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    page, _ = render(both, str(tmp_path), ReportOptions("two bundles", cases=0), b"a key for a test")
    assert "There are answers of others too" in page
    assert FIRST[:12] in page
    assert SECOND[:12] in page

"""No cell that a report, or the tables of a screening, holds back follows from what they show."""

import re
from html.parser import HTMLParser
from typing import Any

import duckdb
import pytest

from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.tables import all_tables
from screening.analytics.views import connect
from screening.page.wording import HIDDEN, NOTHING
from screening.report.write import render
from tests.attacker import Attacker
from tests.screening.instance_rows import write_instances
from tests.screening.report.screened import reference_of_people, rows_of_people

SITES = ["North"] * 30 + ["South"] * 20 + ["East"] * 3 + ["West"] * 7
SAME_PERSONS = (
    [("subgroups/covid", "sensitivity_n"), ("report_participants", "positive"), *((f"lead_time_by_onset/{day}", "n") for day in (1, 2, 5))],
    [("subgroups/covid", "specificity_n"), ("report_participants", "negative")],
)


class Tables(HTMLParser):
    """The tables of a page: the beginning of the caption → the texts of the cells, row by row."""

    def __init__(self, page: str):
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] = []
        self._tag = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        if tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self._tag == "caption":
            self.tables[re.split("[;,]", data)[0]] = self._rows
        elif self._tag in ("td", "th"):
            self._rows[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """Sixty persons of four sites: one has three persons, all of whom were tested, and one few positives."""
    folder = tmp_path_factory.mktemp("results")
    rows = rows_of_people()
    for row, site in zip(rows, SITES, strict=False):
        row["InstitutionName"] = site
    write_instances(str(folder), rows[:60])
    return connect(str(folder), reference_of_people().cast(REFERENCE_SCHEMA))


def read_page(page: str) -> dict[str, list[dict[str, Any]]]:
    """Return what a reader can write down of the tables with cells that may be small."""
    tables = Tables(page).tables
    participants = [_named(row[0], "characteristic", "category") | _counts(row[1:]) for row in tables["Participants"][1:]]
    subgroups = []
    for name, units, *shares in tables["Accuracy by subgroup"][1:]:
        ends = {
            f"{measure}_{part}": value for measure, text in zip(MEASURES, shares, strict=True) for part, value in _proportion(text).items()
        }
        subgroups.append(_named(name, "subgroup", "subgroup_value") | {"question": "covid", "units": _count(units)} | ends)
    by_onset = []
    for onset, n, detected, *early in tables["By days since onset"][1:]:
        row = {"onset": onset, "n": _count(n), "detected": _count(detected)}
        by_onset += [row | {"days": days, "k": _early(text)} for days, text in zip((1, 2, 5), early, strict=True)]
    return {"report_participants": participants, "subgroups": subgroups, "lead_time_by_onset": by_onset}


MEASURES = ("sensitivity", "specificity")


def _named(text: str, *names: str) -> dict[str, str]:
    return dict(zip(names, text.split(": ", 1), strict=True))


def _count(text: str) -> int | None:
    return None if text == HIDDEN else int(text.replace(",", ""))


def _counts(texts: list[str]) -> dict[str, int | None]:
    return dict(zip(("persons", "positive", "negative"), map(_count, texts), strict=True))


def _proportion(text: str) -> dict[str, int | None]:
    if text == HIDDEN:
        return {"k": None, "n": None}
    return dict(zip("kn", map(int, re.search(r"\((\d+)/(\d+);", text).groups()), strict=True)) if text != NOTHING else {"k": 0, "n": 0}


def _early(text: str) -> int | None:
    return None if text == HIDDEN else int(re.search(r"\((\d+);", text)[1])


def test_the_written_report(connection: duckdb.DuckDBPyConnection) -> None:
    page, facts = render(connection, None)
    names = {
        "report_participants": "",
        "subgroups": "where unit = 'patient' and question = 'covid'",
        "lead_time_by_onset": "where days in (1, 2, 5)",
    }
    true = {name: connection.sql(f"from {name} {rest}").to_arrow_table().to_pylist() for name, rest in names.items()}
    true = {name: [{key: value for key, value in row.items() if key != "bundle_digest"} for row in rows] for name, rows in true.items()}
    shown = read_page(page)
    attacker = Attacker(true, shown, SAME_PERSONS)
    assert len(attacker.unknown) > 20
    assert attacker.small_cells_shown(5) == []
    assert attacker.computed() == []
    hidden_bands = {row["onset"] for row in shown["lead_time_by_onset"] if row["n"] is None}
    bands = {row["onset"] for row in facts.timeline if row["onset_days"] is not None}
    assert not bands & hidden_bands, "the timeline tells nobody's onset in a band that is held back"
    leaky = {**shown, "report_participants": true["report_participants"]}
    assert Attacker(true, leaky, SAME_PERSONS).computed(), "one table without suppression gives the others away"


def test_the_tables_of_a_screening(connection: duckdb.DuckDBPyConnection) -> None:
    true, shown = (all_tables(connection, has_reference=True, min_cell=smallest) for smallest in (1, 5))
    attacker = Attacker(true, shown)
    assert attacker.unknown
    assert attacker.small_cells_shown(5) == []
    assert attacker.computed() == []
    assert {row["site"] for row in true["monitor"]} > {"all sites"} == {row["site"] for row in shown["monitor"]}

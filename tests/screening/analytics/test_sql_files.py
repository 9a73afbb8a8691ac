"""The SQL files themselves: one view each, a stated grain, one style; and the macros against their Python twins."""

import re

import pytest

from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.sql_files import read_sql, sql_files
from screening.analytics.template import MACROS, READINGS, REFERENCE, REFERENCE_VIEWS, VIEWS
from screening.analytics.views import CASE_VIEWS, connect
from screening.metrics import wilson
from screening.report.facts import REPORT_VIEWS, VERIFIED_VIEWS

FILES = {name: read_sql(package, name) for package in ("analytics", "report") for name in sql_files(package)}


def test_each_file_is_a_view_or_macros():
    assert FILES.keys() == {
        *(*REFERENCE, *READINGS, *VIEWS, *REFERENCE_VIEWS, *CASE_VIEWS),
        *(*MACROS, *REPORT_VIEWS, *VERIFIED_VIEWS),
    }


@pytest.mark.parametrize("name", sorted(FILES))
def test_style(name: str):
    text = FILES[name]
    assert text.startswith("-- ")
    code = re.sub(r"--.*|'[^']*'", "", text)
    assert re.findall(r"\b(?:SELECT|FROM|WHERE|JOIN|GROUP|ORDER|CREATE|VIEW|CASE|WHEN|AND|OR|NOT|NULL|AS)\b", code) == []
    if name not in MACROS:
        assert re.match(r"-- grain: one row", text)
        assert re.findall(r"create (?:view|table|macro) (\w+)", code) == [name]


def test_wilson_is_that_of_python(tmp_path):
    connection = connect(str(tmp_path), REFERENCE_SCHEMA.empty_table())
    for k, n in [(27, 109), (42, 47), (45, 55), (0, 1), (1, 1), (0, 10_000_000), (123_456, 10_000_000)]:
        (limits,) = connection.sql("select wilson_low($k, $n), wilson_high($k, $n)", params={"k": k, "n": n}).fetchall()
        assert limits == pytest.approx(wilson(k, n), abs=1e-12)
    assert connection.sql("select wilson_low(0, 0), wilson_high(0, 0)").fetchall() == [(None, None)]

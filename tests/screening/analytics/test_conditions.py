"""A condition in SQL chooses rows, and can neither write, nor read other files, nor change a setting."""

from pathlib import Path

import pytest

from screening.analytics.conditions import rows_where
from screening.analytics.views import connect
from screening.errors import UsageError
from tests.screening.instance_rows import instance_row, pneumonia_row, write_instances


@pytest.fixture
def results(tmp_path: Path) -> str:
    write_instances(str(tmp_path / "results"), [pneumonia_row(3, covid=True), instance_row(1), pneumonia_row(2)])
    return str(tmp_path / "results")


def chosen(results: str, condition: str) -> list[str]:
    with connect(results) as connection:
        return [row["object_id"][-1] for row in rows_where(connection, condition)]


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        ("counts", ["1", "2", "3"]),
        ("covid_positive", ["3"]),
        ("pneumonia_score > 0.5 and screen_date = '2020-03-01'", ["2", "3"]),
        ("covid_score = (select max(covid_score) from instances) -- the highest", ["3"]),
        ("false", []),
    ],
)
def test_a_condition_chooses_rows_in_order(results: str, condition: str, numbers: list[str]) -> None:
    assert chosen(results, condition) == numbers


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "selekt from",
        "nonsense = 1",
        "object_id",
        "true, false",
        "true) or (true",
        "true union select true",
        "sum(covid_score) > 1",
        "true; drop view instances",
        "true; copy instances to '{other}'",
        "exists(copy instances to '{other}')",
        "exists(from read_csv('{other}'))",
        "exists(from read_text('/etc/hostname'))",
        "true; attach '{other}' as other",
        "true; set enable_external_access = true",
    ],
)
def test_whatever_else_is_refused_with_the_remedy(results: str, condition: str, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a\n1\n")
    with pytest.raises(UsageError, match=r"(?s)--where .*no condition over the view instances.*screening sql"):
        chosen(results, condition.format(other=other))
    assert other.read_text() == "a\n1\n"


def test_results_without_rows_have_none_to_choose(tmp_path: Path) -> None:
    assert chosen(str(tmp_path), "counts") == []

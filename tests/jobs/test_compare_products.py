"""`screening compare`: for people and as JSON, and what must be said before anything is opened."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from jobs import compare_products
from screening.errors import UsageError

app = typer.Typer(add_completion=False)
app.command()(compare_products.command)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Arguments that name two files: of 100 ill and 100 well the new product finds 90 and clears 96, the old one 88 and 97."""
    folder: Path = tmp_path_factory.mktemp("two")
    for name, found, cleared in (("new", range(90), range(96)), ("old", range(4, 92), range(3, 100))):
        lines = [f"{case},1,{int(case in found)}" for case in range(100)] + [
            f"{100 + case},0,{int(case not in cleared)}" for case in range(100)
        ]
        (folder / f"{name}.csv").write_text("\n".join(["id,label,call", *lines]))
    return ["--cases", str(folder / "new.csv"), "--cases", str(folder / "old.csv"), "--first", "new", "--second", "old"]


def test_people_read_what_programs_read(source: list[str]):
    answer = json.loads(CliRunner().invoke(app, [*source, "--margin", "0.05", "--json"]).stdout)
    (sensitivity, specificity) = answer["rows"]
    assert [sensitivity[name] for name in ("n", "only_first", "only_second")] == [100, 4, 2]
    assert [specificity[name] for name in ("n", "only_first", "only_second")] == [100, 3, 4]
    assert (sensitivity["non_inferior"], specificity["non_inferior"]) == (True, False)
    printed = " ".join(CliRunner().invoke(app, [*source, "--margin", "0.05"]).stdout.split())
    for row, words in ((sensitivity, "yes"), (specificity, "not shown")):
        limits = f"({100 * row['low']:+.1f} to {100 * row['high']:+.1f})"
        assert f"{100 * row['difference']:+.1f} % {limits} 1.00 {row['p']:.3g} {words}" in printed
    assert "Margin: 5 % worse" in printed


@pytest.mark.parametrize("left_out", [["--margin", "0.05"], ["--first", "new"], ["--second", "old"]])
def test_the_margin_and_both_names_are_needed(source: list[str], left_out: list[str]):
    given = [*source, "--margin", "0.05"]
    place = given.index(left_out[0])
    result = CliRunner().invoke(app, given[:place] + given[place + 2 :])
    assert isinstance(result.exception, UsageError)
    assert "--first A --second B --margin 0.05" in str(result.exception)


def test_a_margin_is_a_share():
    result = CliRunner().invoke(app, ["nowhere", "--first", "a", "--second", "b", "--margin", "5"])
    assert "--margin 5: give how much worse" in str(result.exception)

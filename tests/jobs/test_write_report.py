"""`screening report`: the file it writes and what it says of it."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner, Result

from jobs.write_report import command
from screening.errors import UsageError
from tests.screening.instance_rows import write_instances
from tests.screening.report.screened import reference_of_people, rows_of_people

app = typer.Typer(add_completion=False)
app.command()(command)


def write(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def results(tmp_path: Path) -> str:
    write_instances(str(tmp_path / "results"), rows_of_people(24))
    pq.write_table(reference_of_people(24), tmp_path / "reference.parquet")
    return str(tmp_path / "results")


def test_a_report_is_written_and_summed_up(results: str, tmp_path: Path):
    answer = write(results, "--reference", tmp_path / "reference.parquet", "--output", tmp_path / "report.html", "--json")
    assert answer.exit_code == 0, answer.exception
    told = json.loads(answer.stdout)
    text = (tmp_path / "report.html").read_text()
    assert told["bytes"] == len(text.encode())
    sensitivity = told["accuracy"]["sensitivity"]
    assert f"{100 * sensitivity['share']:.1f}%" in text
    assert set(sensitivity) == {"share", "k", "n", "low", "high"}
    assert [row["days"] for row in told["lead_time"]] == sorted(row["days"] for row in told["lead_time"])


def test_for_people_and_without_a_reference(results: str, tmp_path: Path):
    answer = write(results, "--output", tmp_path / "report.html", "--title", "Tonight & tomorrow")
    assert "opens in any browser" in answer.stdout
    assert "<h1>Tonight &amp; tomorrow</h1>" in (tmp_path / "report.html").read_text()
    told = json.loads(write(results, "--output", tmp_path / "report.html", "--json").stdout)
    assert told["accuracy"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--gallery", "13"], "0 to 12"), (["--smallest-cell", "0"], "1 or more"), (["--bundle", "ff"], "no rows of")],
)
def test_what_goes_wrong(results: str, tmp_path: Path, arguments: list[str], message: str):
    answer = write(results, "--output", tmp_path / "report.html", *arguments)
    assert isinstance(answer.exception, UsageError)
    assert message in str(answer.exception)

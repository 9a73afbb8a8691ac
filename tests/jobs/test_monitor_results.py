"""`screening monitor`: what it shows, and the exit code that pages someone."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from jobs.monitor_results import command
from schemas.reasons import Reason
from screening.errors import UsageError
from tests.screening.instance_rows import NIGHT, instance_row, pneumonia_row, refused_row, write_instances

app = typer.Typer(add_completion=False)
app.command()(command)


@pytest.fixture
def results(tmp_path: Path) -> str:
    """Two nights of a site: 40 scored, and then 30 scored and 10 refused."""
    tomorrow = NIGHT + timedelta(1)
    rows = [instance_row(number, InstitutionName="A") for number in range(40)]
    rows += [pneumonia_row(100 + number, covid=number < 3, InstitutionName="A", screen_date=tomorrow) for number in range(30)]
    rows += [refused_row(200 + number, Reason.LATERAL_VIEW, InstitutionName="A", screen_date=tomorrow) for number in range(10)]
    write_instances(str(tmp_path / "results"), rows)
    return str(tmp_path / "results")


def ask(*arguments: str) -> Result:
    """Return what the command answered."""
    return CliRunner().invoke(app, list(arguments))


def test_without_limits_nothing_is_crossed(results: str):
    answer = ask(results)
    assert answer.exit_code == 0
    for words in ("Nights, all sites", "25.0 (14.2-40.2)", "10.0 (3.5-25.6)", "lateral_view"):
        assert words in answer.output


def test_a_crossed_limit_says_which_where_value_and_limit(results: str):
    answer = ask(results, "--limit", "max_rejected_share=0.2")
    assert answer.exit_code == 1
    assert "limit crossed: max_rejected_share=0.2 at A on 2020-03-02, bundle aaaaaaaaaaaa: 0.25 (n = 40)" in answer.stderr
    assert ask(results, "--limit", "max_rejected_share=0.25").exit_code == 0


def test_json_and_a_file_of_limits(results: str, tmp_path: Path):
    (tmp_path / "limits.toml").write_text("[limits]\nmax_pneumonia_psi = 0.25\n[sites.A]\nmax_rejected_share = 0.1\n")
    answer = ask(results, "--limits", str(tmp_path / "limits.toml"), "--baseline", "2020-03-01:2020-03-01", "--json")
    assert answer.exit_code == 1
    found = json.loads(answer.stdout)
    assert [(row["limit"], row["site"]) for row in found["crossed"]] == [
        ("max_pneumonia_psi=0.25", "all sites"),
        ("max_pneumonia_psi=0.25", "A"),
        ("max_rejected_share=0.1", "A"),
    ]


def test_wrong_usage(results: str, tmp_path: Path):
    for options in (
        ["--limit", "max_covid_psi=0.1"],
        ["--limit", "min_sensitivity=0.9"],
        ["--limit", "max_colour=1"],
        ["--baseline", "May"],
    ):
        assert isinstance(ask(results, *options).exception, UsageError)
    assert isinstance(ask(str(tmp_path / "nowhere")).exception, UsageError)

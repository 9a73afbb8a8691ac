"""`screening thresholds`: tables and JSON, the choice, the file, and the exit codes."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from jobs.choose_thresholds import command
from schemas.reference import REFERENCE_SCHEMA
from screening.bundle.operating_points import load
from screening.errors import UsageError
from tests.screening.instance_rows import DIGEST, pneumonia_row, write_instances

app = typer.Typer(add_completion=False)
app.command()(command)


@pytest.fixture
def source(tmp_path: Path) -> list[str]:
    """Ten cases and ten others; at 0.5 nine cases and two others are called."""
    scores = [0.9] * 9 + [0.2] + [0.7] * 2 + [0.1] * 8
    rows = [pneumonia_row(number, covid=score >= 0.5, covid_score=score) for number, score in enumerate(scores)]
    write_instances(str(tmp_path / "results"), rows)
    tests = [f"{number:032x},,2020-03-01,2020-03-02,{'positive' if number < 10 else 'negative'}," for number in range(20)]
    (tmp_path / "reference.csv").write_text("\n".join([",".join(REFERENCE_SCHEMA.names), *tests]))
    return [str(tmp_path / "results"), "--reference", str(tmp_path / "reference.csv")]


def ask(*arguments: str) -> Result:
    """Return what the command answered."""
    return CliRunner().invoke(app, list(arguments))


def test_the_table_shows_every_threshold_and_the_rule(source: list[str]):
    answer = ask(*source, "--prevalence", "0.05")
    assert answer.exit_code == 0
    assert "A test counts for a radiograph" in answer.output
    assert "4 of 4" in answer.output
    assert "as run" in answer.output
    assert "90.0 (59.6-98.2)" in answer.output  # 9 of 10
    assert "prevalence of 5 %" in answer.output


def test_json_has_all(source: list[str]):
    answer = json.loads(ask(*source, "--json").stdout)
    assert [(row["tp"], row["fp"]) for row in answer["thresholds"]] == [(9, 0), (9, 2), (10, 2), (10, 10)]
    assert answer["units"][0]["positives"] == 10
    assert "chosen" not in answer


def test_a_choice_is_saved_for_its_bundle(source: list[str], tmp_path: Path):
    path = str(tmp_path / "points.json")
    answer = ask(*source, "--sensitivity", "0.95", "--specificity", "0.7", "--save", path)
    assert answer.exit_code == 0
    assert "confirm it on others" in answer.output
    points = load(path)
    assert points.bundle_digest == DIGEST
    assert points.points["covid"].threshold == pytest.approx(0.15)
    assert (points.evidence.sensitivity_k, points.evidence.specificity_k, points.evidence.specificity_n) == (10, 8, 10)
    chosen = json.loads(ask(*source, "--capacity", "9", "--json").stdout)["chosen"]
    assert [row["called"] for row in chosen] == [9]


def test_a_choice_for_each_site_is_saved(source: list[str], tmp_path: Path):
    rows = [
        pneumonia_row(
            100 + number, covid=number < 5, covid_score=0.9 - 0.08 * number, InstitutionName="South", patient_pseudonym=f"{number:032x}"
        )
        for number in range(20)
    ]
    write_instances(str(tmp_path / "s"), [*rows, pneumonia_row(99, InstitutionName="North")])
    options = [str(tmp_path / "s"), *source[1:], "--by", "site", "--sensitivity", "0.9", "--save", str(tmp_path / "points.json")]
    answer = ask(*options, "--min-people", "10")
    assert answer.exit_code == 0, answer.output
    assert "of at least 10 each" in answer.output
    points = load(str(tmp_path / "points.json"))
    assert (points.sites.keys(), points.kept.keys(), points.points) == ({"South"}, {"North"}, {})
    assert [row["site"] for row in json.loads(ask(*options, "--min-people", "10", "--json").stdout)["sites"]] == ["South", "North"]
    assert "100" in str(ask(*options).exception)  # the minimum unless told otherwise


def test_what_no_threshold_keeps_is_a_failure_and_saves_nothing(source: list[str], tmp_path: Path):
    answer = ask(*source, "--sensitivity", "0.95", "--specificity", "0.9", "--save", str(tmp_path / "points.json"))
    assert answer.exit_code == 1
    assert "no threshold keeps sensitivity>=0.95, specificity>=0.9" in answer.output
    assert not (tmp_path / "points.json").exists()


def test_pairs_say_what_was_not_observed(source: list[str]):
    assert "Stage 3 judged only what stage 2 called positive" in ask(*source, "--pairs").output


@pytest.mark.parametrize(
    "options",
    [
        ["--save", "points.json"],
        ["--by", "sex", "--sensitivity", "0.9", "--save", "points.json"],
        ["--by", "site", "--capacity", "9", "--save", "points.json"],
        ["--pairs", "--by", "sex"],
        ["--pairs", "--capacity", "5"],
        ["--unit", "image"],
    ],
)
def test_wrong_usage(source: list[str], options: list[str]):
    assert isinstance(ask(*source, *options).exception, UsageError)


def test_without_a_reference_table_it_says_how_to_get_one(source: list[str]):
    answer = ask(source[0])
    assert isinstance(answer.exception, UsageError)
    assert "--reference FILE" in str(answer.exception)

"""`screening accuracy` and `screening lead-time`: for people and as JSON, from results and from cases, and what goes wrong."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner, Result

from jobs import measure_accuracy, measure_lead_time
from jobs.analytics_source import parse_columns
from schemas.reference import REFERENCE_SCHEMA
from screening.errors import UsageError
from tests.chosen_results import write_chosen
from tests.paper_data import nhia_path
from tests.readings import reading_of, write_readings
from tests.screening.instance_rows import instance_row, pneumonia_row, write_instances

app = typer.Typer(add_completion=False)
app.command("accuracy")(measure_accuracy.command)
app.command("lead-time")(measure_lead_time.command)


def ask(*arguments: str) -> Result:
    """Return what a command answered."""
    return CliRunner().invoke(app, list(arguments))


def answer(*arguments: str) -> dict:
    """Return the JSON that a command answered."""
    result = ask(*arguments, "--json")
    assert result.exit_code == 0, result.output + str(result.exception)
    return json.loads(result.stdout)


@pytest.fixture
def results(tmp_path: Path) -> tuple[str, str]:
    """Results of two bundles over two people, and their reference table."""
    rows = [pneumonia_row(1, covid=True), instance_row(2)]
    rows += [row | {"bundle_digest": "b" * 64} for row in (pneumonia_row(1), instance_row(2))]
    write_instances(str(tmp_path / "results"), rows)
    lines = [f"{1:032x},,2020-03-01,2020-03-04,positive,", f"{2:032x},,2020-03-01,2020-03-02,negative,"]
    (tmp_path / "reference.csv").write_text("\n".join([",".join(REFERENCE_SCHEMA.names), *lines, ""]))
    return str(tmp_path / "results"), str(tmp_path / "reference.csv")


def test_the_papers_cases_without_a_mapping():
    printed = ask("accuracy", "--cases", nhia_path(), "--group", "split").stdout
    for words in ("from 14 days before", "Unit of analysis: patient", "45/55; 69.7 to 89.8", "45/54", "498/619", "494/614"):
        assert words in " ".join(printed.split())
    printed = ask("lead-time", "--cases", nhia_path(), "--days", "2", "--days", "5").stdout
    for words in ("24.8 % (27/109; 17.6 to 33.6)", "3.7 % (4/109;", "241/1233", "268"):
        assert words in " ".join(printed.split())
    assert "Kaplan and Meier" in printed
    assert "Sensitivity of one radiograph by days since onset" in printed
    found = answer("lead-time", "--cases", nhia_path())
    assert [(row["days"], row["k"], row["n"]) for row in found["summary"]] == [(1, 38, 109), (2, 27, 109), (5, 4, 109)]


def test_apparent_accuracy_stands_beside_the_corrected_one(tmp_path: Path):
    folder, reference, _ = write_chosen(tmp_path)
    pq.write_table(reference, tmp_path / "reference.parquet")
    arguments = ("accuracy", folder, "--reference", str(tmp_path / "reference.parquet"), "--replicates", "40")
    (row,) = answer(*arguments)["optimism"]
    printed = " ".join(ask(*arguments).stdout.split())
    assert "Chosen on these people: apparent, and corrected for the choice" in printed
    assert f"{100 * row['sensitivity_corrected']:.1f}" in printed


def test_predictive_values_at_a_stated_prevalence():
    arguments = ("accuracy", "--cases", nhia_path(), "--prevalence", "0.01", "--cost-screen", "1", "--cost-test", "40", "--replicates", "0")
    rows = {row["question"]: row for row in answer(*arguments)["predictive_values"]}
    sensitivity, false = 90 / 109, 241 / 1233
    assert rows["covid"]["ppv"] == pytest.approx(sensitivity * 0.01 / (sensitivity * 0.01 + false * 0.99))
    assert rows["covid"]["cost_per_case_low"] < rows["covid"]["cost_per_case"] < rows["covid"]["cost_per_case_high"]
    assert "At a stated prevalence (95 % intervals: logit, Mercaldo 2007" in " ".join(ask(*arguments).stdout.split())
    assert answer(*arguments[:3], "--replicates", "0")["predictive_values"] == []
    with pytest.raises(UsageError, match="--prevalence is a share"):
        measure_accuracy.command(cases=[nhia_path()], prevalence=40)


def test_two_bundles_side_by_side(results: tuple[str, str]):
    folder, reference = results
    found = answer("accuracy", folder, "--reference", reference, "--bundle", "a", "--bundle", "b")
    assert {(row["name"], row["tp"], row["fn"]) for row in found["accuracy"] if row["question"] == "covid"} == {
        ("a" * 12, 1, 0),
        ("b" * 12, 0, 1),
    }
    pair = next(row for row in found["paired"] if row["question"] == "covid" and row["truth"] == "positive")
    assert (pair["only_first"], pair["only_second"], pair["p"]) == (1, 0, 1.0)
    assert ask("accuracy", folder, "--reference", reference).exit_code == 0
    assert {row["name"] for row in answer("accuracy", folder, "--reference", reference, "--bundle", "b")["accuracy"]} == {"b" * 12}
    assert [row["k"] for row in answer("lead-time", folder, "--reference", reference, "--days", "3")["summary"]] == [1, 0]


def test_columns_of_another_product(tmp_path: Path):
    (tmp_path / "other.csv").write_text("nr,pcr_says,ai\n1,pos,0.9\n2,neg,0.2\n")
    columns = ("--column", "case_id=nr", "--column", "label=pcr_says", "--column", "covid_score=ai")
    (row,) = answer("accuracy", "--cases", str(tmp_path / "other.csv"), *columns, "--threshold", "0.5")["accuracy"]
    assert (row["name"], row["tp"], row["tn"]) == ("other", 1, 1)
    assert ask("accuracy", "--cases", str(tmp_path / "other.csv"), *columns).exit_code == 0


@pytest.mark.parametrize("name", ["accuracy", "lead-time"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either the folder"),
        (["RESULTS", "--cases", "x.csv"], "give either the folder"),
        (["RESULTS"], "give --reference FILE"),
        (["nowhere", "--reference", "REFERENCE"], "no run has written here"),
        (["RESULTS", "--reference", "REFERENCE", "--column", "label=x"], "ours are patient_pseudonym"),
        (["RESULTS", "--reference", "REFERENCE", "--column", "specimen_date=x"], "has no column x, but patient_pseudonym"),
        (["RESULTS", "--reference", "REFERENCE", "--threshold", "1"], "--threshold goes with --cases"),
        (["RESULTS", "--reference", "REFERENCE", "--encoding", "big6"], "no such encoding; for example big5"),
        (["RESULTS", "--reference", "REFERENCE", "--delimiter", ";;"], "--delimiter is one character"),
        (["RESULTS", "--reference", "REFERENCE", "--bundle", "c"], "no rows of bundle c"),
        (["--cases", "none.csv"], "does not exist"),
        (["--cases", "UNLABELLED"], "the cases have no labels"),
        (["--cases", "none.csv", "--bundle", "a"], "--bundle goes with a results folder"),
    ],
)
def test_wrong_usage(results: tuple[str, str], tmp_path: Path, name: str, arguments: list[str], message: str):
    (tmp_path / "unlabelled.csv").write_text("id,call\n1,1\n")
    named = {"RESULTS": results[0], "REFERENCE": results[1], "UNLABELLED": str(tmp_path / "unlabelled.csv")}
    result = ask(name, *(named.get(argument, argument) for argument in arguments))
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)


def test_a_mapping_is_ours_is_theirs():
    assert parse_columns(["covid_score=a=b"]) == {"covid_score": "a=b"}
    for wrong in ("covid_score", "=x", "x="):
        with pytest.raises(UsageError, match="ours=theirs"):
            parse_columns([wrong])


def test_readings_as_the_reference_standard(results: tuple[str, str]):
    folder, _ = results
    readings = write_readings(folder, reading_of(pneumonia_row(1), "covid"), reading_of(instance_row(2), "normal"))
    found = answer("accuracy", folder, "--reference", readings, "--bundle", "a", "--replicates", "0")
    assert [(row["tp"], row["tn"]) for row in found["accuracy"] if row["question"] == "covid"] == [(1, 1)]
    assert [(row["question"], row["n"], row["kappa"]) for row in found["agreement"]] == [
        *(("finding", 2, 1.0), ("pneumonia", 2, 1.0), ("covid", 2, 1.0)),
    ]
    printed = " ".join(ask("accuracy", folder, "--reference", readings, "--replicates", "0").stdout.split())
    assert "The reference standard is the readings of radiologists" in printed
    assert "Cohen's kappa" in printed

"""`screening manifest` as a user calls it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli import make_app
from jobs.make_manifest import named_folders
from screening.errors import TrainingError, UsageError
from tests.train.datasets.folders import radiograph, write_cohen, write_covidx, write_image, write_nih

runner = CliRunner()


@pytest.fixture
def cohen(tmp_path: Path) -> str:
    """Two usable images, a lateral one, and a file that no row names."""
    rows = [
        ("1", "Pneumonia/Viral/COVID-19", "PA", "a.jpg", 0),
        ("2", "Pneumonia/Viral/SARS", "AP", "b.jpg", 1),
        ("2", "Pneumonia/Viral/SARS", "L", "c.jpg", 2),
    ]
    folder = write_cohen(tmp_path / "covid-chestxray-dataset", rows)
    write_image(folder / "images/unlisted.png", radiograph(3))
    return str(folder)


def test_one_set(cohen: str, tmp_path: Path) -> None:
    result = runner.invoke(make_app(), ["manifest", "cohen", cohen, "--output", str(tmp_path / "m.csv")])
    assert result.exit_code == 0, result.output
    assert "cohen: 2 of 3 listed images, 1 files that are not listed" in result.output
    assert "lateral_view" in result.output
    assert "not_listed" in result.output
    assert "0 cross an official split" in result.output
    assert {path.name for path in tmp_path.iterdir()} == {"covid-chestxray-dataset", "m.csv", "m.report.json", "m.left-out.csv"}


def test_several_sets_and_json(cohen: str, tmp_path: Path) -> None:
    nih = write_nih(tmp_path / "nih", [("00000001_000.png", "No Finding", 1, "017Y", 4), ("00000002_000.png", "No Finding", 2, "40", 5)])
    arguments = ["manifest", f"cohen={cohen}", f"nih={nih}", "--output", str(tmp_path / "m.csv"), "--json", "--min-age", "0"]
    result = runner.invoke(make_app(), arguments)
    report = json.loads(result.stdout)
    assert [(account["name"], account["kept"]) for account in report["sets"]] == [("cohen", 2), ("nih", 2)]
    assert report == json.loads((tmp_path / "m.report.json").read_text())
    other = runner.invoke(make_app(), [*arguments[:-2], "--split-key", "another"])
    assert json.loads(other.stdout)["split_key"] == "another"
    assert json.loads(other.stdout)["sets"][1]["left_out"] == {"below_age_limit": 1}


def test_what_crosses_an_official_split_is_printed(tmp_path: Path) -> None:
    folder = write_covidx(tmp_path / "covidx", "8A", "1 a.jpg normal cohen\n", "2 b.png normal cohen\n")
    write_covidx(folder, "9A", "1 a.jpg normal cohen\n", "2 b.png normal cohen\n")
    write_image(folder / "data/test/b.png", radiograph(1))
    arguments = ["manifest", "covidx", str(folder), "--output", str(tmp_path / "m.csv")]
    assert isinstance(runner.invoke(make_app(), arguments).exception, UsageError)
    result = runner.invoke(make_app(), [*arguments, "--covidx-version", "8A"])
    assert "1 cross an official split" in result.output
    assert "cohen-a (train) and cohen-b (test)" in result.output


def test_wrong_usage(cohen: str, tmp_path: Path) -> None:
    assert named_folders(["nih", "a=b"]) == [("nih", "a=b")]
    assert named_folders(["nih=a", "rsna=b=c"]) == [("nih", "a"), ("rsna", "b=c")]
    for arguments in (["nih"], ["nih=", "rsna=b"], ["nih", "a", "b"], ["nih=a", "rsna"]):
        with pytest.raises(UsageError, match="sets are given as NAME FOLDER"):
            named_folders(arguments)
    assert isinstance(runner.invoke(make_app(), ["manifest", "cohen", cohen, "--output", "m.parquet"]).exception, UsageError)
    assert isinstance(runner.invoke(make_app(), ["manifest", "chexpert", cohen]).exception, UsageError)
    wrong = runner.invoke(make_app(), ["manifest", "nih", cohen, "--output", str(tmp_path / "m.csv")])
    assert isinstance(wrong.exception, TrainingError)
    assert "has no Data_Entry_2017.csv or Data_Entry_2017_v2020.csv: is it the folder" in str(wrong.exception)

"""`screening phantoms` as a user calls it."""

import json
import subprocess
import sys

import typer
from typer.testing import CliRunner

from jobs.make_phantoms import command

app = typer.Typer(add_completion=False)
app.command()(command)
runner = CliRunner()


def test_it_writes_an_archive_and_says_so(tmp_path):
    result = runner.invoke(app, [str(tmp_path / "a"), "--studies", "8", "--size", "96", "--seed", "2"])
    assert result.exit_code == 0, result.output
    assert "8 studies of" in result.output
    assert str(tmp_path / "a/archive") in result.output
    assert (tmp_path / "a/registry.csv").is_file()
    assert f"sites    {tmp_path / 'a/sites.csv'}" in result.output
    assert (tmp_path / "a/unwanted.csv").read_text().count("\n") > 10


def test_json_and_training_set(tmp_path):
    result = runner.invoke(app, [str(tmp_path), "--studies", "6", "--size", "96", "--lung-masks", "--json"])
    summary = json.loads(result.output)
    assert (summary["studies"], summary["unwanted"]) == (6, 0)
    assert len(list((tmp_path / "lung_masks").glob("*.png"))) == 6


def test_wrong_usage_is_exit_code_2(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "jobs.make_phantoms", str(tmp_path), "--size", "20"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "size" in done.stderr


def test_help_shows_an_example_and_is_quick():
    result = runner.invoke(app, ["--help"])
    assert "screening phantoms out/demo --studies 200" in result.output

"""`screening dicomize` as a user calls it."""

import json
import subprocess
import sys

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from jobs.dicomize_images import command

app = typer.Typer(add_completion=False)
app.command()(command)
runner = CliRunner()


@pytest.fixture
def labels(tmp_path):
    Image.fromarray(np.arange(96 * 96, dtype=np.uint8).reshape(96, 96)).save(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_text("image_id,image,patient_id\none,a.png,p\ntwo,b.png,p\n")
    return tmp_path / "labels.csv"


def test_it_writes_and_says_so(labels, tmp_path):
    result = runner.invoke(app, [str(labels), str(tmp_path / "out"), "--limit", "1", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["written"] == 1
    assert (tmp_path / "out/archive/images/one.dcm").is_file()
    plain = runner.invoke(app, [str(labels), str(tmp_path / "out"), "--limit", "1"])
    assert "1 images" in plain.output


def test_exit_codes(labels, tmp_path):
    def exit_code(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "jobs.dicomize_images", *map(str, arguments)], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stderr

    code, message = exit_code(labels, tmp_path / "out")
    assert (code, "line 3" in message, "b.png" in message) == (1, True, True)
    assert (tmp_path / "out/archive/images/one.dcm").is_file()
    assert exit_code(labels, tmp_path / "out", "--transfer-syntax", "gif")[0] == 2


def test_help_shows_an_example():
    result = runner.invoke(app, ["--help"])
    assert "screening dicomize radiographs/labels.csv" in result.output

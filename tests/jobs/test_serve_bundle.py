"""`screening serve` as a user calls it: what it refuses at once, and a server that ends when it is told to."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli import make_app
from schemas.bundle import OperatingPoint
from schemas.operating_points import OperatingPoints
from screening.bundle import operating_points
from screening.bundle.checks import load_manifest
from screening.bundle.pointer import BundlePointer, point_to
from screening.bundle.released import phantom_bundle
from screening.errors import BundleError, ScreeningError, UsageError
from screening.privacy import create_key
from tests.served import free_port

runner = CliRunner()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ([], UsageError, "screening token create"),
        (["--open", "--host", "0.0.0.0"], UsageError, "--open lets everybody in"),
        (["--tokens", "none.json"], UsageError, "--tokens none.json: there is no such file"),
        (["--open", "--tokens", __file__], UsageError, "not both"),
        (["--open", "--bundle", "nowhere"], BundleError, "give the folder of a bundle"),
        (["--open", "--bundle", "none.json"], BundleError, "does not exist"),
        (["--open", "--pseudonym-key", "none.key"], UsageError, "no such file"),
        (["--open", "--sites", "none.csv"], UsageError, "--sites none.csv: there is no such file"),
        (["--open", "--sites", __file__], UsageError, "Give the key of the nights"),
        (["--open", "--operating-points", "none.json"], UsageError, "does not exist"),
        (["--open", "--bundle", "nowhere", "--operating-points", "none.json"], UsageError, "does not exist"),
        (
            ["--open", "--bundle", "current.json", "--operating-points", "points.json"],
            UsageError,
            "current.json names the bundle and holds",
        ),
    ],
)
def test_what_is_refused_at_once(arguments: list[str], error: type[ScreeningError], words: str) -> None:
    done = runner.invoke(make_app(), ["serve", *arguments])
    assert isinstance(done.exception, error)
    assert words in str(done.exception)


def points_for(folder: Path, digest: str) -> str:
    """Return a file with a stage-2 threshold of 0.125 for a bundle."""
    points = {"pneumonia": OperatingPoint(threshold=0.125, rule="r", data="d")}
    operating_points.save(str(folder / "points.json"), OperatingPoints(bundle_digest=digest, chosen=date(2020, 3, 1), points=points))
    return str(folder / "points.json")


def test_operating_points_of_another_bundle_are_refused_at_once(tmp_path: Path) -> None:
    points = points_for(tmp_path, "0" * 64)
    done = runner.invoke(make_app(), ["serve", "--open", "--bundle", phantom_bundle(), "--operating-points", points])
    assert isinstance(done.exception, UsageError)
    assert "for bundle 000000000000" in str(done.exception)


def test_what_the_nights_would_refuse_is_refused_at_once(tmp_path: Path) -> None:
    create_key(tmp_path / "key")
    done = runner.invoke(make_app(), ["serve", "--open", "--sites", __file__, "--pseudonym-key", str(tmp_path / "key")])
    assert isinstance(done.exception, UsageError)
    assert "its first line must be" in str(done.exception)


def test_another_bundle_than_the_file_names_is_refused_at_once(tmp_path: Path) -> None:
    point_to(str(tmp_path / "current.json"), BundlePointer(bundle_url=phantom_bundle(), bundle_digest="0" * 64))
    done = runner.invoke(make_app(), ["serve", "--open", "--bundle", str(tmp_path / "current.json")])
    assert isinstance(done.exception, BundleError)
    assert "not 000000000000, with these operating points" in str(done.exception)


@pytest.mark.slow
def test_a_server_from_its_start_to_its_end(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "jobs.cli", "serve", "--open", "--bundle", phantom_bundle(), "--port", str(port)]
    points = points_for(tmp_path, load_manifest(phantom_bundle()).digest())
    options = ["--log", str(tmp_path / "log"), "--operating-points", points]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True, env=os.environ) as server:
        try:
            first = server.stderr.readline()
            while first and "ready" not in first:
                first = server.stderr.readline()
            assert f"ready: http://127.0.0.1:{port}" in first
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as reply:
                assert reply.status == 200
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/bundle", timeout=10) as reply:
                assert json.load(reply)["pneumonia_threshold"] == 0.125
            again = subprocess.run([*command], capture_output=True, text=True, check=False)
            assert (again.returncode, f"cannot listen on 127.0.0.1:{port}" in again.stderr) == (2, True)
            server.send_signal(signal.SIGTERM)
            assert server.wait(timeout=60) == 0
        finally:
            server.kill()

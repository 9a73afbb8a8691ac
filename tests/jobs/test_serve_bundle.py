"""`screening serve` as a user calls it: what it refuses at once, and a server that ends when it is told to."""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli import make_app
from screening.bundle.released import phantom_bundle
from screening.errors import BundleError, ScreeningError, UsageError
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
    ],
)
def test_what_is_refused_at_once(arguments: list[str], error: type[ScreeningError], words: str) -> None:
    done = runner.invoke(make_app(), ["serve", *arguments])
    assert isinstance(done.exception, error)
    assert words in str(done.exception)


@pytest.mark.slow
def test_a_server_from_its_start_to_its_end(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "jobs.cli", "serve", "--open", "--bundle", phantom_bundle(), "--port", str(port)]
    with subprocess.Popen([*command, "--log", str(tmp_path / "log")], stderr=subprocess.PIPE, text=True, env=os.environ) as server:
        try:
            first = server.stderr.readline()
            while first and "ready" not in first:
                first = server.stderr.readline()
            assert f"ready: http://127.0.0.1:{port}" in first
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as reply:
                assert reply.status == 200
            again = subprocess.run([*command], capture_output=True, text=True, check=False)
            assert (again.returncode, f"cannot listen on 127.0.0.1:{port}" in again.stderr) == (2, True)
            server.send_signal(signal.SIGTERM)
            assert server.wait(timeout=60) == 0
        finally:
            server.kill()

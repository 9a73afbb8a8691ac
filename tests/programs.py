"""The command line as a program of its own, for what a test in the same process cannot show: exit codes, streams, killed processes."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from jobs.cli import main


def screening(*arguments: str, expected: int = 0, seconds: float = 240) -> subprocess.CompletedProcess[str]:
    """Run `screening` with these arguments in at most so many seconds, check its exit code, and return what it wrote."""
    command = [sys.executable, "-m", "jobs.cli", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=os.environ | {"COLUMNS": "200"}, check=False)
    except subprocess.TimeoutExpired as error:  # its own text shows the beginning alone of what was written
        pytest.fail(f"screening {arguments[0]} was ended after {seconds} s; it had written: {(error.stderr or b'').decode()[-4000:]}")
    assert done.returncode == expected, f"exit code {done.returncode}: {done.stderr}"
    return done


def in_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return what runs `screening` in this process, which has torch and Ray already, and gives exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["screening", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, *capsys.readouterr()

    return run

"""The command line as a program of its own, for what a test in the same process cannot show: exit codes, streams, killed processes."""

import os
import subprocess
import sys


def screening(*arguments: str, expected: int = 0, seconds: float = 240) -> subprocess.CompletedProcess[str]:
    """Run `screening` with these arguments in at most so many seconds, check its exit code, and return what it wrote."""
    command = [sys.executable, "-m", "jobs.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=os.environ | {"COLUMNS": "200"}, check=False)
    assert done.returncode == expected, f"exit code {done.returncode}: {done.stderr}"
    return done

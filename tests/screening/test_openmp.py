"""Threads that wait briefly, unless a person has said how they are to wait; and the CLI says it before torch is there."""

import subprocess
import sys

import pytest

from screening.openmp import VARIABLES, wait_briefly

PROGRAM = """
import atexit, os, sys
from jobs.cli import main
atexit.register(lambda: print("torch" in sys.modules, os.environ["GOMP_SPINCOUNT"]))
main()
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, VARIABLES),
        ({"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),
    ],
)
def test_what_a_person_has_said_stays(before: dict[str, str], after: dict[str, str]) -> None:
    environment = dict(before)
    wait_briefly(environment)
    assert environment == after


def test_torch_is_told_because_it_comes_after_the_command_line() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, "--help"], env={}, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"False {VARIABLES['GOMP_SPINCOUNT']}"

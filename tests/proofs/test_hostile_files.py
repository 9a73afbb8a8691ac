"""Twenty thousand spoilt files: each is decoded or refused with a reason, soon and in little memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.reasons import Outcome, Reason
from tests.screening.mutants import SECONDS

pytestmark = pytest.mark.slow

COUNT = 20_000
PER_CHILD = 5_000
BYTES = 1 << 30  # resident, the program itself included
SEED = 20_201_127
SEED_VARIABLE = "HOSTILE_SEED"  # another one spoils the files in other ways; it is printed with -s


def test_every_spoilt_file_is_decoded_or_refused(tmp_path: Path) -> None:
    seed = int(os.environ.get(SEED_VARIABLE, SEED))
    print(f"{SEED_VARIABLE}={seed}")
    reasons: dict[str, int] = {}
    for first in range(0, COUNT, PER_CHILD):
        report = _examined(seed, first, tmp_path / f"{first}.log")
        assert report["failures"] == [], f"{SEED_VARIABLE}={seed}"
        assert report["seconds"] < SECONDS
        assert report["bytes"] < BYTES
        for reason, count in report["reasons"].items():
            reasons[reason] = reasons.get(reason, 0) + count
    print(json.dumps(reasons))
    assert sum(reasons.values()) == COUNT
    # the files are spoilt in as many ways as there are reasons, and not all of them beyond recognition
    assert reasons["accepted"] > COUNT / 20
    assert {reason for reason in Reason if reason.outcome is Outcome.REJECTED} - reasons.keys() <= {
        Reason.LUNGS_NOT_FOUND, Reason.BELOW_AGE_LIMIT, Reason.INVERTED, Reason.LATERAL_VIEW, Reason.NOT_FOR_SCREENING,
    }  # fmt: skip


def _examined(seed: int, first: int, log: Path) -> dict[str, object]:
    """Return the report of a child on PER_CHILD files; fail where it died, with the number of the file that it died of."""
    with log.open("w") as numbers:
        command = [sys.executable, "-m", "tests.screening.mutants", str(seed), str(first), str(PER_CHILD)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=numbers, text=True, timeout=1200)
    last = log.read_text().splitlines()[-3:]
    assert done.returncode == 0, f"{SEED_VARIABLE}={seed}: the process ended with {done.returncode} after {last}"
    return json.loads(done.stdout)

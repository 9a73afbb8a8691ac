"""The lock of a results folder: one holder at a time, locally and on S3, and none that outlives its process."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from screening.errors import LockedError, WriteError
from screening.results import lock
from screening.results.lock import Holder, holding
from screening.storage import exists, join, put_atomic, read_bytes

HOLD = """
import sys, time
from screening.results.lock import holding
with holding(sys.argv[1], "another night"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["local", "s3"])
def results(request: pytest.FixtureRequest) -> str:
    """A results folder on each kind of store."""
    if request.param == "local":
        return str(request.getfixturevalue("tmp_path"))
    return request.getfixturevalue("s3_bucket") + "/results"


@pytest.fixture
def held_elsewhere(results: str) -> Callable[[], subprocess.Popen]:
    """Start a process that holds the lock; it lets go when its stdin is closed."""
    started: list[subprocess.Popen] = []

    def start() -> subprocess.Popen:
        process = subprocess.Popen([sys.executable, "-c", HOLD, results], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_the_second_is_told_who_the_first_is(results: str, held_elsewhere: Callable[[], subprocess.Popen]) -> None:
    other = held_elsewhere()
    with (
        pytest.raises(LockedError, match=rf"another night, process {other.pid} on .*, since 20.*nothing was done"),
        holding(results, "mine"),
    ):
        pass
    other.communicate()
    with holding(results, "mine") as lease:
        lease.check()


def test_a_holder_that_was_killed_holds_nothing(results: str, held_elsewhere: Callable[[], subprocess.Popen]) -> None:
    other = held_elsewhere()
    other.kill()
    other.wait()
    with holding(results, "mine"), pytest.raises(LockedError, match="mine"), holding(results, "a third"):
        pass


def elsewhere(results: str) -> Holder:
    """Write the lock of a process on another machine, of which nothing can be known here."""
    holder = replace(Holder.this_process("a night of another machine"), machine="another", host="node-7")
    put_atomic(join(results, "lock.json"), json.dumps(vars(holder)).encode())
    return holder


def test_a_lease_on_s3_ends_where_it_is_not_renewed(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere(s3_bucket)
    with pytest.raises(LockedError, match="node-7"), holding(s3_bucket, "mine"):
        pass
    monkeypatch.setattr(lock, "LEASE_SECONDS", 1.0)
    time.sleep(2.1)  # the store tells time in seconds
    with holding(s3_bucket, "mine"):
        assert json.loads(read_bytes(join(s3_bucket, "lock.json")))["what"] == "mine"
    assert not exists(join(s3_bucket, "lock.json"))


def test_a_holder_that_lives_is_heard_of_and_one_that_lost_its_lock_is_told(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "LEASE_SECONDS", 2.0)
    with holding(s3_bucket, "mine") as lease:
        time.sleep(3)
        with pytest.raises(LockedError, match="mine"), holding(s3_bucket, "a third"):
            pass
        lease.check()
        other = elsewhere(s3_bucket)
        time.sleep(1)
        with pytest.raises(LockedError, match="was taken over by another process"):
            lease.check()
    assert json.loads(read_bytes(join(s3_bucket, "lock.json"))) == vars(other)


def test_of_many_that_begin_at_once_one_has_it(results: str) -> None:
    code = HOLD.replace("sys.stdin.read()", "time.sleep(3)")
    command = [sys.executable, "-c", code, results]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate() for process in started]
    assert sorted(out for out, _ in said) == ["", "", "held\n"]
    assert sum("LockedError" in errors for _, errors in said) == 2


def test_a_store_that_cannot_be_locked_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with holding("memory://results", "mine") as lease:
        lease.check()
    assert "memory://results cannot be locked" in caplog.text


def test_a_folder_that_takes_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="a file is in the place of a folder"), holding(str(tmp_path / "file"), "mine"):
        pass

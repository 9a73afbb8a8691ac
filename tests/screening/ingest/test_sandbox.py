"""sandbox: the same answers as ingest, and what happens when the decoder hangs, dies, runs out of memory or loses its parent."""

import os
import platform
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from schemas.reasons import Outcome, Reason
from screening.errors import ScreeningError
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest
from screening.ingest.sandbox import DecodeSandbox
from screening.privacy import Pseudonymizer
from tests.archives import phantom_dicom
from tests.screening import hostile
from tests.screening.ingest.sabotage import sabotage

CONFIG, KEY = IngestConfig(min_age_years=10), Pseudonymizer(b"a key of sixteen bytes or more")
MEMORY = 2 << 30


def _ended(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_answers_are_those_of_ingest_and_the_child_is_quiet_and_ends(capfd: pytest.CaptureFixture[str]):
    files = [
        hostile.good(),
        hostile.good("jpeg_2000_lossless"),
        b"",
        b"text",
        hostile.good()[:-9],
        hostile.endless_sequence(),
        hostile.good("rle"),
    ]
    with DecodeSandbox(CONFIG, KEY, 60, MEMORY) as sandbox:
        child = psutil.Process(sandbox.pid)
        for data in files:
            there, here = sandbox.ingest(data), ingest(data, CONFIG, KEY)
            assert there.columns == here.columns
            assert str(there.refusal) == str(here.refusal)
            assert here.pixels is None or np.array_equal(there.pixels, here.pixels)
        threads = [Path(f"/proc/{child.pid}/task/{thread.id}/comm").read_text().strip() for thread in child.threads()]
        assert [name for name in threads if name != "jemalloc_bg_thd"] == ["python"]  # the other one is pyarrow's allocator, and idle
        assert KEY.key.decode() not in " ".join(child.cmdline()) + str(child.environ())
    assert not psutil.pid_exists(child.pid)
    assert capfd.readouterr() == ("", "")


def test_slow_decoding_is_given_up_and_the_next_image_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    hang = tmp_path / "hang"
    hang.touch()
    sabotage(tmp_path, monkeypatch, f"import os, time; os.path.exists({str(hang)!r}) and time.sleep(600)")
    with DecodeSandbox(CONFIG, KEY, 1, MEMORY) as sandbox:
        first = sandbox.pid
        refusal = sandbox.ingest(hostile.good()).refusal
        assert refusal.reason == Reason.DECODE_TIMEOUT
        assert refusal.reason.outcome is Outcome.FAILED
        assert not psutil.pid_exists(first)
        hang.unlink()
        sandbox.seconds = 60
        assert sandbox.ingest(hostile.good()).refusal is None


def test_death_while_decoding_costs_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    decoding = tmp_path / "decoding"  # the first image makes it, and then waits for its end
    sabotage(
        tmp_path, monkeypatch, f"import os, time; os.path.exists({str(decoding)!r}) or (open({str(decoding)!r}, 'w'), time.sleep(600))"
    )
    with DecodeSandbox(CONFIG, KEY, 60, MEMORY) as sandbox:

        def kill() -> None:
            while not decoding.exists():
                time.sleep(0.01)
            os.kill(sandbox.pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        assert sandbox.ingest(hostile.good()).refusal.reason == Reason.DECODER_DIED
        killer.join()
        assert sandbox.ingest(hostile.good()).refusal is None


def test_death_while_idle_costs_nothing():
    with DecodeSandbox(CONFIG, KEY, 60, MEMORY) as sandbox:
        os.kill(sandbox.pid, signal.SIGKILL)
        os.waitid(os.P_PID, sandbox.pid, os.WEXITED | os.WNOWAIT)  # all its threads have ended; the sandbox may still reap it
        assert sandbox.ingest(hostile.good()).refusal is None


def test_too_little_memory():
    large = hostile.write_dicom(np.tile(hostile.chest(2500, 2048), (3, 3)), hostile.attributes(), hostile.CODING, "jpeg_lossless_sv1")
    with DecodeSandbox(CONFIG, KEY, 60, MEMORY) as sandbox:
        needs = psutil.Process(sandbox.pid).memory_info().vms
        assert sandbox.ingest(large).refusal is None
    with DecodeSandbox(CONFIG, KEY, 60, needs + (60 << 20)) as sandbox:
        assert sandbox.ingest(large).refusal.reason == Reason.DECODER_DIED
        assert sandbox.ingest(hostile.good()).refusal is None


def test_child_that_cannot_start():
    with pytest.raises(ScreeningError, match="does not start"), DecodeSandbox(CONFIG, KEY, 60, 50 << 20):
        pass


PARENT = """
import sys, time
from screening.ingest.config import IngestConfig
from screening.ingest.sandbox import DecodeSandbox
sandbox = DecodeSandbox(IngestConfig(), None, 60, 2 << 30)
with sandbox:
    print(sandbox.pid, flush=True)
    data = sys.stdin.buffer.read()
    while True:
        sandbox.ingest(data) if data else time.sleep(1)
"""


@pytest.mark.parametrize("busy", [False, True])
def test_child_ends_with_its_killed_parent(busy: bool):
    slow = hostile.write_dicom(hostile.chest(2500, 2048), hostile.attributes(), hostile.CODING, "jpeg_2000_lossless")
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        child = int(parent.stdout.readline())
        parent.stdin.write(slow if busy else b"")
        parent.stdin.close()
        time.sleep(0.1)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    assert _ended(child)


def _pages_cleared(pid: int) -> int:
    """How many pages the kernel has handed to a process so far (minor faults, proc(5))."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep freed memory")
def test_the_memory_of_one_image_is_there_for_the_next():
    image = phantom_dicom(0, size=1024)
    with DecodeSandbox(CONFIG, KEY, 60, MEMORY) as sandbox:
        for _ in range(3):
            sandbox.ingest(image)
        before = _pages_cleared(sandbox.pid)
        for _ in range(3):
            sandbox.ingest(image)
        assert _pages_cleared(sandbox.pid) - before < 3 * 500  # 2,700 each where nothing is kept


def test_threads_share_one_child():
    with DecodeSandbox(CONFIG, KEY, 60, MEMORY) as sandbox:
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(sandbox.ingest(hostile.good()).columns["pixel_hash"])) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(answers) == 6
    assert len(set(answers)) == 1

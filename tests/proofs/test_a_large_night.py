"""A night of 100,000 images loses its driver, an actor and everything: each image has one row, and memory stays flat."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import date
from pathlib import Path

import psutil
import pytest

from screening.benchmark.random_bundle import save_random_bundle
from screening.benchmark.throughput import held_bytes
from screening.dicom.uids import uid_of
from screening.results.layout import ResultsLayout
from screening.results.manifests import list_runs
from screening.results.parts import committed_parts, list_parts, read_part
from screening.run.plan import PlanReader
from tests.archives import FINDINGS, phantom_dicom, phantom_pixels
from tests.run_process import kill_all, start

pytestmark = [pytest.mark.slow, pytest.mark.large, pytest.mark.timeout(5400)]

PHANTOMS, COPIES = 100, 1000
NIGHT = date(2020, 3, 1)
SAMPLE_SECONDS = 2.0
FLAT = 1.15  # the most that all processes may hold in the second half of an execution, in terms of the first
SETTLED = 0.1  # share of an execution in which Ray starts its workers and fills its queues


def fill(archive: Path) -> None:
    """Write phantoms, each under many SOP Instance UIDs."""
    archive.mkdir()
    for seed in range(PHANTOMS):
        finding = FINDINGS[seed % len(FINDINGS)]
        data, uid = phantom_dicom(seed, finding, size=128), uid_of("test", seed, finding, "instance").encode()
        for copy in range(COPIES):
            (archive / f"{copy:03}-{seed:03}.dcm").write_bytes(data.replace(uid, uid[:-4] + f"{copy:04}".encode()))


class Watched:
    """One execution of the run, and the memory that its processes hold, sampled as it goes."""

    def __init__(self, command: list[str], results: Path):
        self.process = start(command, results)
        self.started = time.monotonic()
        self.samples: list[tuple[float, int, int]] = []  # seconds, bytes of the driver, bytes of the driver and all that it started
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while self.process.poll() is None:
            held = [held_bytes(process) for process in self.tree()]
            if held:
                self.samples.append((time.monotonic() - self.started, held[0], sum(held)))
            time.sleep(SAMPLE_SECONDS)

    def tree(self) -> list[psutil.Process]:
        """Return the driver and all that it started; nothing once it has ended."""
        try:
            driver = psutil.Process(self.process.pid)
            return [driver, *driver.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def peaks(self, first: float, last: float) -> tuple[int, int]:
        """Return the most bytes of the driver and of all processes between two shares of the time that this execution took."""
        end = self.samples[-1][0]
        between = [sample[1:] for sample in self.samples if first * end <= sample[0] <= last * end]
        return max(driver for driver, _ in between), max(everything for _, everything in between)


def lose_the_driver(run: Watched) -> None:
    kill_all(run.process, driver_only=True)


def lose_an_actor(run: Watched) -> None:
    actors = [process for process in run.tree() if "CascadeActor" in " ".join(process.cmdline())]
    assert actors, "no cascade actor is alive"
    os.kill(actors[0].pid, signal.SIGKILL)


def lose_everything(run: Watched) -> None:
    kill_all(run.process, driver_only=False)


def test_a_night_of_100_000_images_survives_three_kills_in_flat_memory(tmp_path: Path) -> None:
    fill(tmp_path / "archive")
    digest = save_random_bundle(str(tmp_path / "bundle"), phantom_pixels(12)).digest()
    (tmp_path / "key").write_bytes(b"0123456789abcdef0123456789abcdef")
    (tmp_path / "key").chmod(0o600)
    options = ["--bundle", str(tmp_path / "bundle"), "--date", NIGHT.isoformat(), "--pseudonym-key", str(tmp_path / "key")]
    command = [sys.executable, "-m", "jobs.screen_archive", str(tmp_path / "archive"), *options]
    layout, begun = ResultsLayout(str(tmp_path / "results")), time.monotonic()

    run = Watched(command, tmp_path / "results")
    shards = _planned(layout, run.process)
    for share, strike in ((0.15, lose_the_driver), (0.3, lose_an_actor), (0.45, lose_everything)):
        while len(committed_parts(layout, digest, NIGHT)) < share * shards:
            assert run.process.poll() is None, "the run has ended by itself"
            time.sleep(1)
        strike(run)
        if run.process.poll() is not None:
            run = Watched(command, tmp_path / "results")
    assert run.process.wait() == 0
    seconds = time.monotonic() - begun

    ids = Counter(name for url in list_parts(layout, digest) for name in read_part(url)["object_id"].to_pylist())
    assert (len(ids), max(ids.values())) == (PHANTOMS * COPIES, 1)
    finished, nothing_more = list_runs(layout)
    assert (finished.status, finished.executions, nothing_more.counts.planned) == ("finished", 3, 0)
    middle = (1 + SETTLED) / 2
    early, late = run.peaks(SETTLED, middle), run.peaks(middle, 1)
    print(f"{len(ids)} rows in {seconds:.0f} s with three kills; of the last execution, {run.samples[-1][0]:.0f} s long:")
    for name, first, second in zip(("driver", "all processes"), early, late, strict=True):
        print(f"{name}: at most {first / 2**20:.0f} MiB in the first half after its start, {second / 2**20:.0f} MiB in the second")
    assert late[1] <= FLAT * early[1]


def _planned(layout: ResultsLayout, process: subprocess.Popen[bytes]) -> int:
    """Return the shards of the plan, as soon as there is one."""
    while True:
        assert process.poll() is None, "the run has ended by itself"
        runs = list(list_runs(layout))
        if runs and runs[0].status == "running":
            return len(PlanReader(layout.plan(runs[0].run_id)).shards())
        time.sleep(0.5)

"""How fast a run is beside a bare loop over the same images, and how much memory it holds. `screening benchmark` prints both.

Each measurement is a process of its own, timed and watched from outside with everything that it starts.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psutil

from screening.errors import ScreeningError
from screening.run.config import RunConfig
from screening.shard.config import RowConfig

SAMPLE_SECONDS = 0.25
SAMPLE_SHARE = 0.02  # of one core at most goes into sampling: the kernel walks every page of a process to tell its share of them
NIGHT = date(2020, 3, 1)


@dataclass(frozen=True)
class Measured:
    """One process and all that it started."""

    name: str
    images: int
    wall_seconds: float
    steady_seconds: float  # without the start of Python, Ray and the networks
    peak_bytes: int  # proportional set size, summed over the processes

    @property
    def images_per_second(self) -> float:
        """Over the whole wall time."""
        return self.images / self.wall_seconds


def measure_bare_loop(archive: str, bundle: str) -> Measured:
    """Measure reading, decoding and the cascade in one process: `python -m screening.benchmark.throughput ARCHIVE BUNDLE`."""
    return _measure("bare loop", [sys.executable, "-m", "screening.benchmark.throughput", archive, bundle])


def measure_run(archive: str, bundle: str, key_file: str, *extra: str) -> Measured:
    """Measure `screening run` over the same archive, with everything that it writes."""
    with tempfile.TemporaryDirectory(prefix="results-") as results:
        command = [sys.executable, "-m", "jobs.screen_archive", archive, "--results", results, "--bundle", bundle]
        return _measure("screening run", [*command, "--pseudonym-key", key_file, "--json", *extra])


def hard_linked_archive(originals: list[Path], folder: Path, images: int) -> str:
    """Fill `folder` with `images` names of the original files and return it: an archive of any size that takes no space."""
    folder.mkdir(parents=True)
    for i in range(images):
        original = originals[i % len(originals)]
        os.link(original, folder / f"{i:06}{original.suffix}")
    return str(folder)


def bare_loop(archive: str, bundle: str, config: RunConfig) -> dict[str, float]:
    """Read, decode and score an archive in this process with the functions that a run uses, and write nothing."""
    from screening.archive.index import scan
    from screening.archive.reader import ObjectReader
    from screening.ingest.ingest import ingest
    from screening.privacy import Pseudonymizer
    from screening.run.machine import call_threads
    from screening.run.pipeline import load_cascade
    from screening.run.plan import cut_into_shards
    from screening.shard.decode import decode_rows
    from screening.shard.score import score_rows

    cascade = load_cascade(bundle, config, threads=call_threads(1))
    pseudonymizer = Pseudonymizer(b"benchmark key, of no person")
    started = time.perf_counter()
    images = 0
    with ObjectReader(config.rows.ingest.limits.max_bytes) as reader:
        for batch in scan(archive):
            sizes = [min(config.shard_rows, len(batch) - start) for start in range(0, len(batch), config.shard_rows)]
            for shard in cut_into_shards([batch], sizes, salt=""):
                decoded = decode_rows(shard, reader, lambda data: ingest(data, config.rows.ingest, pseudonymizer), quarantined={})
                images += len(score_rows(decoded, cascade, config.rows))
    return {"images": images, "steady_seconds": time.perf_counter() - started}


def _measure(name: str, command: list[str]) -> Measured:
    started = time.monotonic()
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=answer, stderr=log)
        peak = _Peak(process.pid)
        process.wait()
        seconds = time.monotonic() - started
        peak.stop()
        answer.seek(0)
        log.seek(0)
        if process.returncode:
            raise ScreeningError(f"{name} ended with {process.returncode}: {log.read().decode(errors='replace')[-2000:]}")
        facts = json.loads(answer.read())
    if isinstance(facts, list):  # run manifests
        times = facts[-1]["times"]
        facts = {"images": times["images"], "steady_seconds": times["wall_seconds"]}
    return Measured(name, int(facts["images"]), seconds, float(facts["steady_seconds"]), peak.bytes)


class _Peak:
    """Samples the memory of a process tree in a thread."""

    def __init__(self, pid: int):
        self.bytes = 0
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop sampling."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        pause = SAMPLE_SECONDS
        while not self._ended.wait(pause):
            started = time.thread_time()
            self.bytes = max(self.bytes, self._tree_bytes())
            pause = max(SAMPLE_SECONDS, (time.thread_time() - started) / SAMPLE_SHARE)

    def _tree_bytes(self) -> int:
        try:
            tree = [self._process, *self._process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return 0
        return sum(held_bytes(process) for process in tree)


def held_bytes(process: psutil.Process) -> int:
    """Return the proportional set size of a process, in which what several share counts once; 0 where it has ended meanwhile."""
    try:
        return process.memory_full_info().pss
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0


if __name__ == "__main__":
    print(json.dumps(bare_loop(sys.argv[1], sys.argv[2], RunConfig(RowConfig(NIGHT)))))

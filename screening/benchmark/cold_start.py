"""What `screening score` takes for one file from a cold start, beside the same file in a process that has the bundle open."""

import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from schemas.progress import OnProgress, counter, unwatched
from screening.benchmark.radiograph import phantom_file
from screening.errors import ScreeningError
from screening.on_demand.open_bundle import OpenBundle

SIDE = 2048  # pixels, as of a detector


@dataclass(frozen=True)
class StartTimes:
    """Medians, in seconds."""

    command: float  # from the start of the process to its end
    open_bundle: float  # one file where everything is loaded: reading, decoding, the three networks

    @property
    def over_the_model(self) -> float:
        """What the command takes more."""
        return self.command - self.open_bundle


def cold_start_benchmark(bundle_url: str, repeats: int = 3, on_progress: OnProgress = unwatched) -> StartTimes:
    """Measure both on the CPU with one positive phantom, which all three networks judge. Raises ScreeningError where the command fails."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        file = Path(folder) / "chest.dcm"
        file.write_bytes(phantom_file(0, "covid", SIDE))
        count = counter(on_progress, "cold starts", repeats)
        commands = []
        for _ in range(repeats):
            commands.append(_command_seconds(file, bundle_url))
            count(1)
        with OpenBundle(bundle_url, device="cpu") as bundle:
            list(bundle.score(file, heatmaps=False))  # the first pass prepares what the others find
            warm = [_seconds(bundle, file) for _ in range(repeats)]
    return StartTimes(statistics.median(commands), statistics.median(warm))


def _command_seconds(file: Path, bundle_url: str) -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "jobs.cli", "score", str(file), "--bundle", bundle_url, "--device", "cpu", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ScreeningError(f"screening score ended with {done.returncode}: {done.stderr.strip()}")
    return time.perf_counter() - started


def _seconds(bundle: OpenBundle, file: Path) -> float:
    started = time.perf_counter()
    list(bundle.score(file, heatmaps=False))
    return time.perf_counter() - started

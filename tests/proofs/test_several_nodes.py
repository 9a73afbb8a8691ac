"""A night on a real Ray cluster over S3 loses a node, an actor, both kinds of object store and its driver: the rows stay the same."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from schemas.heatmap import URL_COLUMN
from screening.benchmark.random_bundle import save_random_bundle
from screening.bundle.checks import load_manifest
from screening.results.layout import ResultsLayout
from screening.results.manifests import list_runs
from screening.results.parts import committed_parts, list_parts, read_part
from screening.storage import filesystem_of
from tests.archives import FINDINGS, phantom_dicom, phantom_pixels
from tests.ray_machines import RayMachines
from tests.s3 import S3Server

pytestmark = [pytest.mark.slow, pytest.mark.nodes, pytest.mark.timeout(1200)]

PHANTOMS, COPIES = 100, 5
SHARD_ROWS = 8
NIGHT = date(2020, 3, 1)
SILENT_SECONDS = 12.0  # that a store is stopped before it dies: longer than the nodes wait for each other
WAIT_SECONDS = 600


@pytest.fixture
def machines(s3_environment: S3Server) -> Iterator[RayMachines]:
    with RayMachines({"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}) as cluster:
        yield cluster


class Run:
    """`screening run` on a cluster, and how many shards it has committed when."""

    def __init__(self, command: list[str], results: str, digest: str, environment: dict[str, str]):
        self._command, self._environment = [*command, "--results", results], environment
        self._layout, self._digest = ResultsLayout(results), digest
        self.started = time.monotonic()
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def again(self) -> None:
        """Start the same command again."""
        self.process = self._start()

    def shards(self) -> int:
        """Return how many shards are committed."""
        return len(committed_parts(self._layout, self._digest, NIGHT))

    def wait_for(self, shards: int) -> None:
        """Return when so many shards are committed; fail when the run ends with an error or takes too long."""
        end = time.monotonic() + WAIT_SECONDS
        while self.shards() < shards:
            assert self.process.poll() in (None, 0), self.process.stderr.read().decode()[-2000:]
            assert time.monotonic() < end, f"{self.shards()} of {shards} shards after {WAIT_SECONDS} s"
            time.sleep(0.2)

    def finish(self) -> float:
        """Return after how many seconds the run has ended well."""
        _, said = self.process.communicate(timeout=WAIT_SECONDS)
        assert self.process.returncode == 0, said.decode()[-2000:]
        return time.monotonic() - self.started


def rows_of(results: str, digest: str) -> pa.Table:
    """Return all rows in the order of their keys, without the pointers, which hold the folder's own name."""
    table = pa.concat_tables(read_part(url) for url in list_parts(ResultsLayout(results), digest))
    return table.take(pc.sort_indices(table, [("object_id", "ascending")])).drop_columns(list(URL_COLUMN.values())).combine_chunks()


def fill(bucket: str) -> str:
    """Put phantoms into a bucket, each under several names, and return the URL of the archive."""
    filesystem, path = filesystem_of(f"{bucket}/archive")
    objects = {f"{path}/{i:03}.dcm": phantom_dicom(i, FINDINGS[i % 3], size=128) for i in range(PHANTOMS)}
    for copy in range(COPIES):
        for name, data in objects.items():
            filesystem.pipe_file(name.replace("/archive/", f"/archive/{copy}-"), data)
    return f"{bucket}/archive"


def lose_a_node(cluster: RayMachines, run: Run, s3: S3Server) -> None:
    cluster.remove(cluster.nodes[0])
    cluster.add(cpus=2)


def lose_an_actor(cluster: RayMachines, run: Run, s3: S3Server) -> None:
    actors = [pid for node in cluster.nodes for pid in node.pids("CascadeActor")]
    assert actors, "no cascade actor is alive"
    os.kill(actors[0], signal.SIGKILL)


def lose_an_object_store(cluster: RayMachines, run: Run, s3: S3Server) -> None:
    node = cluster.nodes[0]
    node.signal_raylet(signal.SIGSTOP)
    time.sleep(SILENT_SECONDS)
    cluster.remove(node)
    cluster.add(cpus=2)


def lose_the_s3_server(cluster: RayMachines, run: Run, s3: S3Server) -> None:
    s3.freeze()
    time.sleep(SILENT_SECONDS)
    s3.kill()
    s3.start()


def lose_the_driver(cluster: RayMachines, run: Run, s3: S3Server) -> None:
    run.process.kill()
    run.process.wait()
    run.again()


FAULTS: dict[str, tuple[float, Callable[[RayMachines, Run, S3Server], None]]] = {  # at which share of the shards
    "a node (raylet and all)": (0.1, lose_a_node),
    "a cascade actor": (0.25, lose_an_actor),
    "a node's object store, stopped and then killed": (0.4, lose_an_object_store),
    "the S3 server, stopped, killed and started again": (0.55, lose_the_s3_server),
    "the driver": (0.7, lose_the_driver),
}


def test_a_night_on_several_nodes_ends_as_if_nothing_had_been_lost(
    machines: RayMachines, s3_environment: S3Server, s3_bucket: str, tmp_path: Path
) -> None:
    archive = fill(s3_bucket)
    digest = save_random_bundle(str(tmp_path / "bundle"), phantom_pixels(12)).digest()
    assert load_manifest(str(tmp_path / "bundle")).digest() == digest
    key = tmp_path / "key"
    key.write_bytes(b"0123456789abcdef0123456789abcdef")
    key.chmod(0o600)
    options = ["--bundle", str(tmp_path / "bundle"), "--date", NIGHT.isoformat(), "--pseudonym-key", str(key)]
    command = [sys.executable, "-m", "jobs.screen_archive", archive, *options, "--shard-rows", str(SHARD_ROWS)]
    for _ in range(2):
        machines.add(cpus=2)

    undisturbed = Run(command, f"{s3_bucket}/undisturbed", digest, machines.driver_environment)
    undisturbed.wait_for(1)
    begun = time.monotonic()
    seconds = undisturbed.finish()
    shards = undisturbed.shards()
    pace = (time.monotonic() - begun) / shards

    disturbed = Run(command, f"{s3_bucket}/disturbed", digest, machines.driver_environment)
    struck = []
    for name, (share, strike) in FAULTS.items():
        disturbed.wait_for(round(share * shards))
        assert disturbed.process.poll() is None, f"the run had ended before {name} was lost"
        struck.append((name, time.monotonic(), disturbed.shards()))
        strike(machines, disturbed, s3_environment)
    total = disturbed.finish()
    struck.append(("", time.monotonic(), disturbed.shards()))
    print(f"{PHANTOMS * COPIES} images in {shards} shards: {seconds:.0f} s undisturbed, {total:.0f} s with {len(FAULTS)} faults")
    for (name, at, before), (_, until, after) in itertools.pairwise(struck):
        print(f"{name}: {until - at - (after - before) * pace:.0f} s lost")

    expected, found = rows_of(f"{s3_bucket}/undisturbed", digest), rows_of(f"{s3_bucket}/disturbed", digest)
    assert len(expected) == PHANTOMS * COPIES
    assert set(expected.column("outcome").to_pylist()) == {"scored"}
    assert found.equals(expected)
    [before] = list_runs(ResultsLayout(f"{s3_bucket}/undisturbed"))
    after, nothing_more = list_runs(ResultsLayout(f"{s3_bucket}/disturbed"))
    assert (after.status, after.executions, nothing_more.counts.planned) == ("finished", 2, 0)
    decided = {"actors": 2, "cpus_per_actor": 0.5, "calls_per_actor": 2}
    assert before.configuration.items() >= decided.items()
    assert after.configuration["dtype"] == before.configuration["dtype"] != "auto"
    assert after.configuration["batch_size"] == before.configuration["batch_size"] >= 1
    assert set(expected.column("network_dtype").to_pylist()) == {before.configuration["dtype"]}
    assert set(expected.column("network_batch").to_pylist()) == {before.configuration["batch_size"]}

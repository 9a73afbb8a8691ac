"""A run killed at random points, ten times, ends with the same rows, byte-equal scores, no row twice, and nothing left over."""

import random
import sys
import time
from datetime import date
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from schemas.heatmap import URL_COLUMN
from screening.benchmark.random_bundle import save_random_bundle
from screening.bundle.checks import load_manifest
from screening.results.layout import ResultsLayout, shard_id_of_part
from screening.results.lock import LOCK_NAME
from screening.results.manifests import list_runs
from screening.results.parts import list_parts, read_part
from tests.archives import phantom_archive, phantom_pixels
from tests.run_process import kill_all, start

KILLS = 10
NIGHT = date(2020, 3, 1)
POINTERS = list(URL_COLUMN.values())


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("killed")
    archive = phantom_archive(folder / "phantoms", studies=320, seed=5)
    save_random_bundle(str(folder / "bundle"), phantom_pixels(16))
    (folder / "key").write_bytes(b"0123456789abcdef0123456789abcdef")
    (folder / "key").chmod(0o600)
    options = [
        "--bundle",
        str(folder / "bundle"),
        "--date",
        NIGHT.isoformat(),
        "--shard-rows",
        "16",
        "--pseudonym-key",
        str(folder / "key"),
    ]
    return [sys.executable, "-m", "jobs.screen_archive", archive, *options]


def rows_of(results: Path, bundle_digest: str) -> pa.Table:
    """Return all rows in the order of their keys, without the pointers, which hold the folder's own name."""
    layout = ResultsLayout(str(results))
    table = pa.concat_tables(read_part(url) for url in list_parts(layout, bundle_digest))
    return table.take(pc.sort_indices(table, [("object_id", "ascending")])).drop_columns(POINTERS).combine_chunks()


@pytest.mark.slow
def test_a_killed_run_ends_as_if_it_had_not_been(command: list[str], tmp_path: Path) -> None:
    digest = load_manifest(command[command.index("--bundle") + 1]).digest()
    clock = time.monotonic()
    undisturbed = start(command, tmp_path / "undisturbed")
    assert undisturbed.wait() == 0
    duration = time.monotonic() - clock

    draw = random.Random(7)
    hit = 0
    for i in range(KILLS):
        process = start(command, tmp_path / "killed")
        time.sleep(draw.uniform(0.15, 0.8) * duration)
        hit += process.poll() is None
        if process.poll() is None:
            kill_all(process, driver_only=i % 2 == 0)
    assert start(command, tmp_path / "killed").wait() == 0
    print(f"{hit} of {KILLS} kills hit a run of {duration:.0f} s")
    assert hit >= 3

    expected, found = rows_of(tmp_path / "undisturbed", digest), rows_of(tmp_path / "killed", digest)
    assert found.equals(expected)
    assert len(set(found.column("object_id").to_pylist())) == len(found)
    assert_no_orphans(tmp_path / "killed", digest)


def assert_no_orphans(results: Path, bundle_digest: str) -> None:
    """Every file belongs to a run or a committed shard, every zip to a part, and every pointer opens; logs and the lock aside."""
    layout = ResultsLayout(str(results))
    expected: set[str] = set()
    for run in list_runs(layout):
        assert run.status == "finished", run
        expected |= {layout.manifest(run.run_id), layout.plan(run.run_id), layout.index(run.run_id)}
    for part in list_parts(layout, bundle_digest):
        rows = read_part(part)
        expected.add(str(part))
        pointers = [pointer for column in POINTERS for pointer in rows.column(column).to_pylist() if pointer]
        if pointers:
            expected.add(layout.heatmaps(bundle_digest, NIGHT, shard_id_of_part(part)))
            with fsspec.open(pointers[0]) as file:
                assert file.read(4) == b"\x89PNG"
    found = {str(file) for file in results.rglob("*") if file.is_file() and file.parent.name != "log"} - {str(results / LOCK_NAME)}
    assert found == {name.removeprefix("file://") for name in expected}

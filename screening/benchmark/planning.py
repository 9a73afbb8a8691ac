"""How long a night takes to begin: an index of millions of objects, less almost as many rows of earlier nights, planned and started.

Index and rows are written as Parquet directly. What is measured is a process of its own: what lies between the listing of the archive
and the first image. The listing depends on the store alone and is not part of it.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from schemas.instance import INSTANCE_SCHEMA
from schemas.progress import OnProgress, counter, unwatched
from screening.errors import ScreeningError
from screening.results.layout import ResultsLayout

DIGEST = "be" * 32
FIRST_NIGHT = date(2020, 3, 1)
NIGHTS = 40
MOST_PART_ROWS = 250_000
RUN_ID = "planning"

_OBJECTS = """
select
    md5(object::varchar) as object_id,
    's3://archive/' || (object // 1000) || '/' || object || '.dcm' as object_url,
    8000000 + (hash(object) % 4000000)::bigint as object_bytes,
    md5('etag' || object) as object_etag,
    timestamptz '2020-03-01' + to_seconds(object::bigint) as object_modified
from range($first::bigint, $last::bigint) as objects (object)
"""
_PLACE = {
    "bundle_digest": "$digest",
    "screen_date": "$night::date",
    "shard_id": "$shard",
    "outcome": "'scored'",
    "stage_reached": "'pneumonia'",
}


@dataclass(frozen=True)
class Begun:
    """One beginning of a night."""

    objects: int
    pending: int
    shards: int
    steps: Mapping[str, Mapping[str, float]]  # step → seconds of wall time, and cpu_seconds of this process over all threads
    peak_bytes: int  # of the process that plans, without those of Ray


def generate(folder: Path, objects: int, done: int, on_progress: OnProgress = unwatched) -> str:
    """Write an index of so many objects and rows for the oldest of them into a results folder, and return its path."""
    layout = ResultsLayout(str(folder / "results"))
    count = counter(on_progress, "making up rows", objects)
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute("set preserve_insertion_order = false")
        _copy(connection, _OBJECTS, layout.index(RUN_ID), {"first": 0, "last": objects})
        count(objects - done)
        per_part = min(-(-done // NIGHTS), MOST_PART_ROWS)
        for number, first in enumerate(range(0, done, per_part)):
            last = min(first + per_part, done)
            place = {"digest": DIGEST, "night": FIRST_NIGHT + timedelta(number % NIGHTS), "shard": f"{number:016x}"}
            _copy(connection, _rows_query(), layout.part(DIGEST, place["night"], place["shard"]), {"first": first, "last": last, **place})
            count(last - first)
    return layout.root


def measure(results: str) -> Begun:
    """Begin a night over what `generate` has written, in a process of its own. Raises ScreeningError where that fails."""
    child = subprocess.run([sys.executable, "-m", __name__, results], capture_output=True, text=True, check=False)
    if child.returncode:
        raise ScreeningError(f"the benchmark of planning ended with {child.returncode}: {child.stderr[-500:]}")
    return Begun(**json.loads(child.stdout.splitlines()[-1]))


def begin(results: str) -> Begun:
    """Plan a night and start Ray, in this process."""
    import resource
    import time

    from screening.run.pending import Pending
    from screening.run.plan import MOST_PLANNED, PlanReader, cut_into_shards, shard_sizes, write_plan
    from screening.run.ray_session import ray_session

    layout, steps, last = ResultsLayout(results), {}, (time.perf_counter(), time.process_time())

    def clock(step: str) -> None:
        nonlocal last
        at = time.perf_counter(), time.process_time()
        steps[step], last = {"seconds": at[0] - last[0], "cpu_seconds": at[1] - last[1]}, at

    pending = Pending(layout, DIGEST, layout.index(RUN_ID))
    clock("anti-join")
    planned = min(pending.rows, MOST_PLANNED)
    write_plan(cut_into_shards(pending.newest_first(planned), shard_sizes(planned, 256, 4), salt="benchmark"), layout.plan(RUN_ID))
    clock("plan")
    reader = PlanReader(layout.plan(RUN_ID))
    shards = reader.shards()
    with ray_session():
        reader.read(shards[0])
        clock("start of Ray and the first shard")
    rows = duckdb.execute("select count(*) from read_parquet($index)", {"index": layout.index(RUN_ID)}).fetchone()
    assert rows is not None
    return Begun(rows[0], pending.rows, len(shards), steps, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _rows_query() -> str:
    """Return the query for instance rows that know their object and their shard alone."""
    own = ("object_id", "object_url", "object_bytes", "object_etag", "object_modified")
    types = {
        "string": "varchar",
        "date32[day]": "date",
        "bool": "boolean",
        "float": "float",
        "double": "double",
        "int32": "integer",
        "int64": "bigint",
    }
    values = {**_PLACE, **{name: name for name in own}}
    columns = [
        f"cast({values.get(name, 'null')} as {types.get(str(kind), 'timestamptz')}) as {name}"
        for name, kind in zip(INSTANCE_SCHEMA.names, INSTANCE_SCHEMA.types, strict=True)
    ]
    return f"select {', '.join(columns)} from ({_OBJECTS})"


def _copy(connection: duckdb.DuckDBPyConnection, query: str, path: str, arguments: dict[str, object]) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    connection.execute(f"copy ({query}) to '{path}' (format parquet, compression zstd)", arguments)


if __name__ == "__main__":
    from dataclasses import asdict

    print(json.dumps(asdict(begin(sys.argv[1]))))

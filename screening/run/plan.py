"""The plan of a run: the index, less what earlier runs answered with the same bundle, newest first, cut into shards."""

import hashlib
import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.index import PLAN_SCHEMA
from screening.errors import ResultsError
from screening.storage import filesystem_of, put_atomic

LEAST_SHARD_ROWS = 8  # smaller ones cost more to pass on than they save


@dataclass(frozen=True)
class PlannedShard:
    """One shard of a plan: its name, its row group in plan.parquet, and how many rows it has."""

    shard_id: str
    row_group: int
    rows: int


def cut_into_shards(pending: pa.Table, sizes: Sequence[int], *, salt: str) -> pa.Table:
    """Return the newest rows of `pending` (INDEX_SCHEMA) as PLAN_SCHEMA, newest first, in shards of so many rows.

    A shard's name is hashed from its objects (URL, size, etag: together the object_id) and `salt`, which stands for the bundle and
    the configuration: the same work has the same name, whichever run does it.
    """
    ordered = pending.take(pc.sort_indices(pending, [("object_modified", "descending"), ("object_url", "ascending")])[: sum(sizes)])
    shard_ids, start = [], 0
    for size in sizes:
        shard_ids.append(_shard_id(ordered.column("object_id").slice(start, size), salt))
        start += size
    columns = {
        "shard_id": pa.array(shard_ids, pa.string()).take(pa.array(np.repeat(np.arange(len(sizes)), sizes))),
        "shard_row": pa.array(np.concatenate([np.arange(0), *map(np.arange, sizes)]).astype(np.int32)),
    }
    columns |= {name: ordered.column(name) for name in PLAN_SCHEMA.names if name not in columns}
    return pa.table(columns, schema=PLAN_SCHEMA)


def shard_sizes(rows: int, most: int, calls: int) -> list[int]:
    """Return how many rows each shard of a night of `rows` rows has, in order: at most `most`, fewer at the beginning and towards the end.

    The first ones double, for actors wait until one is decoded. From then on a shard is what is left divided by the `calls` that are
    answered at a time, so that none sits over a large one while the others have nothing left to do: guided self-scheduling
    (Polychronopoulos and Kuck 1987).
    """
    sizes: list[int] = []
    left, limit = rows, LEAST_SHARD_ROWS
    while left:
        size = min(left, most, limit, max(LEAST_SHARD_ROWS, left // calls))
        sizes.append(size)
        left -= size
        limit *= 2
    return sizes


def write_plan(plan: pa.Table, url: str) -> None:
    """Write a plan with one row group a shard, so that a worker reads its own shard and nothing else."""
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, PLAN_SCHEMA, compression="zstd") as writer:
        for start, length in _runs(plan.column("shard_id")):
            writer.write_table(plan.slice(start, length), row_group_size=length)
    put_atomic(url, buffer.getvalue())


class PlanReader:
    """Reads single shards of a plan. Keeps the file's footer, so make one a process. Raises ResultsError where it is missing or damaged."""

    def __init__(self, url: str):
        filesystem, path = filesystem_of(url)
        try:
            self._file = pq.ParquetFile(filesystem.open(path, "rb"))
        except (OSError, pa.ArrowException) as error:
            raise ResultsError(f"{url}: missing, damaged or cut; move that run's folder away, and the next run plans anew") from error

    def shards(self) -> list[PlannedShard]:
        """Return every shard of the plan in order."""
        metadata = self._file.metadata
        shards = []
        for group in range(metadata.num_row_groups):
            statistics = metadata.row_group(group).column(0).statistics
            shards.append(PlannedShard(statistics.min, group, metadata.row_group(group).num_rows))
        return shards

    def read(self, shard: PlannedShard) -> pa.Table:
        """Return one shard's rows (PLAN_SCHEMA)."""
        return self._file.read_row_group(shard.row_group).cast(PLAN_SCHEMA)


def _runs(shard_ids: pa.ChunkedArray) -> Iterator[tuple[int, int]]:
    """Yield start and length of each run of equal names."""
    ends = pc.run_end_encode(shard_ids.combine_chunks()).run_ends.to_pylist()
    yield from ((start, end - start) for start, end in itertools.pairwise([0, *ends]))


def _shard_id(object_ids: pa.ChunkedArray, salt: str) -> str:
    digest = hashlib.sha256(salt.encode())
    digest.update("".join(object_ids.to_pylist()).encode())
    return digest.hexdigest()[:16]

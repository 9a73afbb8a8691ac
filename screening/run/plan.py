"""The plan of a run: the index, less what earlier runs answered with the same bundle, newest first, cut into shards."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.index import INDEX_SCHEMA, PLAN_SCHEMA
from screening.errors import ResultsError
from screening.storage import filesystem_of, writing

LEAST_SHARD_ROWS = 8  # smaller ones cost more to pass on than they save
MOST_PLANNED = 2**22  # objects of one plan: every worker reads its footer, and the driver holds its shards


@dataclass(frozen=True)
class PlannedShard:
    """One shard of a plan: its name, its row group in plan.parquet, and how many rows it has."""

    shard_id: str
    row_group: int
    rows: int


def newest_first(objects: pa.Table) -> pa.Table:
    """Return a table with OBJECT_COLUMNS in the order of a plan, which keeps the members of a container together."""
    return objects.take(pc.sort_indices(objects, [("object_modified", "descending"), ("object_url", "ascending")]))


def cut_into_shards(ordered: Iterable[pa.Table], sizes: Iterable[int], *, salt: str) -> Iterator[pa.Table]:
    """Yield one table of PLAN_SCHEMA a shard, of so many rows each: the first rows of `ordered` (INDEX_SCHEMA), which comes in pieces.

    A shard's name is hashed from its objects (URL, size, etag: together the object_id) and `salt`, which stands for the bundle and
    the configuration: the same work has the same name, whichever run does it.
    """
    pieces, held = iter(ordered), INDEX_SCHEMA.empty_table()
    for size in sizes:
        while held.num_rows < size:
            held = pa.concat_tables([held, next(pieces).cast(INDEX_SCHEMA)])
        yield _shard(held.slice(0, size), salt)
        held = held.slice(size)


def _shard(objects: pa.Table, salt: str) -> pa.Table:
    name = _shard_id(objects.column("object_id"), salt)
    columns = {"shard_id": pa.repeat(name, len(objects)), "shard_row": pa.array(np.arange(len(objects), dtype=np.int32))}
    columns |= {name: objects.column(name) for name in INDEX_SCHEMA.names}
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


def write_plan(shards: Iterable[pa.Table], url: str) -> None:
    """Write a plan with one row group a shard, so that a worker reads its own shard and nothing else."""
    with writing(url) as file, pq.ParquetWriter(file, PLAN_SCHEMA, compression="zstd") as writer:
        for shard in shards:
            writer.write_table(shard, row_group_size=len(shard))


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


def _shard_id(object_ids: pa.ChunkedArray, salt: str) -> str:
    digest = hashlib.sha256(salt.encode())
    digest.update("".join(object_ids.to_pylist()).encode())
    return digest.hexdigest()[:16]

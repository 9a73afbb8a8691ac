"""Plans by the names of their shards, for results folders that are made by hand."""

import io

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.index import PLAN_SCHEMA
from screening.results.layout import ResultsLayout
from screening.storage import put_atomic


def write_shards(layout: ResultsLayout, run_id: str, *shard_ids: str) -> None:
    """Write the plan of a run with one row a shard, each in a row group of its own."""
    objects = {"shard_row": 0, "object_id": "0", "object_url": "file:///0", "object_bytes": 0, "object_etag": "e"}
    buffer = io.BytesIO()
    plan = pa.Table.from_pylist([objects | {"shard_id": shard_id} for shard_id in shard_ids], PLAN_SCHEMA)
    pq.write_table(plan, buffer, row_group_size=1)
    put_atomic(layout.plan(run_id), buffer.getvalue())

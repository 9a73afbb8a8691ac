"""Indexes to make plans of."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from schemas.index import INDEX_SCHEMA
from screening.archive.index import object_id_of


def index(n: int) -> pa.Table:
    """Return an index (INDEX_SCHEMA) of n objects, each a day newer and a byte larger than the one before."""
    start = datetime(2020, 2, 1, tzinfo=UTC)
    rows = [
        {
            "object_id": object_id_of(f"file:///a/{i}.dcm", i, "e"),
            "object_url": f"file:///a/{i}.dcm",
            "object_bytes": i,
            "object_etag": "e",
            "object_modified": start + timedelta(days=i),
        }
        for i in range(n)
    ]
    return pa.Table.from_pylist(rows, schema=INDEX_SCHEMA)

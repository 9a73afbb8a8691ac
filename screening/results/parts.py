"""Results: committing shards, and proving that every object of an index has exactly one row.

A shard is committed when its Parquet part exists. The heatmap zip is written first and the part last, each in one atomic put under a name
that only its content decides, so that two workers that do the same shard write the same bytes to the same names.
"""

import io
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.instance import INSTANCE_SCHEMA
from schemas.reasons import Outcome
from screening.errors import ResultsError
from screening.results.layout import ResultsLayout, shard_id_of_part
from screening.storage import list_files, read_bytes

PARTS_AT_ONCE = 16


def read_part(url: str) -> pa.Table:
    """Return a committed part (INSTANCE_SCHEMA); raises ResultsError where its schema is another one."""
    table = pq.read_table(io.BytesIO(read_bytes(url)))
    if not table.schema.equals(INSTANCE_SCHEMA, check_metadata=False):
        raise ResultsError(f"{url}: its columns are not those of instance schema version 1; it was not written by this version")
    return table.cast(INSTANCE_SCHEMA)


def read_columns(urls: list[str], columns: list[str]) -> pa.Table:
    """Return some columns of many parts: one request a part, `PARTS_AT_ONCE` at a time."""

    def read(url: str) -> pa.Table:
        return pq.read_table(io.BytesIO(read_bytes(url)), columns=columns)

    schema = pa.schema([INSTANCE_SCHEMA.field(name) for name in columns])
    with ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="parts") as pool:
        return pa.concat_tables([schema.empty_table(), *(table.cast(schema) for table in pool.map(read, urls))])


def list_parts(layout: ResultsLayout, bundle_digest: str) -> list[str]:
    """Return the URLs of every committed part of a bundle, in order."""
    return list_files(layout.instances(bundle_digest), ".parquet")


def committed_shards(layout: ResultsLayout, bundle_digest: str) -> set[str]:
    """Return the shard_id of every committed shard of a bundle."""
    return {shard_id_of_part(url) for url in list_parts(layout, bundle_digest)}


def count_outcomes(rows: pa.Table) -> tuple[Counter[str], Counter[str]]:
    """Return the rows by outcome, and the refused ones by reason."""
    reasons = pc.drop_null(rows.column("reason"))
    return Counter(rows.column("outcome").to_pylist()), Counter(reasons.to_pylist())


def rows_to_redrive(layout: ResultsLayout, bundle_digest: str, reasons: set[str] | None = None) -> dict[str, pa.Table]:
    """Return part URL → its rows that are to be scored again (INSTANCE_SCHEMA): those with one of `reasons`, or else all failed ones."""
    chosen: dict[str, pa.Table] = {}
    for url in list_parts(layout, bundle_digest):
        rows = read_part(url)
        if reasons is None:
            wanted = pc.equal(rows.column("outcome"), Outcome.FAILED)
        else:
            wanted = pc.is_in(rows.column("reason"), pa.array(sorted(reasons), pa.string()))
        if (again := rows.filter(wanted)).num_rows:
            chosen[url] = again
    return chosen

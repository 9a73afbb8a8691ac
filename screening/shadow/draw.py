"""The sample of a shadow run: radiographs that the current bundle scored, drawn by their key, so that the same seed draws the same ones."""

import hashlib
import io
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.instance import INSTANCE_SCHEMA
from screening.errors import UsageError
from screening.results.layout import ResultsLayout
from screening.storage import put_atomic


def draw(connection: duckdb.DuckDBPyConnection, bundle_digest: str, images: int, seed: int, *, verified: bool) -> pa.Table:
    """Return the rows (INSTANCE_SCHEMA) of so many radiographs that a bundle scored, or of all where there are fewer.

    verified: only those with a definite result by the reference standard. Raises UsageError where there is none.
    """
    columns = ", ".join(INSTANCE_SCHEMA.names)
    among = "semi join (select * from reference_verdicts where rt_pcr in ('positive', 'negative')) using (bundle_digest, object_id)"
    rows = connection.sql(
        f"select {columns} from instances {among if verified else ''} "
        "where counts and outcome = 'scored' and bundle_digest = $digest order by md5($seed || object_id) limit $images",
        params={"digest": bundle_digest, "seed": f"{seed}:", "images": images},
    ).to_arrow_table()
    if not len(rows):
        raise UsageError(f"bundle {bundle_digest[:12]} has scored no radiograph{' with a definite result' if verified else ''} here")
    return rows.cast(INSTANCE_SCHEMA)


def keep(rows: pa.Table, layout: ResultsLayout, night: date) -> None:
    """Write the current bundle's answers about the sample into the shadow run's own folder, as one shard of its night."""
    shard_id = hashlib.sha256("".join(rows["object_id"].to_pylist()).encode()).hexdigest()[:16]
    facts = {"shard_id": pa.array([shard_id] * len(rows)), "screen_date": pa.array([night] * len(rows), pa.date32())}
    for name, values in facts.items():
        rows = rows.set_column(rows.schema.get_field_index(name), INSTANCE_SCHEMA.field(name), values)
    buffer = io.BytesIO()
    pq.write_table(rows.cast(INSTANCE_SCHEMA), buffer, compression="zstd", write_page_checksum=True)
    put_atomic(layout.part(rows["bundle_digest"][0].as_py(), night, shard_id), buffer.getvalue())

"""Commit a shard: its heatmaps in one zip file, then its rows in one Parquet part."""

import io
import zipfile
from collections.abc import Iterable
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.heatmap import URL_COLUMN, HeatmapKind, member_name
from schemas.instance import INSTANCE_SCHEMA
from screening.errors import ResultsError
from screening.results.layout import ResultsLayout
from screening.results.parts import part_of
from screening.results.rows import rows_of_shard
from screening.shard.heatmaps import MAP_COLUMNS, heatmap_png, unpack_map
from screening.storage import exists, put_atomic, read_bytes

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # members carry no time, so that equal heatmaps give equal zip files


def commit_shard(scored: pa.Table, layout: ResultsLayout, bundle_digest: str, screen_date: date) -> pa.Table:
    """Write one shard's heatmaps and then its rows; return the rows (INSTANCE_SCHEMA).

    Where the shard was committed before (a redrive), its other rows and heatmaps are kept and these rows take the place of their own.
    Where these say nothing new, nothing is written: rows that fail every night leave files alone that were compacted.
    """
    shard_id = scored.column("shard_id")[0].as_py()
    part_url = part_of(layout, bundle_digest, screen_date, shard_id)
    zip_url = layout.heatmaps(bundle_digest, screen_date, shard_id)
    heatmaps = dict(_render(scored))
    rows = _instance_rows(scored, bundle_digest, screen_date, zip_url)
    committed = rows_of_shard(layout, bundle_digest, screen_date, shard_id, part_url)
    if committed is not None:
        rows = _replace_rows(committed, rows)
        if not heatmaps and rows.equals(committed):
            return committed
        heatmaps = (_read_zip(zip_url) if exists(zip_url) else {}) | heatmaps
    if heatmaps:
        put_atomic(zip_url, _zip_bytes(heatmaps))
    put_atomic(part_url, _parquet_bytes(rows))
    return rows


def _render(scored: pa.Table) -> Iterable[tuple[str, bytes]]:
    """Yield (member name, PNG) of every heatmap in the table."""
    object_ids = scored.column("object_id").to_pylist()
    for kind, column in MAP_COLUMNS.items():
        for object_id, stored in zip(object_ids, scored.column(column).to_pylist(), strict=True):
            if stored is not None:
                yield member_name(object_id, kind), heatmap_png(kind, unpack_map(kind, stored))


def _instance_rows(scored: pa.Table, bundle_digest: str, screen_date: date, zip_url: str) -> pa.Table:
    columns = {name: scored.column(name) for name in INSTANCE_SCHEMA.names if name in scored.schema.names}
    columns["bundle_digest"] = pa.array([bundle_digest] * len(scored), pa.string())
    columns["screen_date"] = pa.array([screen_date] * len(scored), pa.date32())
    for kind, url_column in URL_COLUMN.items():
        columns[url_column] = pa.array(_pointers(scored, kind, zip_url), pa.string())
    return pa.table({name: columns[name] for name in INSTANCE_SCHEMA.names}, schema=INSTANCE_SCHEMA)


def _pointers(scored: pa.Table, kind: HeatmapKind, zip_url: str) -> list[str | None]:
    present = scored.column(MAP_COLUMNS[kind]).is_valid().to_pylist()
    names = scored.column("object_id").to_pylist()
    return [f"zip://{member_name(name, kind)}::{zip_url}" if here else None for name, here in zip(names, present, strict=True)]


def _replace_rows(committed: pa.Table, again: pa.Table) -> pa.Table:
    """Return `committed` with the rows of `again` in the place of those with the same object_id."""
    answers = {row["object_id"]: row for row in again.to_pylist()}
    merged = [answers.pop(row["object_id"], row) for row in committed.to_pylist()]
    if answers:
        raise ResultsError(
            f"shard {committed.column('shard_id')[0]}: {len(answers)} rows to replace are not in it; give the right results folder"
        )
    return pa.Table.from_pylist(merged, schema=INSTANCE_SCHEMA)


def _parquet_bytes(rows: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(rows, buffer, compression="zstd", write_page_checksum=True)
    return buffer.getvalue()


def _zip_bytes(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, _ZIP_EPOCH), members[name])
    return buffer.getvalue()


def _read_zip(url: str) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(read_bytes(url))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}

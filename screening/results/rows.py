"""Rows by column and by shard, wherever they lie: in the shard's part, or in a compacted file.

What reads here holds the lock of the results or can do without the rows of a moment ago: nothing is read again where
`screening compact` removes a file meanwhile. `screening.analytics.views.connect` does that for readers.
"""

from collections.abc import Collection, Iterator
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.file_list import CompactedFile
from schemas.instance import INSTANCE_SCHEMA
from schemas.reasons import Outcome
from screening.errors import ResultsError
from screening.results.layout import ResultsLayout
from screening.results.parts import COLUMNS, committed_parts, damage_of, read_columns, read_part
from screening.results.snapshot import Snapshot, compacted_files, not_of, take
from screening.storage import exists, filesystem_of

PARTS_IN_TURN = 64  # that are held at once
RESTORE = "put it back from a copy; without one, take it out of _files.json, and the next `screening run` scores its objects again"


def read_all(snapshot: Snapshot, columns: list[str]) -> pa.Table:
    """Return some columns of every row. Raises ResultsError for a file that is missing, damaged or a copy."""
    return pa.concat_tables([_schema_of(columns).empty_table(), *read_in_turn(snapshot, columns)])


def read_in_turn(snapshot: Snapshot, columns: list[str]) -> Iterator[pa.Table]:
    """Yield some columns of every row, file after file or some parts at a time. Raises ResultsError as `read_all` does."""
    for start in range(0, len(snapshot.parts), PARTS_IN_TURN):
        yield read_columns(list(snapshot.parts[start : start + PARTS_IN_TURN]), columns)
    for url in snapshot.compacted:
        yield read_file(snapshot, url, columns)


def read_file(snapshot: Snapshot, url: str, columns: list[str]) -> pa.Table:
    """Return some columns of the rows that one file of a snapshot answers with. Raises ResultsError as `read_all` does."""
    if url not in snapshot.compacted:
        return read_columns([url], columns)
    return read_compacted(url, snapshot.compacted[url], columns, not_of(snapshot.replaced()))


def read_compacted(url: str, file: CompactedFile, columns: list[str], where: pc.Expression | None = None) -> pa.Table:
    """Return some columns of the rows of a compacted file that meet a condition. Raises ResultsError where it is missing or damaged."""
    schema = _schema_of(columns)
    fs, path = filesystem_of(url)
    with damage_of(url, RESTORE):
        check_compacted(url, file, open_compacted(url).metadata)
        table = pq.read_table(path, filesystem=fs, columns=columns, filters=where, partitioning=None, page_checksum_verification=True)
    return table.cast(schema)


def open_compacted(url: str) -> pq.ParquetFile:
    """Return a compacted file, opened. Raises ResultsError where it is missing or damaged."""
    fs, path = filesystem_of(url)
    try:
        with damage_of(url, RESTORE):
            return pq.ParquetFile(fs.open(path, "rb"), page_checksum_verification=True)
    except FileNotFoundError as error:
        raise _missing(url) from error


def _missing(url: str) -> ResultsError:
    return ResultsError(f"{url}: missing, though the list of files names it; {RESTORE}")


def footer_of(url: str, path: str) -> pq.FileMetaData:
    """Return the footer of a compacted file, of which a local copy lies at `path`. Raises ResultsError where it is missing or damaged."""
    try:
        with damage_of(url, RESTORE):
            return pq.read_metadata(path)
    except FileNotFoundError as error:
        raise _missing(url) from error


def check_all_rows(url: str, file: CompactedFile) -> None:
    """Raise ResultsError unless a compacted file can be read to its last page and has the rows that the list of files says."""
    opened, rows = open_compacted(url), 0
    with damage_of(url, RESTORE):
        for group in range(opened.num_row_groups):
            rows += opened.read_row_group(group).num_rows
    if rows != file.rows:
        raise ResultsError(f"{url}: it has {rows} rows, and the list of files says {file.rows}; {RESTORE}")


def check_compacted(url: str, file: CompactedFile, footer: pq.FileMetaData) -> str:
    """Return the bundle_digest of a compacted file. Raises ResultsError unless it has the columns and rows that it should."""
    if [(field.name, field.type) for field in footer.schema.to_arrow_schema()] != COLUMNS or footer.num_rows != file.rows:
        raise ResultsError(f"{url}: not the {file.rows} instance rows that the list of files names; {RESTORE}")
    place = INSTANCE_SCHEMA.get_field_index("bundle_digest")
    ends = [footer.row_group(group).column(place).statistics for group in range(footer.num_row_groups)]
    digests = {end for one in ends if one for end in (one.min, one.max)}
    if len(digests) != 1:
        raise ResultsError(f"{url}: its rows are not those of one bundle; {RESTORE}")
    return digests.pop()


def committed_shards(layout: ResultsLayout, bundle_digest: str, screen_date: date) -> set[str]:
    """Return the shard_id of every shard of a bundle and night that is committed, also of those that were compacted since."""
    rows = _compacted_rows(layout, bundle_digest, ["shard_id"], screen_date)
    return committed_parts(layout, bundle_digest, screen_date).keys() | set(pc.unique(rows["shard_id"]).to_pylist())


def read_shards(layout: ResultsLayout, bundle_digest: str, screen_date: date, shard_ids: Collection[str], columns: list[str]) -> pa.Table:
    """Return some columns of the rows of some shards of a night. Raises ResultsError where a shard is nowhere, or a file is damaged."""
    parts = committed_parts(layout, bundle_digest, screen_date)
    elsewhere = [shard_id for shard_id in shard_ids if shard_id not in parts]
    tables = [read_columns([parts[shard_id] for shard_id in shard_ids if shard_id in parts], columns)]
    if elsewhere:
        rows = _compacted_rows(layout, bundle_digest, [*columns, "shard_id"], screen_date, elsewhere)
        for shard_id in set(elsewhere) - set(pc.unique(rows["shard_id"]).to_pylist()):
            raise ResultsError(f"{layout.part(bundle_digest, screen_date, shard_id)} is missing; run the same command again to resume")
        tables.append(rows.select(columns))
    return pa.concat_tables(tables)


def rows_of_shard(layout: ResultsLayout, bundle_digest: str, screen_date: date, shard_id: str, part_url: str) -> pa.Table | None:
    """Return the committed rows of a shard (INSTANCE_SCHEMA) from its part, or else from a compacted file; None where it has none."""
    if exists(part_url):
        return read_part(part_url)
    rows = _compacted_rows(layout, bundle_digest, INSTANCE_SCHEMA.names, screen_date, [shard_id])
    return rows if rows.num_rows else None


def rows_to_redrive(layout: ResultsLayout, bundle_digest: str, reasons: set[str] | None = None) -> dict[str, pa.Table]:
    """Return part URL → its rows that are to be scored again (INSTANCE_SCHEMA): those with one of `reasons`, or else all failed ones.

    The URL of a shard that was compacted is the one where its part will lie.
    """
    wanted = pc.field("outcome") == Outcome.FAILED.value if reasons is None else pc.field("reason").isin(sorted(reasons))
    snapshot = take(layout, bundle_digest)
    chosen: dict[str, pa.Table] = {}
    for url in snapshot.parts:
        if (again := read_part(url).filter(wanted)).num_rows:
            chosen[url] = again
    counts = not_of(snapshot.replaced())
    for url, file in snapshot.compacted.items():
        rows = read_compacted(url, file, INSTANCE_SCHEMA.names, wanted if counts is None else wanted & counts)
        chosen |= {layout.part(bundle_digest, night, shard_id): again for (night, shard_id), again in _by_shard(rows)}
    return chosen


def _by_shard(rows: pa.Table) -> Iterator[tuple[tuple[date, str], pa.Table]]:
    for shard in rows.group_by(["screen_date", "shard_id"]).aggregate([]).to_pylist():
        own = (pc.field("screen_date") == shard["screen_date"]) & (pc.field("shard_id") == shard["shard_id"])
        yield (shard["screen_date"], shard["shard_id"]), rows.filter(own)


def _compacted_rows(
    layout: ResultsLayout, bundle_digest: str, columns: list[str], night: date, shard_ids: Collection[str] | None = None
) -> pa.Table:
    """Return some columns of a night's rows in compacted files, of some shards where given."""
    where = pc.field("screen_date") == night
    if shard_ids is not None:
        where &= pc.field("shard_id").isin(list(shard_ids))
    files = compacted_files(layout.instances(bundle_digest)).items()
    empty = _schema_of(columns).empty_table()
    return pa.concat_tables([empty, *(read_compacted(url, file, columns, where) for url, file in files if night in file.nights)])


def _schema_of(columns: list[str]) -> pa.Schema:
    return pa.schema([INSTANCE_SCHEMA.field(name) for name in columns], INSTANCE_SCHEMA.metadata)

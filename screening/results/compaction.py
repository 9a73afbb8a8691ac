"""Compaction: the rows of many small parts in a few large files, so that a year opens in seconds.

Parts are merged each night with those compacted files that hold no more than what is merged already, so the files grow as the digits of
a binary counter do (the logarithmic method of Bentley and Saxe 1980): a row is written again some log2(nights) times, and their number
stays as small. A file that has reached the wanted size is left alone until a redrive has answered one of its shards anew.

The order of the steps makes each of them a safe place to die: the new file, then the list that names it, then the removal of what it
replaces. `screening.results.snapshot` says how readers see that.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.file_list import CompactedFile, FileList
from schemas.instance import INSTANCE_SCHEMA
from screening.errors import ResultsError
from screening.results.check import unplanned
from screening.results.layout import FILE_LIST, ResultsLayout, is_compacted
from screening.results.parts import PARTS_AT_ONCE, read_part
from screening.results.rows import check_all_rows, open_compacted, read_compacted
from screening.results.snapshot import Snapshot, not_of, shard_of, take_folder
from screening.storage import list_files, list_folders, list_sizes, put_atomic, remove_files

TARGET_BYTES = 256 * 2**20
GROUP_ROWS = 122_880  # of a row group: what DuckDB reads at a time

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Compacted:
    """What was done for one bundle: `merged` files became `made` ones; `left` files hold all rows of the bundle now."""

    bundle: str  # first digits of its digest
    merged: int
    made: int
    left: int
    rows: int  # of the new files
    bytes: int  # of the new files


def compact(layout: ResultsLayout, *, target_bytes: int = TARGET_BYTES, check_lock: Callable[[], None] = lambda: None) -> list[Compacted]:
    """Compact the results of every bundle and return what was done; nothing where there is nothing to merge.

    The caller holds the lock of the results. `check_lock` raises where it was lost, and is asked before anything that readers see changes.
    Raises ResultsError for a file that is missing, damaged or a copy: nothing was changed then.
    """
    done = []
    for folder in list_folders(layout.all_instances):
        snapshot = take_folder(folder)
        _remove_leftovers(folder, snapshot, check_lock)
        merged = _chosen(snapshot, _own_parts(layout, snapshot), list_sizes(folder, ".parquet"), target_bytes)
        made = _merge(folder, snapshot, merged, target_bytes, check_lock) if merged else {}
        left = len(snapshot.urls) - len(merged) + len(made)
        rows, size = sum(file.rows for file in made.values()), sum(file.bytes for file in made.values())
        done.append(Compacted(folder.rpartition("bundle=")[2], len(merged), len(made), left, rows, size))
        log.info("compaction of bundle %s: %d files became %d, %d rows", done[-1].bundle, len(merged), len(made), rows)
    return done


def merge_redriven(layout: ResultsLayout, *, check_lock: Callable[[], None] = lambda: None) -> None:
    """Compact the results where a redrive has answered shards of compacted files anew, so that tools which read the folder as it is see
    each row once, too. Raises ResultsError as `compact` does.
    """
    if any(_answered_anew(take_folder(folder)) for folder in list_folders(layout.all_instances)):
        compact(layout, check_lock=check_lock)


def _own_parts(layout: ResultsLayout, snapshot: Snapshot) -> list[str]:
    """Return the parts that a run has planned, in the order of their nights. Raises ResultsError where two answer for one shard.

    A part of another results folder stays a part, so that whoever opens the results goes on comparing its objects with all others.
    """
    places = {part: place for part in snapshot.parts if (place := shard_of(part))}
    twins = sorted(place for place, count in Counter(places.values()).items() if count > 1)
    for place in twins[:1]:
        first, second = sorted(part for part in places if places[part] == place)
        raise ResultsError(f"{first} and {second}: the same shard in two folders of its night; move one of them away")
    foreign = unplanned(layout, {shard_id for _, shard_id in places.values()})
    return sorted((part for part, (_, shard_id) in places.items() if shard_id not in foreign), key=lambda part: places[part])


def _chosen(snapshot: Snapshot, parts: list[str], sizes: Mapping[str, int], target_bytes: int) -> list[str]:
    """Return the files to merge, oldest night first; none where that would make one file of one."""
    answered_anew = _answered_anew(snapshot)
    chosen = set(answered_anew)
    total = sum(sizes.get(part, 0) for part in parts) + sum(snapshot.compacted[url].bytes for url in answered_anew)
    newest_first = sorted(snapshot.compacted.items(), key=lambda item: (item[1].nights[-1], item[1].bytes), reverse=True)
    for url, file in newest_first:
        if url in chosen or file.bytes >= target_bytes:
            continue
        if file.bytes > total:
            break
        chosen.add(url)
        total += file.bytes
    merged = [url for url in snapshot.compacted if url in chosen] + parts
    return merged if len(merged) > 1 else []


def _answered_anew(snapshot: Snapshot) -> list[str]:
    """Return the compacted files of which a part answers a shard."""
    replaced = set(snapshot.replaced())
    nights = {night for night, _ in replaced}
    found = []
    for url, file in snapshot.compacted.items():
        if nights & set(file.nights):
            where = pc.field("screen_date").isin(sorted(nights))
            shards = read_compacted(url, file, ["screen_date", "shard_id"], where).group_by(["screen_date", "shard_id"]).aggregate([])
            if replaced & {(shard["screen_date"], shard["shard_id"]) for shard in shards.to_pylist()}:
                found.append(url)
    return found


def _merge(
    folder: str, snapshot: Snapshot, merged: list[str], target_bytes: int, check_lock: Callable[[], None]
) -> dict[str, CompactedFile]:
    """Write the rows of some files into new ones, name these in the list, and remove the others."""
    if not snapshot.compacted:
        check_lock()
        _write_list(folder, {})  # a compacted file without a list would be a file that nobody knows how to read
    made = {f"{folder}/{file.name}": file for file in _write(folder, _rows_of(snapshot, merged), target_bytes)}
    for url, file in made.items():
        check_all_rows(url, file)  # as the store gives it back, before what it replaces is removed
    check_lock()
    kept = {url: file for url, file in snapshot.compacted.items() if url not in merged}
    _write_list(folder, kept | made)
    remove_files(url for url in merged if url not in made)
    return made


def _rows_of(snapshot: Snapshot, merged: list[str]) -> Iterator[pa.Table]:
    """Yield the rows of some files, less those in compacted ones that a part answers."""
    counts = not_of(snapshot.replaced())
    for url in merged:
        if url in snapshot.compacted:
            file = open_compacted(url)
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group).cast(INSTANCE_SCHEMA)
                yield rows if counts is None else rows.filter(counts)
    parts = [url for url in merged if url not in snapshot.compacted]
    with ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="parts") as pool:
        for start in range(0, len(parts), PARTS_AT_ONCE):
            yield from pool.map(read_part, parts[start : start + PARTS_AT_ONCE])


def _write(folder: str, tables: Iterator[pa.Table], target_bytes: int) -> Iterator[CompactedFile]:
    """Yield the files that were written, each closed as soon as it has the wanted size."""
    writer: _Writer | None = None
    for rows in _grouped(tables):
        writer = writer or _Writer()
        writer.add(rows)
        if writer.bytes >= target_bytes:
            yield writer.put(folder)
            writer = None
    if writer:
        yield writer.put(folder)


def _grouped(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Yield the rows of many small tables in tables of GROUP_ROWS rows; the last one may have fewer."""
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        while count + table.num_rows >= GROUP_ROWS:
            taken = GROUP_ROWS - count
            yield pa.concat_tables([*waiting, table.slice(0, taken)])
            table, waiting, count = table.slice(taken), [], 0
        if table.num_rows:
            waiting.append(table)
            count += table.num_rows
    if waiting:
        yield pa.concat_tables(waiting)


class _Writer:
    """One new file, in memory until it is put."""

    def __init__(self) -> None:
        self._buffer = pa.BufferOutputStream()
        self._parquet = pq.ParquetWriter(self._buffer, INSTANCE_SCHEMA, compression="zstd", write_page_checksum=True)
        self._rows, self._nights = 0, set[date]()

    @property
    def bytes(self) -> int:
        """What was written so far."""
        return self._buffer.tell()

    def add(self, rows: pa.Table) -> None:
        """Write one row group."""
        self._parquet.write_table(rows, row_group_size=GROUP_ROWS)
        self._rows += rows.num_rows
        self._nights |= set(pc.unique(rows["screen_date"]).to_pylist())

    def put(self, folder: str) -> CompactedFile:
        """Put the file under a name that its content decides, and return what the list says of it."""
        self._parquet.close()
        data, nights = self._buffer.getvalue().to_pybytes(), tuple(sorted(self._nights))
        name = f"night={nights[0].isoformat()}_{nights[-1].isoformat()}/rows-{hashlib.sha256(data).hexdigest()[:16]}.parquet"
        put_atomic(f"{folder}/{name}", data)
        return CompactedFile(name=name, rows=self._rows, bytes=len(data), nights=nights)


def _write_list(folder: str, files: Mapping[str, CompactedFile]) -> None:
    listed = FileList(files=tuple(file for _, file in sorted(files.items())))
    put_atomic(f"{folder}/{FILE_LIST}", listed.model_dump_json(indent=2).encode())


def _remove_leftovers(folder: str, snapshot: Snapshot, check_lock: Callable[[], None]) -> None:
    """Remove the compacted files of a compaction that died, which the list does not name."""
    left = [url for url in list_files(folder, ".parquet") if is_compacted(url) and url not in snapshot.compacted]
    if left:
        check_lock()
        remove_files(left)

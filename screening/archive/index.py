"""The archive: every object under a URL as a row of the index, and the bytes of any row.

Listed is every regular file or object under the URL, hidden ones too, except names that begin with `.tmp-` (half-written files of this
software), empty S3 keys that end in `/` (folders), and sockets, pipes and devices. A local folder that cannot be listed, and a link that
leads nowhere, is one row. A zip or tar file gives one row per member instead of its own. One that is damaged gives the members that can
be found and itself, and one without members gives itself, so that nothing is lost: the reader says what is wrong with it.
Of a PACS every instance is one row, see `pacs`.

A local archive is the same archive by whichever link it is named: links on the way to it are resolved, see `listing.root_of`.
An object's URL opens in fsspec as it is, with two exceptions: a name with `::` in it, which fsspec cannot express (see `escape`), and a
compressed tar file with a short suffix, because fsspec knows `.tar.gz`, `.tar.bz2` and `.tar.xz`, but not `.tgz`, `.tbz2` and `.txz`.
"""

import hashlib
import logging
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from schemas.index import INDEX_SCHEMA
from screening import storage
from screening.archive import inventory, listing
from screening.archive.containers import kind_of, list_members
from screening.archive.members import Member
from screening.archive.source import IndexedObject, ListedObject
from screening.archive.urls import escape
from screening.errors import ArchiveError, ImageRefused, UsageError

BATCH_ROWS = 8192
CONTAINERS_AT_ONCE = 8  # that are opened; what is known of one is held until its rows are next

log = logging.getLogger(__name__)

_Members = tuple[list[Member], ImageRefused | None]
_STORE_ERRORS = (OSError, BotoCoreError, ClientError)


def scan(archive_url: str, *, limit: int | None = None, inventory_url: str | None = None) -> Iterator[pa.Table]:
    """Yield the index of an archive in batches of INDEX_SCHEMA, always in the same order, at most `limit` rows in all.

    The archive is a folder under any fsspec URL, or one file. With `inventory_url` an S3 Inventory is read in the place of a listing, see
    `inventory.objects`. Raises ArchiveError when the archive cannot be listed or holds nothing.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"a limit of {limit} rows: give 1 or more")
    limited = islice(rows(archive_url, inventory_url), limit)
    while batch := list(islice(limited, BATCH_ROWS)):
        yield pa.Table.from_pylist(batch, INDEX_SCHEMA)


def write_index(
    archive_url: str, output_url: str, *, hide: Callable[[pa.Table], pa.Table] | None = None, inventory_url: str | None = None
) -> int:
    """Write the index of an archive as one Parquet file of INDEX_SCHEMA and return its rows.

    `hide` gives the table to write for each batch of rows, where their names must not be written. `inventory_url` is as for `scan`.
    """
    tables = scan(archive_url, inventory_url=inventory_url)
    return sum(table.num_rows for table in written(map(hide, tables) if hide else tables, output_url))


def written(tables: Iterable[pa.Table], output_url: str) -> Iterator[pa.Table]:
    """Yield the batches of an index while they are written into one Parquet file, which lies under `output_url` after the last one."""
    with storage.writing(output_url) as file, pq.ParquetWriter(file, INDEX_SCHEMA, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)
            yield table


def object_id_of(object_url: str, object_bytes: int, object_etag: str) -> str:
    """Return the key of an object, 32 hex digits: another one as soon as the object has moved or changed."""
    return hashlib.sha256(f"{object_url}\0{object_bytes}\0{object_etag}".encode()).hexdigest()[:32]


def check_apart(archive_url: str, results_url: str) -> None:
    """Raise UsageError when results would be written into the archive, where the next run would find and index them."""
    if storage.split_url(results_url)[0] in storage.PACS_PROTOCOLS:
        raise UsageError(f"a PACS holds no results: give a folder or a bucket in place of {results_url}")
    (archive_fs, archive), (results_fs, results) = storage.filesystem_of(archive_url), storage.filesystem_of(results_url)
    if storage.is_local(archive_fs) and storage.is_local(results_fs):
        archive, results = os.path.realpath(archive), os.path.realpath(results)
    if type(archive_fs) is type(results_fs) and f"{results}/".startswith(f"{archive.rstrip('/')}/"):
        raise UsageError(f"the results {results_url} lie inside the archive {archive_url}: give a folder outside it")


def check_uids_hidden(archive_url: str, *, pseudonymize_uids: bool, encrypt_urls: bool) -> None:
    """Raise UsageError where rows would hold pseudonyms in the place of UIDs, and beside them URLs that show the UIDs."""
    if pseudonymize_uids and not encrypt_urls and storage.split_url(archive_url)[0] in storage.PACS_PROTOCOLS:
        raise UsageError("--pseudonymize-uids with a PACS needs --encrypt-urls too, because the URL of an instance is made of its UIDs")


def inventory_manifest(archive_url: str, inventory_url: str) -> str:
    """Return the URL of the `manifest.json` to read: of a folder of inventories the newest one. Raises as `inventory.check`."""
    return inventory.check(inventory_url, *listing.root_of(archive_url))[0]


def check_listable(archive_url: str, inventory_url: str | None = None) -> None:
    """Raise ArchiveError unless the archive can be listed and holds something. Lists its first object alone, and opens nothing.

    Of an inventory the manifest is read: raises what `inventory.check` raises.
    """
    next(_listed(archive_url, None))
    if inventory_url:
        inventory_manifest(archive_url, inventory_url)


def rows(archive_url: str, inventory_url: str | None = None) -> Iterator[dict[str, object]]:
    """Yield what `scan` does, row by row.

    Some containers are opened ahead, at once: each waits for its store.
    """
    waiting: deque[tuple[ListedObject, Future[_Members] | None]] = deque()
    containers = 0
    pool = ThreadPoolExecutor(CONTAINERS_AT_ONCE, thread_name_prefix="containers")
    try:
        for fs, listed in _listed(archive_url, inventory_url):
            kind = kind_of(listed.path)
            waiting.append((listed, pool.submit(_members, fs, listed) if kind else None))
            containers += kind is not None
            while waiting and (waiting[0][1] is None or containers > CONTAINERS_AT_ONCE or len(waiting) > BATCH_ROWS):
                containers -= waiting[0][1] is not None
                yield from _rows_of(*waiting.popleft())
        while waiting:
            yield from _rows_of(*waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _listed(archive_url: str, inventory_url: str | None) -> Iterator[tuple[fsspec.AbstractFileSystem, ListedObject]]:
    """Yield every object of an archive, containers unopened. Raises ArchiveError where it cannot be listed or there is none."""
    if "::" in archive_url and storage.split_url(archive_url)[0] not in ("file", "s3", "memory", *storage.PACS_PROTOCOLS):
        raise UsageError(f"{archive_url} is a chained URL: name the folder or the container itself")
    empty = True
    try:
        fs, path = listing.root_of(archive_url)
        for listed in inventory.objects(inventory_url, fs, path) if inventory_url else listing.objects(fs, path, archive_url):
            empty = False
            yield fs, listed
    except (*_STORE_ERRORS, ValueError, ImportError) as error:
        raise ArchiveError(_explain(archive_url, error)) from error
    if empty:
        raise ArchiveError(f"the archive {archive_url} is empty: check the path, and that the images have been copied")


def _rows_of(listed: ListedObject, opened: Future[_Members] | None) -> Iterator[dict[str, object]]:
    """Yield the row of an object, or the rows of a container's members."""
    if opened is None:
        yield _row(escape(listed.url), listed.identity, listed)
        return
    members, damage = opened.result()
    for member in members:
        url = f"{kind_of(listed.path)}://{escape(member.name)}::{escape(listed.url)}"
        yield _row(url, IndexedObject(member.bytes, f"{listed.identity.object_etag}-{member.etag}"), listed)
    if damage is not None or not members:
        yield _row(escape(listed.url), listed.identity, listed)


def _members(fs: fsspec.AbstractFileSystem, listed: ListedObject) -> _Members:
    """Return the members of a container, and what is wrong with it."""
    try:
        return list_members(fs, listed.path, listed.identity)
    except Exception as error:  # of the store, or a fault of ours: it must not end the listing, and the reader meets it again
        log.warning("a container could not be listed and is one row: %s", type(error).__name__)
        return [], None


def _row(url: str, identity: IndexedObject, listed: ListedObject) -> dict[str, object]:
    size, etag = identity.object_bytes, identity.object_etag
    object_id = object_id_of(url, size, etag)
    return {"object_id": object_id, "object_url": url, "object_bytes": size, "object_etag": etag, "object_modified": listed.modified}


def _explain(archive_url: str, error: Exception) -> str:
    """Return what a clerk can do about an archive that cannot be listed."""
    if isinstance(error, FileNotFoundError):
        return f"no such folder, file or bucket: {archive_url}. Check the spelling; relative paths start at {os.getcwd()}"
    if isinstance(error, PermissionError):
        return f"no permission to list {archive_url}. On S3 the key needs s3:ListBucket and s3:GetObject"
    if isinstance(error, NoCredentialsError):
        return f"no credentials for {archive_url}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    return f"the archive {archive_url} cannot be listed: {_without_names(error)}"


def _without_names(error: Exception) -> str:
    """Return an error without the file that it names, and without the query of a URL, where the last key of a page may stand."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return re.sub(r"\?[^\s\"']*", "", str(error))

"""The archive: every object under a URL as a row of the index, and the bytes of any row.

Listed is every regular file or object under the URL, hidden ones too, except names that begin with `.tmp-` (half-written files of this
software), empty S3 keys that end in `/` (folders), and sockets, pipes and devices. A zip or tar file gives one row per member instead of
its own; a damaged one gives the members that can be found and itself, so that nothing is lost.

An object's URL opens in fsspec as it is, unless its name holds `::`, which fsspec cannot express: see `escape`.
"""

import hashlib
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from schemas.index import INDEX_SCHEMA
from schemas.reasons import Reason
from screening import listing, storage
from screening.containers import Container, ContainerError, MemberTooLarge, kind_of, list_members
from screening.errors import ArchiveError, ImageRefused, UsageError
from screening.listing import Found

BATCH_ROWS = 8192
READ_ATTEMPTS = 3
RETRY_SECONDS = 30  # no new attempt after that
OPEN_MEMBERS = 200_000  # members of containers that a reader remembers, about 60 MB

_STORE_ERRORS = (OSError, BotoCoreError, ClientError)


def scan(archive_url: str, *, limit: int | None = None) -> Iterator[pa.Table]:
    """Yield the index of an archive in batches of INDEX_SCHEMA, always in the same order, at most `limit` rows in all.

    The archive is a folder under any fsspec URL, or one file. Raises ArchiveError when it cannot be listed or holds nothing.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"a limit of {limit} rows: give 1 or more")
    rows = islice(_rows(archive_url), limit)
    while batch := list(islice(rows, BATCH_ROWS)):
        yield pa.Table.from_pylist(batch, INDEX_SCHEMA)


def write_index(archive_url: str, output_url: str, *, limit: int | None = None) -> int:
    """Write the index of an archive as one Parquet file of INDEX_SCHEMA and return its rows."""
    buffer = pa.BufferOutputStream()
    rows = 0
    with pq.ParquetWriter(buffer, INDEX_SCHEMA, compression="zstd") as writer:
        for table in scan(archive_url, limit=limit):
            writer.write_table(table)
            rows += table.num_rows
    storage.put_atomic(output_url, buffer.getvalue().to_pybytes())
    return rows


def object_id_of(object_url: str, object_bytes: int, object_etag: str) -> str:
    """Return the key of an object, 32 hex digits: another one as soon as the object has moved or changed."""
    return hashlib.sha256(f"{object_url}\0{object_bytes}\0{object_etag}".encode()).hexdigest()[:32]


def check_apart(archive_url: str, results_url: str) -> None:
    """Raise UsageError when results would be written into the archive, where the next run would find and index them."""
    (archive_fs, archive), (results_fs, results) = storage.filesystem_of(archive_url), storage.filesystem_of(results_url)
    if storage.is_local(archive_fs) and storage.is_local(results_fs):
        archive, results = os.path.realpath(archive), os.path.realpath(results)
    if type(archive_fs) is type(results_fs) and f"{results}/".startswith(f"{archive.rstrip('/')}/"):
        raise UsageError(f"the results {results_url} lie inside the archive {archive_url}: give a folder outside it")


def escape(name: str) -> str:
    """Return a name as it stands in an object's URL.

    `::` chains URLs in fsspec and has no escape there; bytes that are no UTF-8 have no place in a Parquet string. Both, and only
    what would be mistaken for them, are percent-encoded: other names, with spaces, `#`, `?`, `%20` or accents, stay as they are.
    """
    name = re.sub(r"%(?=25|3A|[89A-F][0-9A-F])", "%25", name)
    name = re.sub(r":(?=:|$)", "%3A", name)
    return re.sub("[\udc80-\udcff]", lambda match: f"%{ord(match[0]) - 0xDC00:02X}", name)


def unescape(name: str) -> str:
    """Return the name that `escape` was given."""

    def character(match: re.Match[str]) -> str:
        code = int(match[1], 16)
        return chr(code if code < 0x80 else 0xDC00 + code)

    return re.sub(r"%(25|3A|[89A-F][0-9A-F])", character, name)


def split_member(object_url: str) -> tuple[str | None, str]:
    """Return a member's name and its container's URL, or None and the URL of a plain object; both unescaped."""
    match = re.match(r"(?:zip|tar)://(.*?)::(.*)", object_url, re.DOTALL)
    return (unescape(match[1]), unescape(match[2])) if match else (None, unescape(object_url))


def _rows(archive_url: str) -> Iterator[dict[str, object]]:
    if "::" in archive_url and storage.split_url(archive_url)[0] not in ("file", "s3", "memory"):
        raise UsageError(f"{archive_url} is a chained URL: name the folder or the container itself")
    empty = True
    try:
        fs, path = storage.filesystem_of(archive_url)
        for found in listing.objects(fs, path, archive_url):
            empty = False
            yield from _rows_of(fs, found)
    except (*_STORE_ERRORS, ValueError, ImportError) as error:
        raise ArchiveError(_explain(archive_url, error)) from error
    if empty:
        raise ArchiveError(f"the archive {archive_url} is empty: check the path, and that the images have been copied")


def _rows_of(fs: fsspec.AbstractFileSystem, found: Found) -> Iterator[dict[str, object]]:
    """Yield the row of an object, or the rows of a container's members."""
    kind = kind_of(found.path)
    if kind is None:
        yield _row(escape(found.url), found.bytes, found.etag, found)
        return
    try:
        members, damage = list_members(fs, found.path)
    except _STORE_ERRORS as error:
        members, damage = [], error
    for member in members:
        yield _row(f"{kind}://{escape(member.name)}::{escape(found.url)}", member.bytes, f"{found.etag}-{member.etag}", found)
    if damage is not None:
        yield _row(escape(found.url), found.bytes, found.etag, found)


def _row(url: str, size: int, etag: str, found: Found) -> dict[str, object]:
    object_id = object_id_of(url, size, etag)
    return {"object_id": object_id, "object_url": url, "object_bytes": size, "object_etag": etag, "object_modified": found.modified}


def _explain(archive_url: str, error: Exception) -> str:
    """Return what a clerk can do about an archive that cannot be listed."""
    if isinstance(error, FileNotFoundError):
        return f"no such folder, file or bucket: {archive_url}. Check the spelling; relative paths start at {os.getcwd()}"
    if isinstance(error, PermissionError):
        return f"no permission to list {archive_url} ({error}). On S3 the key needs s3:ListBucket and s3:GetObject"
    if isinstance(error, NoCredentialsError):
        return f"no credentials for {archive_url}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    return f"the archive {archive_url} cannot be listed: {error}"


class ObjectReader:
    """Reads any object of an index. Thread-safe; remembers the directories of containers, so that their members are found at once.

    `max_bytes` bounds what one object may hold in memory. Used as a context manager it forgets its containers at the end.
    """

    def __init__(self, max_bytes: int):
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._containers: OrderedDict[str, _Slot] = OrderedDict()

    def __enter__(self) -> "ObjectReader":
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._containers.clear()

    def read(self, object_url: str) -> bytes:
        """Return an object's bytes.

        Raises ImageRefused: OBJECT_MISSING when it is not there (any more), TOO_LARGE above `max_bytes`, CORRUPT for a member whose
        container is damaged or encrypted, READ_FAILED when the store did not give it in several attempts.
        """
        start = time.monotonic()
        for attempt in range(1, READ_ATTEMPTS + 1):
            try:
                return self._read(object_url)
            except (FileNotFoundError, NotADirectoryError, KeyError) as error:
                raise ImageRefused(Reason.OBJECT_MISSING, "the store has no such object: index the archive again") from error
            except MemberTooLarge as error:
                raise ImageRefused(Reason.TOO_LARGE, f"{error}; the limit is {self.max_bytes} bytes") from error
            except ContainerError as error:
                raise ImageRefused(Reason.CORRUPT, str(error)) from error
            except Exception as error:
                final = isinstance(error, PermissionError | NoCredentialsError | IsADirectoryError)
                if final or attempt == READ_ATTEMPTS or time.monotonic() - start > RETRY_SECONDS:
                    detail = f"{_name_of(error)} after {attempt} attempts: check the store and the permissions, then redrive"
                    raise ImageRefused(Reason.READ_FAILED, detail) from error
                time.sleep(0.2 * 4 ** (attempt - 1))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _read(self, object_url: str) -> bytes:
        member, url = split_member(object_url)
        fs, path = storage.filesystem_of(url)
        if member is not None:
            return self._container(fs, path, url).read(member, self.max_bytes)
        if storage.is_s3(fs):
            return fsspec.asyn.sync(fs.loop, _get_object, fs, path, self.max_bytes)
        with fs.open(path, "rb") as file:
            data = file.read(self.max_bytes + 1)
        if len(data) > self.max_bytes:
            raise MemberTooLarge(f"more than {self.max_bytes} bytes")
        return data

    def _container(self, fs: fsspec.AbstractFileSystem, path: str, url: str) -> Container:
        with self._lock:
            slot = self._containers.setdefault(url, _Slot())
            self._containers.move_to_end(url)
        with slot.lock:  # the first thread reads the directory, the others wait for it
            if slot.container is None:
                slot.container = Container(fs, path)
                self._forget_oldest()
            return slot.container

    def _forget_oldest(self) -> None:
        with self._lock:
            while len(self._containers) > 1 and sum(len(slot.container or ()) for slot in self._containers.values()) > OPEN_MEMBERS:
                self._containers.popitem(last=False)


class _Slot:
    """Where one container is, or will be when the thread that holds the lock has opened it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.container: Container | None = None


async def _get_object(fs: fsspec.AbstractFileSystem, path: str, max_bytes: int) -> bytes:
    """Return an S3 object with one request; s3fs itself would ask for the size first."""
    bucket, _, key = path.partition("/")
    answer = await fs._call_s3("get_object", Bucket=bucket, Key=key)
    async with answer["Body"] as body:
        if answer["ContentLength"] > max_bytes:
            raise MemberTooLarge(f"{answer['ContentLength']} bytes")
        return await body.read()


def _name_of(error: Exception) -> str:
    """Return an error without the path that it names, which may be a patient's name."""
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__

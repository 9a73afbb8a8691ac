"""The bytes of one object, whole or by ranges, for as long as it is the object that was listed.

An object may be replaced at any moment. What tells is its size and ETag, for a local file its size and time of modification. They are
taken from what gives the bytes, never from a second look at the name: from the opened file before and after it is read, from the answer
of S3 that carries the bytes. Other stores tell them only in a request of their own, which comes before the bytes.
"""

import contextlib
import datetime as dt
import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import fsspec

from schemas.reasons import Reason
from screening import storage
from screening.errors import ImageRefused

BLOCK_BYTES = 256 * 2**10  # read ahead of a header: little, for what lies between headers is skipped
LARGEST_BLOCK_BYTES = 8 * 2**20  # where one block follows the other, as in a long directory
BODY_BYTES = 2**20  # taken from an answer of S3 at a time

_ETAG_KEYS = ("ETag", "etag", "md5Hash", "checksum", "sha")
_MODIFIED_KEYS = ("LastModified", "last_modified", "mtime", "updated", "created")


class Changed(Exception):
    """The object is no longer the one that was listed."""


@dataclass(frozen=True, slots=True)
class IndexedObject:
    """What the index says of one object: its columns `object_bytes` and `object_etag`."""

    object_bytes: int
    object_etag: str


@dataclass(frozen=True, slots=True)
class ListedObject:
    """One object as the store lists it."""

    url: str
    path: str
    identity: IndexedObject
    modified: dt.datetime | None


class Source(Protocol):
    """An object that can be read by ranges."""

    identity: IndexedObject

    def read(self, start: int, size: int) -> bytes:
        """Return `size` bytes from `start`, fewer where the object ends. Raises Changed, or what the store raises."""


def open_source(fs: fsspec.AbstractFileSystem, path: str, listed: IndexedObject | None = None) -> Source:
    """Return the object at `path`: the one that was `listed`, or the one that is there now. Raises what the store raises."""
    if storage.is_local(fs):
        return _LocalSource(path, listed)
    return _S3Source(fs, path, listed) if storage.is_s3(fs) else _OtherSource(fs, path, listed)


def read_object(fs: fsspec.AbstractFileSystem, path: str, max_bytes: int, expected: IndexedObject | None) -> bytes:
    """Return all bytes of the object at `path`, which must be the `expected` one where that is given.

    Raises Changed, ImageRefused(TOO_LARGE) above `max_bytes`, or what the store raises.
    """
    if storage.is_local(fs):
        return _read_local(path, max_bytes, expected)
    if storage.is_s3(fs):
        return fsspec.asyn.sync(fs.loop, _get_object, fs, path, max_bytes, expected)
    if storage.is_pacs(fs):
        return fs.retrieve(path, max_bytes)  # which the UID identifies: what is indexed of it, no answer with its bytes repeats
    if expected is not None:
        _check(expected, identity_of(fs.info(path)))
    with fs.open(path, "rb") as file:
        data = file.read(max_bytes + 1)
    check_size(len(data), max_bytes)
    return data


def check_size(size: int, max_bytes: int) -> None:
    """Raise ImageRefused(TOO_LARGE) for more bytes than the reader may hold."""
    if size > max_bytes:
        raise ImageRefused(Reason.TOO_LARGE, f"{size} bytes; the limit is {max_bytes}")


def identity_of_status(status: os.stat_result) -> IndexedObject:
    """Return what tells a local file from what may stand in its place later."""
    return IndexedObject(status.st_size, f"{status.st_mtime_ns:x}-{status.st_size:x}")


def identity_of(info: dict[str, Any]) -> IndexedObject:
    """Return what a store other than S3 and the local disk tells of an object; the ETag is empty where it tells nothing."""
    modified = modified_of(info)
    etag = next((str(info[key]) for key in _ETAG_KEYS if info.get(key)), modified.isoformat() if modified else "")
    return IndexedObject(info["size"] or 0, etag)


def modified_of(info: dict[str, Any]) -> dt.datetime | None:
    """Return when such an object was last written, if the store says so."""
    times = (info.get(key) for key in _MODIFIED_KEYS)
    value = next((time for time in times if isinstance(time, dt.datetime | float | int)), None)
    return value if value is None or isinstance(value, dt.datetime) else time_of(value)


def time_of(seconds: float) -> dt.datetime | None:
    """Return a time given in seconds since 1970, None where the calendar has no such day: a file may claim any time."""
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _check(expected: IndexedObject, actual: IndexedObject) -> None:
    """Raise Changed unless an object is the expected one. A store that gives no ETag leaves nothing to compare."""
    if expected.object_etag and actual.object_etag and actual != expected:
        raise Changed


class Window:
    """A source through a block that is read ahead, so that not every small read is a request. For one thread."""

    def __init__(self, source: Source):
        self._source = source
        self._start, self._held = 0, b""
        self._block = BLOCK_BYTES

    def read(self, start: int, size: int) -> bytes:
        """Return `size` bytes from `start`, fewer where the object ends. `size` is what the caller can hold."""
        at = start - self._start
        if not 0 <= at <= at + size <= len(self._held):
            follows = self._held and at in range(len(self._held) + 1)
            self._block = min(2 * self._block, LARGEST_BLOCK_BYTES) if follows else BLOCK_BYTES
            self._start, self._held, at = start, self._source.read(start, max(size, self._block)), 0
        return self._held[at : at + size]


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    """Open a regular file for reading and give its descriptor. Raises Changed for a pipe or device, IsADirectoryError, OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would keep us waiting for its writer
    except PermissionError as error:
        if os.path.isdir(path):
            raise IsADirectoryError from error
        raise
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if not stat.S_ISREG(mode):
            raise Changed
        yield descriptor
    finally:
        os.close(descriptor)


def range_of(descriptor: int, start: int, size: int) -> bytes:
    """Return `size` bytes of an open file from `start`, fewer where it ends."""
    data = os.pread(descriptor, size, start)
    if len(data) == size:
        return data
    parts = io.BytesIO(data)  # the kernel gives 2 GiB at most, and some network filesystems give less
    parts.seek(0, os.SEEK_END)
    while data := os.pread(descriptor, size - parts.tell(), start + parts.tell()):
        parts.write(data)
    return parts.getvalue()


def _read_local(path: str, max_bytes: int, expected: IndexedObject | None) -> bytes:
    with _opened(path) as descriptor:
        before = identity_of_status(os.fstat(descriptor))
        _check(expected or before, before)
        check_size(before.object_bytes, max_bytes)
        data = range_of(descriptor, 0, before.object_bytes)
        _check(before, identity_of_status(os.fstat(descriptor)))
    return data


class _LocalSource:
    """A file of this machine. It is opened for each read, because a reader may know more containers than a process may have open."""

    def __init__(self, path: str, listed: IndexedObject | None):
        self._path = path
        if listed is None:
            with _opened(path) as descriptor:
                listed = identity_of_status(os.fstat(descriptor))
        self.identity = listed

    def read(self, start: int, size: int) -> bytes:
        size = max(0, min(size, self.identity.object_bytes - start))
        with _opened(self._path) as descriptor:
            _check(self.identity, identity_of_status(os.fstat(descriptor)))
            data = range_of(descriptor, start, size) if size else b""
            _check(self.identity, identity_of_status(os.fstat(descriptor)))
        return data


class _S3Source:
    """An object in S3: one request for its size and ETag, unless they are known, and one for each range."""

    def __init__(self, fs: fsspec.AbstractFileSystem, path: str, listed: IndexedObject | None):
        self._fs, self._path = fs, path
        if listed is None:
            bucket, _, key = path.partition("/")
            answer = fs.call_s3("head_object", Bucket=bucket, Key=key)
            listed = IndexedObject(answer["ContentLength"], etag_of_answer(answer))
        self.identity = listed

    def read(self, start: int, size: int) -> bytes:
        end = min(start + size, self.identity.object_bytes)
        if end <= start:
            return b""
        return fsspec.asyn.sync(self._fs.loop, _get_range, self._fs, self._path, start, end, self.identity)


class _OtherSource:
    """An object of any other store that fsspec knows."""

    def __init__(self, fs: fsspec.AbstractFileSystem, path: str, listed: IndexedObject | None):
        self._fs, self._path = fs, path
        self.identity = listed or identity_of(fs.info(path))

    def read(self, start: int, size: int) -> bytes:
        _check(self.identity, identity_of(self._fs.info(self._path)))
        end = min(start + size, self.identity.object_bytes)
        return self._fs.cat_file(self._path, start=start, end=end) if end > start else b""


def etag_of_answer(answer: dict[str, Any]) -> str:
    """Return the ETag of an object in an answer or a listing of S3, without its quotes."""
    return answer.get("ETag", "").strip('"')


async def _get_object(fs: fsspec.AbstractFileSystem, path: str, max_bytes: int, expected: IndexedObject | None) -> bytes:
    """Return an S3 object with one request; s3fs itself would ask for the size first."""
    bucket, _, key = path.partition("/")
    answer = await fs._call_s3("get_object", Bucket=bucket, Key=key)
    async with answer["Body"] as body:
        actual = IndexedObject(answer["ContentLength"], etag_of_answer(answer))
        _check(expected or actual, actual)
        check_size(actual.object_bytes, max_bytes)
        return await _body(body)


async def _get_range(fs: fsspec.AbstractFileSystem, path: str, start: int, end: int, listed: IndexedObject) -> bytes:
    bucket, _, key = path.partition("/")
    try:
        answer = await fs._call_s3("get_object", Bucket=bucket, Key=key, Range=f"bytes={start}-{end - 1}")
    except OSError as error:
        if _status_of(error) == 416:  # range not satisfiable (RFC 9110, 15.5.17): the object is shorter now
            raise Changed from error
        raise
    async with answer["Body"] as body:
        _check(listed, IndexedObject(listed.object_bytes, etag_of_answer(answer)))  # a range does not tell the whole size
        return await _body(body)


def _status_of(error: OSError) -> int | None:
    """Return the HTTP status behind an error of s3fs."""
    return getattr(error.__cause__, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode")


async def _body(body: Any) -> bytes:
    """Return the body of an answer. In parts, because reading it whole would hold it twice for a moment."""
    parts = io.BytesIO()
    while part := await body.read(BODY_BYTES):
        parts.write(part)
    return parts.getvalue()

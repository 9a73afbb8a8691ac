"""Every object below a path, with its size and what changes with its content, a page or a folder at a time."""

import contextlib
import datetime as dt
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

import fsspec

from screening import storage

_ETAG_KEYS = ("ETag", "etag", "md5Hash", "checksum", "sha")
_MODIFIED_KEYS = ("LastModified", "last_modified", "mtime", "updated", "created")


@dataclass(frozen=True, slots=True)
class Found:
    """One object as the store lists it."""

    url: str
    path: str
    bytes: int
    etag: str
    modified: dt.datetime | None


def objects(fs: fsspec.AbstractFileSystem, path: str, url: str) -> Iterator[Found]:
    """Yield the object at `path`, or all below it, in an order that does not change between calls.

    `url` is how the caller names `path`. Raises FileNotFoundError, PermissionError, or what else the store raises.
    """
    if storage.is_local(fs):
        return _local_objects(path, ())
    if storage.is_s3(fs):
        return _s3_objects(fs, path)
    return _other_objects(fs, fs.info(path), url.rstrip("/"), path)


def _local_objects(path: str, above: tuple[tuple[int, int], ...]) -> Iterator[Found]:
    """Walk a local folder. Links are followed, but never into a folder that the walk is in already."""
    status = _status(path)
    if status is None:
        if not above:
            raise FileNotFoundError(path)
        return  # deleted since its folder was listed
    folder_id = (status.st_dev, status.st_ino)
    if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
        modified = dt.datetime.fromtimestamp(status.st_mtime, dt.UTC)
        yield Found(f"file://{path}", path, status.st_size, f"{status.st_mtime_ns:x}-{status.st_size:x}", modified)
    elif stat.S_ISDIR(status.st_mode) and folder_id not in above:
        for name in sorted(os.listdir(path)):
            if not name.startswith(storage.TEMPORARY_PREFIX):
                yield from _local_objects(os.path.join(path, name), (*above, folder_id))


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        with contextlib.suppress(FileNotFoundError):
            return os.lstat(path)  # a link to nothing is an object that cannot be read, not no object
    return None


def _s3_objects(fs: fsspec.AbstractFileSystem, path: str) -> Iterator[Found]:
    """List an S3 folder page by page: `fs.find` would hold all of it in memory."""
    bucket, _, key = path.partition("/")
    nothing = True
    for entry in _s3_entries(fs, bucket, f"{key}/" if key else ""):
        nothing = False
        yield entry
    if nothing and key:
        yield from (entry for entry in _s3_entries(fs, bucket, key, pages=1) if entry.path == path)


def _s3_entries(fs: fsspec.AbstractFileSystem, bucket: str, prefix: str, pages: int | None = None) -> Iterator[Found]:
    arguments: dict[str, str] = {}
    while pages is None or pages > 0:
        page = fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, **arguments)
        for entry in page.get("Contents", []):
            name = entry["Key"].rsplit("/", 1)[-1]
            is_folder = not name and entry["Size"] == 0
            if not is_folder and not name.startswith(storage.TEMPORARY_PREFIX):
                path = f"{bucket}/{entry['Key']}"
                yield Found(f"s3://{path}", path, entry["Size"], entry.get("ETag", "").strip('"'), entry.get("LastModified"))
        if not page.get("IsTruncated"):
            return
        arguments["ContinuationToken"] = page["NextContinuationToken"]
        pages = pages and pages - 1


def _other_objects(fs: fsspec.AbstractFileSystem, info: dict, url: str, root: str) -> Iterator[Found]:
    path = info["name"]
    if info["type"] == "directory":
        for below in sorted(fs.ls(path, detail=True), key=lambda entry: entry["name"]):
            if not below["name"].rsplit("/", 1)[-1].startswith(storage.TEMPORARY_PREFIX):
                yield from _other_objects(fs, below, url, root)
        return
    modified = next((_time_of(info[key]) for key in _MODIFIED_KEYS if isinstance(info.get(key), dt.datetime | float | int)), None)
    etag = next((str(info[key]) for key in _ETAG_KEYS if info.get(key)), modified.isoformat() if modified else "")
    yield Found(url + path.removeprefix(root.rstrip("/")), path, info["size"] or 0, etag, modified)


def _time_of(value: dt.datetime | float) -> dt.datetime:
    return value if isinstance(value, dt.datetime) else dt.datetime.fromtimestamp(value, dt.UTC)

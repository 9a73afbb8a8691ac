"""Every object below a path, with its size and what changes with its content, a page or a folder at a time."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

import fsspec

from screening import storage
from screening.archive import s3_listing
from screening.archive.source import IndexedObject, ListedObject, identity_of, identity_of_status, modified_of, time_of

UNREADABLE = IndexedObject(0, "unreadable")  # stands for what cannot be known of a file or folder that gives no access


def root_of(archive_url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the filesystem and the path of an archive. Links on the way to a local one are resolved.

    So the URLs of its objects, and with them their ids, are the same by whichever name the archive is called. A link inside the
    archive keeps its own name.
    """
    fs, path = storage.filesystem_of(archive_url)
    return fs, os.path.realpath(path) if storage.is_local(fs) else path


def objects(fs: fsspec.AbstractFileSystem, path: str, url: str) -> Iterator[ListedObject]:
    """Yield the object at `path`, or all below it, in an order that does not change between calls.

    `url` is how the caller names `path`. A local file or folder that gives no access is one object. Raises FileNotFoundError,
    PermissionError, or what else the store raises, where `path` itself cannot be listed; ArchiveError for a PACS.
    """
    if storage.is_local(fs):
        return _local_objects(path)
    if storage.is_s3(fs):
        return _s3_objects(fs, path)
    if storage.is_pacs(fs):
        return (ListedObject(f"{fs.protocol}://{found.path}", found.path, found.identity, found.modified) for found in fs.instances(path))
    return _other_objects(fs, fs.info(path), url.rstrip("/"), path)


def _local_objects(root: str) -> Iterator[ListedObject]:
    """Walk a local folder. Links are followed, but never into a folder that the walk is in already."""
    os.stat(root)  # raises where the archive itself is missing or closed
    waiting: list[tuple[str, frozenset[tuple[int, int]]]] = [(root, frozenset())]  # a path, and the folders that it lies in
    while waiting:
        path, above = waiting.pop()
        try:
            status = _status(path)
            folder_id = (status.st_dev, status.st_ino)
            if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                yield ListedObject(f"file://{path}", path, identity_of_status(status), time_of(status.st_mtime))
            elif stat.S_ISDIR(status.st_mode) and folder_id not in above:
                names = [name for name in os.listdir(path) if not name.startswith(storage.TEMPORARY_PREFIX)]
                inside = above | {folder_id}
                waiting += [(os.path.join(path, name), inside) for name in sorted(names, reverse=True)]
        except FileNotFoundError:
            continue  # deleted since its folder was listed
        except OSError:
            if path == root:
                raise
            yield ListedObject(f"file://{path}", path, UNREADABLE, None)


def _status(path: str) -> os.stat_result:
    """Return what `os.stat` says, or of a link that leads nowhere what there is to say of the link: it is one object, too."""
    try:
        return os.stat(path)
    except OSError:
        with contextlib.suppress(OSError):
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                return status
        raise


def leads_nowhere(error: BaseException) -> bool:
    """Return whether an error says that there is no file at the end of a path: none at all, or a link in a circle or through a file."""
    if isinstance(error, FileNotFoundError | NotADirectoryError | KeyError):  # a member that a container has not; s3fs sets no errno
        return True
    return isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.ENAMETOOLONG)


def _s3_objects(fs: fsspec.AbstractFileSystem, path: str) -> Iterator[ListedObject]:
    """List an S3 folder page by page: `fs.find` would hold all of it in memory."""
    bucket, _, key = path.partition("/")
    nothing = True
    for listed in s3_listing.objects_below(fs, bucket, f"{key}/" if key else ""):
        nothing = False
        yield listed
    if nothing and key:
        yield from s3_listing.object_at(fs, bucket, key)


def _other_objects(fs: fsspec.AbstractFileSystem, info: dict, url: str, root: str) -> Iterator[ListedObject]:
    path = info["name"]
    if info["type"] == "directory":
        for below in sorted(fs.ls(path, detail=True), key=lambda entry: entry["name"]):
            if not below["name"].rsplit("/", 1)[-1].startswith(storage.TEMPORARY_PREFIX):
                yield from _other_objects(fs, below, url, root)
        return
    yield ListedObject(url + path.removeprefix(root.rstrip("/")), path, identity_of(info), modified_of(info))

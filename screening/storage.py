"""The one place that makes fsspec filesystems, and the few file operations that everything else needs.

`s3://` takes its endpoint and credentials from the usual AWS environment variables or profile. Its client is set up so that a slow or
silent server costs seconds, not for ever: see `_s3_filesystem`. `dicomweb://` is a PACS: see `screening.archive.pacs`.
"""

import contextlib
import errno
import os
import re
import tempfile
import threading
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from screening.errors import WriteError

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 15
ATTEMPTS = 4  # requests made for one S3 call before it fails

PACS_PROTOCOLS = ("dicomweb", "dicomwebs")  # the second one by TLS

DELETED_AT_ONCE = 1000  # objects of one S3 request, at most

TEMPORARY_PREFIX = ".tmp-"  # names that begin so are half-written files, and never listed

# fsspec loads these when the first such URL is opened
fsspec.register_implementation("dicomweb", "screening.archive.pacs.DicomwebFileSystem")
fsspec.register_implementation("dicomwebs", "screening.archive.pacs.DicomwebsFileSystem")

# what is wrong with the place of a file that cannot be written, and what to do about it
_NO_SPACE = ("no space is left there", "make space")
_NO_LEAVE = ("it cannot be written to", "make it writable")
_NO_FOLDER = ("a file is in the place of a folder", "move it away")
_TROUBLES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _NO_SPACE),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), _NO_LEAVE),
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), _NO_FOLDER),
}

_CONDITION_FAILED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")  # what S3 stores answer to a conditional put

_filesystems: dict[tuple, fsspec.AbstractFileSystem] = {}
_filesystems_lock = threading.Lock()


def filesystem_of(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the filesystem that `url` names and the path that it uses for it.

    A URL without a protocol is a local path. The path is taken as it stands, also with spaces, `#`, `?` and `::` in it;
    only protocols other than file, s3, memory and dicomweb may be chained (`simplecache::s3://...`).
    Filesystems are shared between threads, never between processes.
    """
    protocol, path = split_url(url)
    if protocol in ("file", "local"):
        return LocalFileSystem(), os.path.abspath(path)
    if protocol in ("s3", "s3a"):
        return _s3_filesystem(), path.rstrip("/")
    if protocol == "memory":
        return fsspec.filesystem("memory"), "/" + path.strip("/")
    if protocol in PACS_PROTOCOLS:
        fs = fsspec.filesystem(protocol)
        return fs, fs._strip_protocol(url)
    return fsspec.core.url_to_fs(url)


def split_url(url: str) -> tuple[str, str]:
    """Return protocol and path of a URL; ("file", path) where it has no protocol."""
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)(://|::)", url)
    if match is None:
        return "file", url
    if match[2] == "::" and "://" not in url:
        return "file", url  # a file whose name has "::" in it
    return match[1].lower(), url[match.end() :]


def is_local(fs: fsspec.AbstractFileSystem) -> bool:
    """Return whether the paths of `fs` are paths of this machine."""
    return isinstance(fs, LocalFileSystem)


def is_s3(fs: fsspec.AbstractFileSystem) -> bool:
    """Return whether `fs` speaks S3; never imports s3fs."""
    return "s3" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


def is_pacs(fs: fsspec.AbstractFileSystem) -> bool:
    """Return whether `fs` is a PACS that speaks DICOMweb."""
    return fs.protocol in PACS_PROTOCOLS


def url_of(fs: fsspec.AbstractFileSystem, path: str) -> str:
    """Return the full URL of `path`, such that `filesystem_of` gives both back."""
    if is_s3(fs):
        return f"s3://{path}"
    return fs.unstrip_protocol(path)


def join(url: str, *names: str) -> str:
    """Return the URL of `names` below the folder `url`."""
    return "/".join([url.rstrip("/") or "/", *names])


def _s3_filesystem() -> fsspec.AbstractFileSystem:
    """Return this process's S3 filesystem for the present AWS settings.

    Three defaults of s3fs are changed. Its 5 tries multiply botocore's: here botocore alone retries. It sends `Expect: 100-continue`
    with each put and waits without a timer for the answer: the handler that adds it is taken off the session. And it remembers
    listings, which other processes change.
    """
    settings = sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))
    key = (os.getpid(), CONNECT_TIMEOUT_S, READ_TIMEOUT_S, ATTEMPTS, *settings)
    with _filesystems_lock:
        if key not in _filesystems:
            _filesystems[key] = _new_s3_filesystem()
        return _filesystems[key]


def _new_s3_filesystem() -> fsspec.AbstractFileSystem:
    import aiobotocore.session
    import botocore.handlers
    import s3fs

    session = aiobotocore.session.get_session()
    session.unregister("before-call.s3", botocore.handlers.add_expect_header)

    class S3FileSystem(s3fs.S3FileSystem):
        def __reduce__(self) -> tuple:  # Ray Train sends it to its workers, and a session cannot be pickled
            return _s3_filesystem, ()

    fs = S3FileSystem(
        session=session,
        use_listings_cache=False,
        skip_instance_cache=True,
        max_concurrency=1,  # above 1, cat_file asks for the size first: two requests an object
        config_kwargs={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": READ_TIMEOUT_S,
            "retries": {"total_max_attempts": ATTEMPTS, "mode": "standard"},
            "max_pool_connections": 32,
        },
    )
    fs.retries = 1
    return fs


def read_bytes(url: str) -> bytes:
    """Return the content of one file. Raises FileNotFoundError or another OSError."""
    fs, path = filesystem_of(url)
    return fs.cat_file(path)


def put_atomic(url: str, data: bytes) -> None:
    """Write `data` under `url`: other readers see all of it or nothing, also when this process dies halfway.

    Raises WriteError where the disk is full, the folder is read-only, or a file is in the place of a folder; another OSError where the
    store fails.
    """
    fs, path = filesystem_of(url)
    with troubles_named(url.rpartition("/")[0]):
        if is_local(fs):
            _put_local(Path(path), data)
        elif is_s3(fs):
            fs.pipe_file(path, data, chunksize=5 * 2**30)  # one put_object, never a multipart upload
        else:
            fs.makedirs(fs._parent(path), exist_ok=True)
            fs.pipe_file(path, data)


@contextlib.contextmanager
def writing(url: str) -> Iterator[IO[bytes]]:
    """Give a file to write in parts, for what memory should not hold. At the end of the block all of it lies under `url`.

    Other readers see nothing before, and never anything of a block that fails. For another store than a local folder, the file lies in the
    temporary folder until then. Raises as `put_atomic` does.
    """
    fs, path = filesystem_of(url)
    with troubles_named(url.rpartition("/")[0]):
        if is_local(fs):
            with _replacing(Path(path)) as file:
                yield file
            return
        with tempfile.NamedTemporaryFile() as file:
            yield file
            file.flush()
            if not is_s3(fs):
                fs.makedirs(fs._parent(path), exist_ok=True)
            fs.put_file(file.name, path)  # above 100 MB in parts, of which S3 makes an object at the end


def put_new(url: str, data: bytes) -> bool:
    """Write `data` under `url` where nothing lies there yet, and return whether that was so: of many writers at once one gets True.

    Local folders and S3 decide that themselves. Other stores are asked first, so there two writers at the same moment may both get True.
    """
    fs, path = filesystem_of(url)
    if is_s3(fs):
        return put_s3(fs, path, data, IfNoneMatch="*") is not None
    if not is_local(fs):
        if fs.exists(path):
            return False
        put_atomic(url, data)
        return True
    with troubles_named(url.rpartition("/")[0]):
        temporary = Path(path).with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}")
        _put_local(temporary, data)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        _keep_names(Path(path).parent)
    return True


def put_s3(fs: fsspec.AbstractFileSystem, path: str, data: bytes, **condition: str) -> str | None:
    """Put an object on S3 where a condition holds, such as IfNoneMatch="*", and return its ETag; None where it does not hold."""
    bucket, _, key = path.partition("/")
    try:
        return fs.call_s3("put_object", Bucket=bucket, Key=key, Body=data, **condition)["ETag"]
    except OSError as error:
        response = getattr(error.__cause__, "response", {})
        if str(response.get("Error", {}).get("Code", "")) in _CONDITION_FAILED:
            return None
        raise


def check_writable(url: str) -> None:
    """Raise WriteError unless a local folder takes a file, or where it is missing the folder that it would be made in. Leaves nothing.

    Other stores are not tried: who may write there need not be allowed to remove.
    """
    fs, path = filesystem_of(url)
    if is_local(fs):
        folder = next(folder for folder in (Path(path), *Path(path).parents) if folder.exists())
        with troubles_named(url):
            probe = folder / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
            probe.touch()
            probe.unlink()


@contextlib.contextmanager
def troubles_named(folder: str) -> Iterator[None]:
    """Turn the errors of a folder that takes no file into a WriteError with the remedy."""
    try:
        yield
    except OSError as error:
        if error.errno not in _TROUBLES:
            raise
        trouble, remedy = _TROUBLES[error.errno]
        raise WriteError(f"{folder}: {trouble} ({os.strerror(error.errno)}); {remedy}, then give the same command again") from error


def _put_local(path: Path, data: bytes) -> None:
    with _replacing(path) as file:
        file.write(data)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Give a new file that takes the place of `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _keep_names(path.parent)


def _keep_names(folder: Path) -> None:
    """Make the names in a folder outlive a power cut, which could take a new one back."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def list_files(url: str, suffix: str = "") -> list[str]:
    """Return the full URLs of the files below a folder that end in `suffix`, sorted; a missing folder is an empty list."""
    fs, path = filesystem_of(url)
    found: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        found = fs.find(path)
    return [url_of(fs, name) for name in _listed(found, suffix)]


def list_sizes(url: str, suffix: str = "") -> dict[str, int]:
    """Return the bytes of each of the files that `list_files` lists, by its URL."""
    fs, path = filesystem_of(url)
    found: dict[str, dict] = {}
    with contextlib.suppress(FileNotFoundError):
        found = fs.find(path, detail=True)
    return {url_of(fs, name): found[name]["size"] for name in _listed(found, suffix)}


def _listed(names: Iterable[str], suffix: str) -> list[str]:
    return sorted(name for name in names if name.endswith(suffix) and not name.rsplit("/", 1)[-1].startswith(TEMPORARY_PREFIX))


def list_folders(url: str) -> list[str]:
    """Return the full URLs of the folders directly in a folder, sorted; a missing folder is an empty list."""
    fs, path = filesystem_of(url)
    found: list[dict] = []
    with contextlib.suppress(FileNotFoundError):
        found = fs.ls(path, detail=True)
    return sorted(url_of(fs, entry["name"].rstrip("/")) for entry in found if entry["type"] == "directory")


def exists(url: str) -> bool:
    """Return whether there is a file under `url`."""
    fs, path = filesystem_of(url)
    return fs.isfile(path)


def remove_files(urls: Iterable[str]) -> None:
    """Remove files of one store, also those that are gone already, and the local folders that become empty. Raises OSError."""
    places = [filesystem_of(url) for url in urls]
    for start in range(0, len(places), DELETED_AT_ONCE):
        some = places[start : start + DELETED_AT_ONCE]
        fs = some[0][0]
        if is_s3(fs):
            _remove_from_s3(fs, [path for _, path in some])
        else:
            for _, path in some:
                with contextlib.suppress(FileNotFoundError):
                    fs.rm_file(path)
    for folder in {Path(path).parent for fs, path in places if is_local(fs)}:
        with contextlib.suppress(OSError):  # it is not empty
            folder.rmdir()


def _remove_from_s3(fs: fsspec.AbstractFileSystem, paths: list[str]) -> None:
    bucket = paths[0].partition("/")[0]
    keys = [{"Key": path.partition("/")[2]} for path in paths]
    answer = fs.call_s3("delete_objects", Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
    if refused := answer.get("Errors"):
        raise PermissionError(f"{len(refused)} objects of {bucket} could not be removed: {refused[0].get('Code')}")


def remove_temporaries(url: str) -> int:
    """Remove the half-written files that killed processes left below a local folder; return how many. Other stores leave none."""
    fs, path = filesystem_of(url)
    if not is_local(fs):
        return 0
    left = list(Path(path).rglob(f"{TEMPORARY_PREFIX}*"))
    with troubles_named(url):
        for file in left:
            file.unlink(missing_ok=True)
    return len(left)

"""The bytes of any row of an index, members of containers too."""

import threading
import time
from collections import OrderedDict

import fsspec
from botocore.exceptions import NoCredentialsError

from schemas.reasons import Reason
from screening import storage
from screening.archive.containers import Container, ContainerError, MemberTooLarge
from screening.archive.urls import split_member
from screening.errors import ImageRefused

READ_ATTEMPTS = 3


RETRY_SECONDS = 30  # no new attempt after that


OPEN_MEMBERS = 200_000  # members of containers that a reader remembers, about 60 MB


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

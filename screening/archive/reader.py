"""The bytes of any row of an index, members of containers too."""

import os
import threading
import time
from collections import OrderedDict

import fsspec
from botocore.exceptions import NoCredentialsError

from schemas.reasons import Reason
from screening import storage
from screening.archive.containers import Container, kind_of
from screening.archive.listing import leads_nowhere
from screening.archive.source import Changed, IndexedObject, read_object
from screening.archive.urls import split_member
from screening.errors import ImageRefused

READ_ATTEMPTS = 3
FIRST_WAIT_SECONDS = 0.2  # before the second attempt, four times that before the third
RETRY_SECONDS = 30  # no new attempt after that

REMEMBERED_BYTES = 64 * 2**20  # of memory, for what a reader remembers of containers
OPEN_FILES = 16  # temporary files with what compressed tar files hold


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

    def read(self, object_url: str, expected: IndexedObject | None = None) -> bytes:
        """Return an object's bytes, where `expected` is given only those of the object that was indexed.

        Raises ImageRefused: OBJECT_MISSING when it is not there (any more) or has changed since it was indexed, TOO_LARGE above
        `max_bytes`, IMPLAUSIBLE_COMPRESSION, TRUNCATED or CORRUPT for a member that is damaged, and for a container itself what is
        wrong with it; READ_FAILED when the store did not give it in several attempts.
        """
        start = time.monotonic()
        for attempt in range(1, READ_ATTEMPTS + 1):
            try:
                return self._read(object_url, expected)
            except ImageRefused:
                raise
            except Changed as error:
                detail = "the object has changed since it was indexed: index the archive again"
                raise ImageRefused(Reason.OBJECT_MISSING, detail) from error
            except Exception as error:
                final = isinstance(error, PermissionError | NoCredentialsError | IsADirectoryError) or leads_nowhere(error)
                if final or attempt == READ_ATTEMPTS or time.monotonic() - start > RETRY_SECONDS:
                    raise _refusal_of(error, attempt) from error
                time.sleep(FIRST_WAIT_SECONDS * 4 ** (attempt - 1))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _read(self, object_url: str, expected: IndexedObject | None) -> bytes:
        member, url = split_member(object_url)
        fs, path = storage.filesystem_of(url)
        if member is None and kind_of(path) is None:
            return read_object(fs, path, self.max_bytes, expected)
        try:
            container = self._container(fs, path, url)
            if member is None:
                raise container.refuse(expected)
            return container.read(member, self.max_bytes, expected)
        except Changed:
            with self._lock:
                self._containers.pop(url, None)  # so that the next reader sees the container as it is now
            raise

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
            while len(self._containers) > 1 and self._remembers_too_much():
                self._containers.popitem(last=False)

    def _remembers_too_much(self) -> bool:
        containers = [slot.container for slot in self._containers.values() if slot.container is not None]
        memory = sum(container.memory_bytes for container in containers)
        return memory > REMEMBERED_BYTES or sum(container.uses_disk for container in containers) > OPEN_FILES


class _Slot:
    """Where one container is, or will be when the thread that holds the lock has opened it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.container: Container | None = None


def _refusal_of(error: Exception, attempts: int) -> ImageRefused:
    """Return what an error of the store means for one object, without the path that it names, which may be a patient's name."""
    if leads_nowhere(error):
        return ImageRefused(Reason.OBJECT_MISSING, "the store has no such object: index the archive again")
    if isinstance(error, IsADirectoryError):
        detail = "a folder whose files could not be listed: give this account the right to read it and index the archive again"
        return ImageRefused(Reason.READ_FAILED, detail)
    name = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else type(error).__name__  # a store may add the key
    return ImageRefused(Reason.READ_FAILED, f"{name} after {attempts} attempts: check the store and the permissions, then redrive")

"""The lock of a results folder: one night at a time writes to it.

Locally the kernel keeps the lock and lets go of it when the holder dies. On S3 it is an object that only a conditional put creates
(`If-None-Match: *`) or takes over (`If-Match`), and that its holder puts anew as long as it lives. A holder that has not done so for
LEASE_SECONDS is dead, by the clock of the store; one that ran on this machine is known to be dead at once.
"""

import contextlib
import fcntl
import json
import logging
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import fsspec

from screening.errors import LockedError
from screening.storage import filesystem_of, is_local, is_s3, join, put_s3, troubles_named

LEASE_SECONDS = 120.0
LOCK_NAME = "lock.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Holder:
    """Who holds a lock: enough to find the process, and to know that it is gone."""

    what: str  # the command
    host: str
    process: int
    since: str  # ISO 8601, UTC
    machine: str  # since its start, and among its containers
    started: int  # clock ticks from there to the start of the process

    @classmethod
    def this_process(cls, what: str) -> "Holder":
        """Return this process as the holder."""
        since = datetime.now(UTC).replace(microsecond=0).isoformat()
        return cls(what, socket.gethostname(), os.getpid(), since, _machine(), _start_of(os.getpid()) or 0)

    def is_gone(self) -> bool:
        """Return whether this ran on this machine and has ended; False where that cannot be known from here."""
        return self.machine == _machine() != "" and _start_of(self.process) != self.started

    def __str__(self) -> str:
        return f"{self.what}, process {self.process} on {self.host}, since {self.since}"


class Lease:
    """A lock that is held. `check` raises LockedError once another process has taken it over."""

    def __init__(self) -> None:
        self._taken_by: str | None = None

    def lose(self, to: str) -> None:
        """Note that the lock is another's."""
        self._taken_by = to

    def check(self) -> None:
        """Raise LockedError where the lock was lost: this process slept for so long that another took it for dead."""
        if self._taken_by:
            raise LockedError(
                f"the lock of the results was taken over by {self._taken_by}: this process had not been heard of for too long"
            )


@contextlib.contextmanager
def holding(results_url: str, what: str) -> Iterator[Lease]:
    """Run the block as the only one that writes to a results folder.

    Other stores than S3 and local folders have no lock, which is logged: see there that one night at a time is started.
    Raises LockedError, which names the holder, where another one does; WriteError for a local folder that takes no file.
    """
    fs, path = filesystem_of(join(results_url, LOCK_NAME))
    holder = Holder.this_process(what)
    if is_local(fs):
        with _local(Path(path), holder, results_url):
            yield Lease()
    elif is_s3(fs):
        with _on_s3(fs, path, holder, results_url) as lease:
            yield lease
    else:
        log.warning("%s cannot be locked: see to it that no two nights write to it at once", results_url)
        yield Lease()


@contextlib.contextmanager
def _local(path: Path, holder: Holder, results_url: str) -> Iterator[None]:
    with troubles_named(results_url):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise _locked(results_url, _read(file.read().encode())) from None
        with troubles_named(results_url):
            file.truncate(0)
            file.write(json.dumps(asdict(holder)))
            file.flush()
        try:
            yield
        finally:
            file.truncate(0)  # the file stays: another process may be waiting to open it


@contextlib.contextmanager
def _on_s3(fs: fsspec.AbstractFileSystem, path: str, holder: Holder, results_url: str) -> Iterator[Lease]:
    lock = _S3Lock(fs, path, holder)
    etag = lock.put(IfNoneMatch="*")
    if etag is None:
        etag = lock.take_over(results_url)
    lease, ended = Lease(), threading.Event()
    beating = threading.Thread(target=lock.keep, args=(etag, lease, ended), name="lock", daemon=True)
    beating.start()
    try:
        yield lease
    finally:
        ended.set()
        beating.join()
        lock.let_go()


class _S3Lock:
    """The object that is the lock, as one holder sees it."""

    def __init__(self, fs: fsspec.AbstractFileSystem, path: str, holder: Holder):
        self._fs, self._holder = fs, holder
        bucket, _, key = path.partition("/")
        self._place = {"Bucket": bucket, "Key": key}
        self._etag: str | None = None

    def put(self, **condition: str) -> str | None:
        """Put this holder, and return the object's ETag; None where the condition does not hold."""
        etag = put_s3(self._fs, "/".join(self._place.values()), json.dumps(asdict(self._holder)).encode(), **condition)
        self._etag = etag or self._etag
        return etag

    def take_over(self, results_url: str) -> str:
        """Return the ETag after taking the lock from a dead holder. Raises LockedError where it lives, or another process was faster."""
        try:
            found = self._fs.call_s3("head_object", **self._place)
            other = _read(self._fs.cat_file("/".join(self._place.values())))
        except FileNotFoundError:  # it was let go of just now
            etag, other = self.put(IfNoneMatch="*"), None
        else:
            age = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"]) - found["LastModified"]
            if age.total_seconds() < LEASE_SECONDS and not (other and other.is_gone()):
                raise _locked(results_url, other)
            log.warning("taking the lock of the results over from a holder that has died: %s", other)
            etag = self.put(IfMatch=found["ETag"])
        if etag is None:
            raise _locked(results_url, None)
        return etag

    def keep(self, etag: str, lease: Lease, ended: threading.Event) -> None:
        """Put the object anew, again and again, until the block ends or another holder has it."""
        while not ended.wait(LEASE_SECONDS / 4):
            try:
                renewed = self.put(IfMatch=etag)
            except OSError as error:
                log.warning("the lock could not be renewed, which is tried again: %s", type(error).__name__)
                continue
            if renewed is None:
                self._etag = None
                lease.lose("another process")
                return
            etag = renewed

    def let_go(self) -> None:
        """Remove the object, unless it is another's by now; where the store does not answer, the lease ends by itself."""
        if self._etag is not None:
            with contextlib.suppress(OSError):
                self._fs.call_s3("delete_object", **self._place)


def _locked(results_url: str, holder: Holder | None) -> LockedError:
    who = f"held by {holder}" if holder else "held by another process"
    return LockedError(f"{results_url} is {who}; nothing was done here. Wait for its end, or end it, then give the same command again")


def _read(content: bytes) -> Holder | None:
    try:
        return Holder(**json.loads(content))
    except (ValueError, TypeError):
        return None


def _machine() -> str:
    """Return what names this machine since its start and, in containers, this one's processes; empty where the kernel does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _start_of(process: int) -> int | None:
    """Return when a process began, in clock ticks since the start of the machine; None where there is none."""
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return None

"""Zip and tar files in an archive: their members, and one member's bytes by one range request.

A member's URL is fsspec's chained form, `zip://<member>::<container URL>`. A container inside a container is one object like any other.
Of a name that occurs twice in a container the later one counts, as for tar and unzip. Directories, links and devices are no members.
"""

import tarfile
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import fsspec

ZIP_SUFFIXES = (".zip",)
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")

SKIP_BLOCK_BYTES = 256 * 2**10  # read ahead of a directory or header: little, for what lies between is skipped
STREAM_BLOCK_BYTES = 8 * 2**20  # read ahead of a compressed tar file, which has to be read in order
UNPACKED_LIMIT_BYTES = 64 * 2**30  # of temporary disk for one compressed tar file

LOCAL_HEADER_BYTES = 30  # of a zip member, before its name and extra field (APPNOTE 4.3.7)
EXTRA_SLACK_BYTES = 256  # the extra field there may be longer than the directory says
ENCRYPTED = 0x1  # general purpose bit flag (APPNOTE 4.4.4)
SPARSE = -1  # stands for a method: a tar member with holes

_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError)


class ContainerError(Exception):
    """A container or a member of it is damaged, encrypted, or coded in a way that is not read here."""


class MemberTooLarge(Exception):
    """A member has more bytes than the reader may hold."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file in a container."""

    name: str
    offset: int  # bytes; of the local header in a zip file, of the data in a tar file (uncompressed)
    stored_bytes: int
    bytes: int
    method: int = zipfile.ZIP_STORED
    checksum: int | None = None  # CRC-32 of the data; tar has none
    encrypted: bool = False

    @property
    def etag(self) -> str:
        """What tells this member from another of the same name in the same container."""
        return f"{self.offset:x}" if self.checksum is None else f"{self.offset:x}-{self.checksum:08x}"


def kind_of(name: str) -> str | None:
    """Return "zip" or "tar" for the name of a container, None for any other file."""
    lower = name.lower()
    if lower.endswith(ZIP_SUFFIXES):
        return "zip"
    return "tar" if lower.endswith(TAR_SUFFIXES) else None


def list_members(fs: fsspec.AbstractFileSystem, path: str) -> tuple[list[Member], ContainerError | None]:
    """Return the members of a container, sorted by name, and what is wrong with it: members before the damage are still found.

    Raises OSError when the store fails.
    """
    found: dict[str, Member] = {}
    try:
        for member in _walk(fs, path):
            found[member.name] = member
    except _BROKEN as error:
        return _sorted(found), ContainerError(f"not a readable {kind_of(path)} file: {error}")
    return _sorted(found), None


def _sorted(found: dict[str, Member]) -> list[Member]:
    return [found[name] for name in sorted(found)]


def _walk(fs: fsspec.AbstractFileSystem, path: str) -> Iterator[Member]:
    packed = _is_packed(path)
    with fs.open(path, "rb", block_size=STREAM_BLOCK_BYTES if packed else SKIP_BLOCK_BYTES, cache_type="readahead") as file:
        if kind_of(path) == "zip":
            yield from _zip_members(file)
        else:
            yield from _tar_members(file, "r|gz" if packed else "r:")


def _is_packed(path: str) -> bool:
    return path.lower().endswith((".gz", ".tgz"))


def _zip_members(file: BinaryIO) -> Iterator[Member]:
    with zipfile.ZipFile(file) as container:
        for info in container.infolist():
            if not info.is_dir():
                encrypted = bool(info.flag_bits & ENCRYPTED)
                sizes = info.compress_size, info.file_size
                yield Member(info.filename, info.header_offset, *sizes, info.compress_type, info.CRC, encrypted)


class _StrictTarInfo(tarfile.TarInfo):
    """A header that tarfile cannot read ends its walk as if the file ended there; here it is an error."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> "tarfile.TarInfo":
        try:
            return super().fromtarfile(tarfile_)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:
            raise tarfile.ReadError(f"header at byte {tarfile_.offset}: {error}") from error


def _tar_members(file: BinaryIO, mode: str) -> Iterator[Member]:
    with tarfile.open(fileobj=file, mode=mode, tarinfo=_StrictTarInfo) as container:
        found: dict[str, Member] = {}
        while (info := container.next()) is not None:
            container.members = []  # else tarfile keeps every header
            if info.islnk() and info.linkname in found:  # a hard link: the same data under a second name
                target = found[info.linkname]
                yield Member(info.name, target.offset, target.stored_bytes, target.bytes)
            elif info.isreg():
                found[info.name] = Member(info.name, info.offset_data, info.size, info.size, SPARSE if info.issparse() else 0)
                yield found[info.name]


class Container:
    """An open container: its directory, read once, and for a compressed tar file what of it has been unpacked. Thread-safe."""

    def __init__(self, fs: fsspec.AbstractFileSystem, path: str):
        self._fs, self._path = fs, path
        members, self._damage = list_members(fs, path)
        self._members = {member.name: member for member in members}
        self._unpacked = _Unpacked(fs, path) if _is_packed(path) else None

    def __len__(self) -> int:
        return len(self._members)

    def read(self, name: str, max_bytes: int) -> bytes:
        """Return the bytes of one member. Raises KeyError, MemberTooLarge, ContainerError, or OSError when the store fails."""
        if name not in self._members:
            if self._damage is not None:
                raise self._damage
            raise KeyError(name)
        member = self._members[name]
        if member.bytes > max_bytes:
            raise MemberTooLarge(f"{member.bytes} bytes")
        try:
            return self._read_zip(member) if kind_of(self._path) == "zip" else self._read_tar(member)
        except _BROKEN as error:
            raise ContainerError(f"the member cannot be read: {error}") from error

    def _range(self, start: int, size: int) -> bytes:
        return self._fs.cat_file(self._path, start=start, end=start + size) if size else b""

    def _read_tar(self, member: Member) -> bytes:
        if member.method == SPARSE:
            raise ContainerError("a tar member with holes is not read: pack it again without --sparse")
        read = self._range if self._unpacked is None else self._unpacked.range
        data = read(member.offset, member.bytes)
        if len(data) < member.bytes:
            raise ContainerError("the tar file ends before the member does")
        return data

    def _read_zip(self, member: Member) -> bytes:
        if member.encrypted:
            raise ContainerError("the zip member is encrypted: unpack it with its password first")
        if member.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return self._read_rare_zip(member)
        data = self._stored_bytes(member)
        if member.method == zipfile.ZIP_DEFLATED:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, member.bytes + 1)  # never more than the directory promised
        if len(data) != member.bytes or zlib.crc32(data) != member.checksum:
            raise ContainerError("the zip member's data do not match its checksum")
        return data

    def _stored_bytes(self, member: Member) -> bytes:
        """Return a zip member's data as stored. Local header and data come in one request, unless the header is unusually long."""
        name_bytes = len(member.name.encode("utf-8", "surrogateescape"))
        raw = self._range(member.offset, LOCAL_HEADER_BYTES + name_bytes + EXTRA_SLACK_BYTES + member.stored_bytes)
        if raw[:4] != b"PK\x03\x04":
            raise ContainerError("the zip directory points at something that is not a member")
        start = LOCAL_HEADER_BYTES + int.from_bytes(raw[26:28], "little") + int.from_bytes(raw[28:30], "little")
        missing = start + member.stored_bytes - len(raw)
        if missing > 0:
            raw += self._range(member.offset + len(raw), missing)
        return raw[start : start + member.stored_bytes]

    def _read_rare_zip(self, member: Member) -> bytes:
        with self._fs.open(self._path, "rb") as file, zipfile.ZipFile(file) as container, container.open(member.name) as opened:
            return opened.read(member.bytes)


class _Unpacked:
    """The front of a compressed tar file, unpacked into an unnamed temporary file as far as it has been asked for."""

    def __init__(self, fs: fsspec.AbstractFileSystem, path: str):
        self._lock = threading.Lock()
        self._source = fs.open(path, "rb", block_size=STREAM_BLOCK_BYTES, cache_type="readahead")
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._file = tempfile.TemporaryFile(prefix="screening-")  # noqa: SIM115  (lives as long as this object)
        self._size = 0

    def range(self, start: int, size: int) -> bytes:
        """Return `size` bytes from `start`, fewer where the file ends."""
        if start + size > UNPACKED_LIMIT_BYTES:
            raise ContainerError(f"more than {UNPACKED_LIMIT_BYTES >> 30} GiB unpacked: unpack the tar file first")
        with self._lock:
            while self._size < start + size and self._unpack_more():
                pass
            self._file.seek(start)
            return self._file.read(size)

    def _unpack_more(self) -> bool:
        packed = self._inflate.unconsumed_tail or self._inflate.unused_data or self._source.read(2**20)
        if not packed:
            return self._append(self._inflate.flush())
        if self._inflate.eof:  # gzip files may be several streams in a row (RFC 1952, 2.2)
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._append(self._inflate.decompress(packed, 8 * 2**20))
        return True

    def _append(self, data: bytes) -> bool:
        self._file.seek(self._size)
        self._size += self._file.write(data)
        return bool(data)

    def __del__(self) -> None:  # not before: another thread may still read from a container that the reader has let go
        self._file.close()
        self._source.close()

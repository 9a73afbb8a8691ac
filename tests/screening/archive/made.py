"""Containers made for tests, and what index and reader say of an archive."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable

import pyarrow as pa
import pytest

from schemas.reasons import Reason
from screening.archive.index import scan
from screening.archive.reader import ObjectReader
from screening.archive.source import IndexedObject
from screening.errors import ImageRefused

MAX_BYTES = 10_000_000

ODD_NAMES = [
    "plain.dcm",
    "with space .dcm",
    "ünïcode 胸部.dcm",
    "hash#query?x=1&y.dcm",
    "star*[a].dcm",
    "percent%20%3A%25%C3%A9.dcm",
    "colon:one::two:::three.dcm",
    "ends with colon:",
    ".hidden",
    "sub/deeper/quote'\".dcm",
]


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip file of `files`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as container:
        container.mkdir("empty folder")
        for name, data in files.items():
            container.writestr(name, data)
    return buffer.getvalue()


class _Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise OSError("a pipe")

    def tell(self) -> int:
        raise OSError("a pipe")


def streamed_zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip file as a program writes it to a pipe: sizes and checksums stand behind the data."""
    buffer = _Pipe()
    with zipfile.ZipFile(buffer, "w", method) as container:
        for name, data in files.items():
            with container.open(name, "w") as member:
                member.write(data)
    return buffer.getvalue()


def zip64_of(files: dict[str, bytes]) -> bytes:
    """Return a zip file with sizes of 64 bits before each member, and an end record of 64 bits."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as container:
        for name, data in files.items():
            with container.open(name, "w", force_zip64=True) as member:
                member.write(data)
    data = buffer.getvalue()
    end = data.rindex(b"PK\5\6")
    _, _, _, _, entries, length, offset, _ = struct.unpack("<4s4H2IH", data[end:])
    record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, length, offset)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    return data[:end] + record + locator + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, *[2**16 - 1] * 2, *[2**32 - 1] * 2, 0)


def tar_of(files: dict[str, bytes], tar_format: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a tar file of `files`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tar_format) as container:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            container.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def tar_header(name: bytes, size: bytes, kind: bytes = b"0", link: bytes = b"") -> bytes:
    """Return a tar header with a right checksum, whatever its fields say."""
    block = bytearray(512)
    block[: len(name)] = name
    block[124 : 124 + len(size)] = size
    block[156:157] = kind
    block[157 : 157 + len(link)] = link
    block[257:265] = b"ustar\x0000"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


PACK: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "zip": zip_of,
    "tar": tar_of,
    "tar.gz": lambda files: gzip.compress(tar_of(files)),
    "tgz": lambda files: gzip.compress(tar_of(files)),
    "tar.bz2": lambda files: bz2.compress(tar_of(files)),
    "tbz2": lambda files: bz2.compress(tar_of(files)),
    "tar.xz": lambda files: lzma.compress(tar_of(files)),
    "txz": lambda files: lzma.compress(tar_of(files)),
}


def index_of(url: str, **arguments: int) -> pa.Table:
    """Return the whole index of an archive."""
    return pa.concat_tables(scan(url, **arguments))


def urls_of(url: str) -> list[str]:
    """Return the URLs of an archive's objects."""
    return index_of(url)["object_url"].to_pylist()


def contents_of(url: str) -> dict[str, bytes]:
    """Return the bytes of every object of an archive, by its URL."""
    with ObjectReader(MAX_BYTES) as reader:
        return {row: reader.read(row) for row in urls_of(url)}


def answers_of(url: str) -> dict[str, bytes | Reason]:
    """Return the bytes of every object of an archive, read as the index has it, or why it was not read; by the end of its URL.

    A member goes by its name, a plain object by its file name.
    """
    answers: dict[str, bytes | Reason] = {}
    with ObjectReader(MAX_BYTES) as reader:
        for row in index_of(url).to_pylist():
            name = row["object_url"].split("::")[0].removeprefix("zip://").removeprefix("tar://")
            name = name.rsplit("/", 1)[-1] if "::" not in row["object_url"] else name
            try:
                answers[name] = reader.read(row["object_url"], IndexedObject(row["object_bytes"], row["object_etag"]))
            except ImageRefused as refusal:
                answers[name] = refusal.reason
    return answers


def refusal_of(url: str, max_bytes: int = MAX_BYTES, expected: IndexedObject | None = None) -> ImageRefused:
    """Return why an object was not read."""
    with ObjectReader(max_bytes) as reader, pytest.raises(ImageRefused) as caught:
        reader.read(url, expected)
    return caught.value

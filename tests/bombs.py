"""Containers that are small and unpack to what would fill a memory or take hours."""

import bz2
import gzip
import io
import lzma
import struct
import zipfile
from collections.abc import Callable

from tests.screening.archive.made import tar_header, zip_of

PATIENT = "Featherstonehaugh"  # in names of members, so that it is found where it was told


def endless(pack: Callable[[bytes], bytes], head: bytes) -> bytes:
    """Return a small compressed tar file: `head`, and 6 GiB of zeros."""
    return pack(head) + pack(bytes(2**26)) * 96


def lying_header(kind: bytes, size: int) -> bytes:
    """Return a tar header with a right checksum that claims `size` bytes."""
    return tar_header(f"{PATIENT}.dcm".encode(), b"%o" % size, kind)


def zip_directory(members: int, local: bytes, entry: tuple[int, int, int, int]) -> bytes:
    """Return a zip file with `members` entries of 8 digits that all name the member `local`: method, CRC-32, stored size, size."""
    method, checksum, stored, size = entry
    head = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, method, 0, 0, checksum, stored, size, 8, 0, 0, 0, 0, 0, 0)
    directory = b"".join(head + b"%08d" % number for number in range(members))
    zip64 = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, members, members, len(directory), len(local))
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(local) + len(directory), 1)
    return local + directory + zip64 + locator + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)


def zip_bomb(members: int) -> bytes:
    """Return a zip file whose members are all the same 250 MiB of zeros."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as container:
        container.writestr("00000000", bytes(250 * 2**20))
        info = container.infolist()[0]
    local = buffer.getvalue()[: buffer.getvalue().rindex(b"PK\1\2")]
    return zip_directory(members, local, (8, info.CRC, info.compress_size, info.file_size))


def nul_name() -> bytes:
    return zip_of({f"0{PATIENT}": b"x", "good": b"y"}).replace(b"0" + PATIENT.encode(), b"\0" + PATIENT.encode())


def local_headers(method: int) -> bytes:
    """Return headers of zip members without a size, each of which asks to search or unpack all that follows."""
    header = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 8, method, 0, 0, 0, 0, 0, 1, 0) + b"a"
    return (header + b"\0\x05\0\xfa\xffPK\7\x08x") * 60_000


BOMBS: dict[str, Callable[[], bytes]] = {
    "long_name.tgz": lambda: endless(gzip.compress, lying_header(b"L", 6 * 2**30)),
    "long_link.tgz": lambda: endless(gzip.compress, lying_header(b"K", 6 * 2**30)),
    "pax.tar.gz": lambda: endless(gzip.compress, lying_header(b"x", 6 * 2**30)),
    "member.tar.bz2": lambda: endless(bz2.compress, lying_header(b"0", 6 * 2**30)),
    "noise.tar.xz": lambda: endless(lambda data: lzma.compress(data, preset=0), b"x" * 512),
    "empty_streams.tgz": lambda: gzip.compress(b"") * 125_000,
    "headers.tgz": lambda: gzip.compress(b"".join(lying_header(b"0", 0) for _ in range(1000))) * 1000,
    "folders.txz": lambda: lzma.compress(lying_header(b"5", 0) * 500_000, preset=0),
    "nul_name.zip": nul_name,
    "directory.zip": lambda: zip_directory(200_000, b"", (0, 0, 0, 0)),
    "zeros.zip": lambda: zip_bomb(10),
    "overlap.zip": lambda: zip_bomb(60_000),
    "search.zip": lambda: local_headers(0),
    "unpack.zip": lambda: local_headers(8),
}

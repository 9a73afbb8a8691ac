"""What a file may cost: files of some hundred megabytes, or of few bytes that ask for much, end with a reason within a second or so."""

import io
import re
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.datadict import tag_for_keyword
from pydicom.encaps import generate_fragments

from schemas.reasons import Reason
from screening.dicom import codestream
from screening.errors import ImageRefused
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest
from screening.privacy import Pseudonymizer
from tests.screening import hostile

KEY = Pseudonymizer(b"a key of sixteen bytes or more")
SECONDS = 2.0  # of processor time
BYTES = 300 << 20  # beside the file itself: what is inflated may be as large as the limit for files
MIB = 1 << 20
RAMP = np.minimum(np.arange(65536) * 16, 65535).astype("<u2").tobytes()
ITEM = b"\xfe\xff\x00\xe0"


def _with_element(keyword: str, value: bytes, vr: str = "UN") -> bytes:
    """Return the good file with one more element, which comes first and so counts."""
    tag = tag_for_keyword(keyword)
    element = struct.pack("<HH2s2xI", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value
    data = hostile.good()
    meta = hostile.meta_of(data)
    return meta + element + data[len(meta) :]


def _with_fragments(fragments: bytes, transfer_syntax: str) -> bytes:
    """Return the good file in a compressed transfer syntax with other items in its pixel data."""
    data = hostile.good(transfer_syntax)
    pixel_data = data.index(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff")
    return data[: pixel_data + 12] + fragments + b"\xfe\xff\xdd\xe0\0\0\0\0"


def _with_codestream(stream: bytes, transfer_syntax: str = "jpeg_2000_lossless") -> bytes:
    return _with_fragments(ITEM + bytes(4) + ITEM + struct.pack("<I", len(stream)) + stream, transfer_syntax)


def _codestream(transfer_syntax: str = "jpeg_2000_lossless") -> bytes:
    dataset = hostile.build_dataset(hostile.chest(), hostile.attributes(), hostile.CODING, transfer_syntax)
    return max(generate_fragments(dataset.PixelData), key=len)


def _zeros_behind_a_header() -> bytes:
    stream = _codestream()
    return _with_codestream(stream[: stream.index(b"\xff\x90")] + bytes(100 * MIB))


def _tiny_tile_parts() -> bytes:
    stream = _codestream()
    part = b"\xff\x90\x00\x0a" + struct.pack(">HIBB", 0, 14, 0, 1) + b"\xff\x93"
    return _with_codestream(stream[: stream.index(b"\xff\x90")] + part * 3_000_000 + b"\xff\xd9")


def _many_packets() -> bytes:
    """Return a JPEG 2000 image with as many quality layers as there can be, in precincts of 16 x 16 pixels."""
    stream = _codestream()
    at = stream.index(b"\xff\x52")
    length, levels = struct.unpack_from(">H", stream, at + 2)[0], stream[at + 9]
    style = struct.pack(">HHBBHBB", 0xFF52, 13 + levels, 1, 0, 0xFFFF, 0, levels) + stream[at + 10 : at + 14] + b"\x44" * (levels + 1)
    return _with_codestream(stream[:at] + style + stream[at + 2 + length :])


def _jpeg(**options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(hostile.chest(600, 560, 8)).save(file, "JPEG", **options)
    return file.getvalue()


def _with_segments(content: bytes, count: int) -> bytes:
    data = _jpeg()
    return data[:2] + (struct.pack(">BBH", 0xFF, 0xE1, len(content) + 2) + content) * count + data[2:]


def _many_scans() -> bytes:
    data = _jpeg(progressive=True)
    at = data.rindex(b"\xff\xda")
    return data[:-2] + data[at:-2] * 200 + data[-2:]


def _many_chunks() -> bytes:
    data = hostile.png(200, 200, b"")
    empty = struct.pack(">I4sI", 0, b"teSt", zlib.crc32(b"teSt"))
    return data[:33] + empty * 5_000_000 + data[33:]


def _stray_end_mark() -> bytes:
    return hostile.meta_of(hostile.good()) + b"\x08\x00\x60\x00CS\x02\0CR" + b"\xfe\xff\x0d\xe0\0\0\0\0" + bytes(200 * MIB)


def _inflating_to_the_limit() -> bytes:
    """Return a deflated data set of just less than 256 MiB, in so many bytes that they could be an image."""
    deflater = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    element = b"\x09\x00\x10\x00UN\0\0" + struct.pack("<I", 250 * MIB)
    body = deflater.compress(element) + deflater.compress(np.random.default_rng(0).bytes(2 * MIB)) + deflater.compress(bytes(248 * MIB))
    return hostile.meta_of(hostile.changed("deflated")) + body + deflater.flush()


BOMBS: dict[str, tuple[Reason | None, Callable[[], bytes]]] = {
    "backslashes in a name, which is not read": (None, lambda: _with_element("PatientName", b"\\" * (200 * MIB))),
    "backslashes in a number": (Reason.CORRUPT, lambda: _with_element("PatientID", b"\\" * (200 * MIB), "UT")),
    "backslashes in a text": (Reason.CORRUPT, lambda: _with_element("InstitutionName", b"\\" * (200 * MIB), "UT")),
    "character sets": (Reason.CORRUPT, lambda: _with_element("SpecificCharacterSet", b"ISO 2022 IR 87\\" * (4 * MIB), "UC")),
    "64 MiB in Rows": (Reason.CORRUPT, lambda: _with_element("Rows", bytes(64 * MIB))),
    "digits": (Reason.CORRUPT, lambda: _with_element("WindowCenter", b"1" * (64 * MIB), "UT")),
    "identifiers": (None, lambda: _with_element("OtherPatientIDs", b"aaaa\\" * 1600, "UT")),
    "a long table": (None, lambda: hostile.changed(VOILUTSequence=[hostile.table(RAMP * 128)])),
    "FF in a file": (Reason.CORRUPT, lambda: b"\xff\xd8" + b"\xff" * (100 * MIB)),
    "FF before a frame": (Reason.CORRUPT, lambda: b"\xff\xd8" + b"\xff" * (100 * MIB) + _jpeg()[2:]),
    "FF in a fragment": (Reason.CORRUPT, lambda: _with_codestream(b"\xff\xd8" + b"\xff" * (100 * MIB))),
    "zeros behind a header": (Reason.CORRUPT, _zeros_behind_a_header),
    "tile-parts": (Reason.CORRUPT, _tiny_tile_parts),
    "packets": (Reason.IMPLAUSIBLE_COMPRESSION, _many_packets),
    "segments": (Reason.CORRUPT, lambda: _with_segments(b"", 200_000)),
    "segments of EXIF": (Reason.CORRUPT, lambda: _with_segments(b"Exif\0\0" + bytes(65_000), 1500)),
    "scans": (Reason.IMPLAUSIBLE_COMPRESSION, _many_scans),
    "chunks": (Reason.CORRUPT, _many_chunks),
    "zeros behind a stray mark": (Reason.NO_PIXELS, _stray_end_mark),
    "fragments": (Reason.TOO_LARGE, lambda: _with_fragments((ITEM + bytes(4)) * 2_000_000, "rle")),
    "deflated zeros": (Reason.NO_PIXELS, _inflating_to_the_limit),
}  # fmt: skip


def _resident(field: str) -> int:
    """Return VmRSS or VmHWM, its peak since it was last reset, in bytes."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"{field}:\s+(\d+) kB", status)[1])


@pytest.mark.parametrize("case", BOMBS)
def test_bombs_end_soon_and_take_little(case: str):
    reason, make = BOMBS[case]
    data = make()
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before, started = _resident("VmRSS"), time.process_time()
    refusal = ingest(data, IngestConfig(), KEY).refusal
    assert time.process_time() - started < SECONDS
    assert _resident("VmHWM") - before < BYTES
    assert (refusal.reason if refusal else None) == reason, refusal


def test_fine_code_blocks_are_counted():
    """8,000 x 8,000 pixels in code-blocks of 4 x 4 would be four million of them."""
    stream = bytearray(_codestream())
    struct.pack_into(">II", stream, stream.index(b"\xff\x51") + 6, 8000, 8000)  # Xsiz, Ysiz
    struct.pack_into(">II", stream, stream.index(b"\xff\x51") + 22, 8000, 8000)  # XTsiz, YTsiz
    assert codestream.read_jpeg_2000(bytes(stream)).height == 8000
    at = stream.index(b"\xff\x52")
    stream[at + 10 : at + 12] = b"\0\0"
    with pytest.raises(ImageRefused) as refusal:
        codestream.read_jpeg_2000(bytes(stream))
    assert refusal.value.reason == Reason.IMPLAUSIBLE_COMPRESSION

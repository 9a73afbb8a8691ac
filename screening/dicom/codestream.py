"""Reads what JPEG, JPEG-LS and JPEG 2000 codestreams state of themselves, before a decoder allocates anything for them.

A decoder believes a codestream: a few bytes can ask it for millions of code-blocks, or for as many passes over the image as there are
scans. So the sizes are read here first, in bounded time, and what no radiograph needs is refused.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from schemas.reasons import Reason
from screening.errors import ImageRefused

MAX_TILES = 4096  # a decoder keeps kilobytes for each
MAX_TILE_SEGMENTS = 1 << 16  # marker segments of the headers of all tile-parts, each of which has one at least
MAX_BLOCKS = 1 << 20  # code-blocks and precincts of all components, of which a decoder keeps some hundred bytes each
MAX_PACKETS = 1 << 22  # quality layers times precincts: a decoder visits each, also the empty ones
MAX_J2K_SAMPLES = 40_000_000  # decoded: some five seconds, and a gigabyte if they are in colour
MAX_SEGMENTS = 1024  # marker segments of one header; a photograph with a profile and a preview has some dozens
MAX_JPEG_HEADER_BYTES = 8 << 20  # Pillow keeps copies of the application segments
MAX_SCANS = 64  # a progressive JPEG image has about 10; each is a pass over the whole image
MAX_SCANNED_SAMPLES = 1_000_000_000  # samples times scans
JPEG_END = re.compile(rb"\xff\xd9")  # EOI of ISO/IEC 10918-1 and 14495-1, EOC of ISO/IEC 15444-1
J2K_START = b"\xff\x4f\xff\x51"  # SOC and the SIZ that always follows it
_JPEG_SCAN_START, _FILL_BYTES = re.compile(rb"\xff\xda"), re.compile(rb"\xff*")
_JPEG_FRAME_MARKERS = frozenset([*range(0xC0, 0xD0), 0xF7]) - {0xC4, 0xC8, 0xCC}  # SOF0-15 and SOF55 (JPEG-LS), without DHT, JPG, DAC
_LOSSLESS_FRAME, _JPEG_LS_FRAME, JPEG_SCAN, _ADOBE = 0xC3, 0xF7, 0xDA, 0xEE
_J2K_COD, _J2K_COC, _J2K_SIZ, _J2K_TILE, _J2K_DATA = 0x52, 0x53, 0x51, 0x90, 0x93
_LARGEST_PRECINCT = 0xFF  # exponents 15 and 15: what holds where none is stated, ISO/IEC 15444-1 A.6.1


@dataclass(frozen=True)
class Codestream:
    """What a codestream says of the image in it."""

    height: int
    width: int
    components: int
    precision: int  # bits of one sample
    signed: bool = False  # JPEG 2000 only
    reductions: int = 0  # JPEG 2000: how often the resolution can be halved
    tiles: int = 1  # JPEG 2000
    frame_marker: int = 0  # JPEG: the second byte of SOFn
    adobe: bool = False  # JPEG: an APP14 segment states the colour transform

    @property
    def is_jpeg_ls(self) -> bool:
        return self.frame_marker == _JPEG_LS_FRAME

    @property
    def is_lossless(self) -> bool:
        return self.frame_marker == _LOSSLESS_FRAME


@dataclass(frozen=True)
class Segment:
    """One marker segment: `start` is where its marker lies, `content` what follows its length."""

    marker: int  # the second byte
    start: int
    content: memoryview


def is_jpeg(data: bytes | memoryview) -> bool:
    """Tell whether the bytes start as JPEG or JPEG-LS (SOI)."""
    return bytes(data[:3]) == b"\xff\xd8\xff"


def is_jpeg_2000(data: bytes | memoryview) -> bool:
    """Tell whether the bytes start as JPEG 2000, bare or in a JP2 file."""
    return bytes(data[:4]) == b"\xff\x4f\xff\x51" or bytes(data[4:8]) == b"jP  "


def jpeg_segments(data: bytes | memoryview) -> Iterator[Segment]:
    """Yield the marker segments of a JPEG or JPEG-LS stream up to its first scan, that one's header last. Raises TRUNCATED, CORRUPT."""
    buffer, at = memoryview(data), 2
    for _ in range(MAX_SEGMENTS):
        at = max(at, _FILL_BYTES.match(buffer, at).end() - 1)  # any number of fill bytes may come before a marker, 10918-1 B.1.1.2
        if at > MAX_JPEG_HEADER_BYTES:
            break
        segment = _segment(buffer, at, "JPEG", "first scan")
        yield segment
        if segment.marker == JPEG_SCAN:
            return
        at += 4 + len(segment.content)
    raise ImageRefused(
        Reason.CORRUPT, f"the JPEG stream has more than {MAX_SEGMENTS} segments or {MAX_JPEG_HEADER_BYTES} bytes before its first scan"
    )


def read_jpeg(data: bytes | memoryview) -> Codestream:
    """Read the frame header of a JPEG or JPEG-LS stream. Raises TRUNCATED, CORRUPT, IMPLAUSIBLE_COMPRESSION."""
    adobe, frame, scan = False, None, 0
    for segment in jpeg_segments(data):
        if segment.marker in _JPEG_FRAME_MARKERS and len(segment.content) >= 6:
            precision, height, width, components = struct.unpack_from(">BHHB", segment.content)
            frame = Codestream(height, width, components, precision, frame_marker=segment.marker)
        adobe |= segment.marker == _ADOBE and bytes(segment.content[:5]) == b"Adobe"
        scan = segment.start
    if frame is None or not (frame.height and frame.width and frame.components):
        raise ImageRefused(Reason.CORRUPT, "the JPEG stream states no image size")
    if JPEG_END.search(data, scan) is None:
        raise ImageRefused(Reason.TRUNCATED, "the JPEG stream has no end of image")
    _check_scans(data, scan, frame)
    return replace(frame, adobe=adobe)


def _check_scans(data: bytes | memoryview, at: int, frame: Codestream) -> None:
    """Raise IMPLAUSIBLE_COMPRESSION where decoding takes more passes over the image than any encoder makes."""
    samples = frame.height * frame.width * frame.components
    for number, _ in enumerate(_JPEG_SCAN_START.finditer(data, at), start=1):
        if number > MAX_SCANS or (number > 1 and number * samples > MAX_SCANNED_SAMPLES):
            raise ImageRefused(Reason.IMPLAUSIBLE_COMPRESSION, f"the JPEG stream has {number} scans or more for {samples} samples")


def read_jpeg_2000(data: bytes) -> Codestream:
    """Read SIZ, COD and COC of a JPEG 2000 or HTJ2K stream (ISO/IEC 15444-1 A.5.1, A.6.1, A.6.2).

    Raises TRUNCATED, CORRUPT, IMPLAUSIBLE_COMPRESSION.
    """
    at = data.find(J2K_START)
    if at < 0:
        raise ImageRefused(Reason.CORRUPT, "the JPEG 2000 stream has no start of codestream")
    image, reductions, at = None, [], at + 2
    for segment in _jpeg_2000_segments(data, at, _J2K_TILE, MAX_SEGMENTS):
        at = segment.start
        if segment.marker == _J2K_SIZ:
            image = _read_siz(segment.content)
        elif image is not None:
            reductions += _read_coding(segment, image)
    if image is None:
        raise ImageRefused(Reason.CORRUPT, "the JPEG 2000 stream states no image size")
    reductions += _read_tile_parts(data, at, image)
    return replace(image, reductions=min(reductions, default=0))


def _jpeg_2000_segments(data: bytes, at: int, last: int, count: int) -> Iterator[Segment]:
    """Yield at most `count` marker segments, the marker `last` being the last of them. Raises TRUNCATED, CORRUPT."""
    buffer = memoryview(data)
    for _ in range(count):
        if last == _J2K_DATA and bytes(buffer[at : at + 2]) == b"\xff\x93":  # SOD has no length
            yield Segment(_J2K_DATA, at, buffer[:0])
            return
        segment = _segment(buffer, at, "JPEG 2000", "first tile")
        yield segment
        if segment.marker == last:
            return
        at += 4 + len(segment.content)
    raise ImageRefused(Reason.CORRUPT, f"the JPEG 2000 stream has a header of more than {count} marker segments")


def _segment(buffer: memoryview, at: int, kind: str, aim: str) -> Segment:
    """Return the marker segment at `at`. Raises TRUNCATED, CORRUPT."""
    if len(buffer) < at + 4:
        raise ImageRefused(Reason.TRUNCATED, f"the {kind} stream ends before its {aim}")
    if buffer[at] != 0xFF:
        raise ImageRefused(Reason.CORRUPT, f"the {kind} stream has no marker where one must be")
    length = struct.unpack_from(">H", buffer, at + 2)[0]
    if length < 2:
        raise ImageRefused(Reason.CORRUPT, f"the {kind} stream has a marker segment that is shorter than its own length field")
    if len(buffer) < at + 2 + length:
        raise ImageRefused(Reason.TRUNCATED, f"the {kind} stream ends before its {aim}")
    return Segment(buffer[at + 1], at, buffer[at + 4 : at + 2 + length])


def _read_siz(content: memoryview) -> Codestream:
    if len(content) < 37:
        raise ImageRefused(Reason.CORRUPT, "the JPEG 2000 stream states its image size in too few bytes")
    x1, y1, x0, y0, tile_width, tile_height, _, _, components, depth = struct.unpack_from(">IIIIIIIIHB", content, 2)
    if x1 <= x0 or y1 <= y0 or not tile_width or not tile_height or not components:
        raise ImageRefused(Reason.CORRUPT, "the JPEG 2000 stream states an impossible image size")
    tiles = -(-x1 // tile_width) * -(-y1 // tile_height)
    return Codestream(y1 - y0, x1 - x0, components, (depth & 0x7F) + 1, signed=depth >= 0x80, tiles=tiles)


def _read_coding(segment: Segment, image: Codestream) -> list[int]:
    """Return how often COD or COC lets the resolution be halved; nothing for another segment. Raises CORRUPT, IMPLAUSIBLE_COMPRESSION."""
    if segment.marker not in (_J2K_COD, _J2K_COC):
        return []
    content = segment.content
    # COD: style, progression, layers, component transform; COC: component, style. Then both have levels, block size, style, transform.
    at = 5 if segment.marker == _J2K_COD else 2 if image.components < 257 else 3
    if len(content) < at + 5:
        raise ImageRefused(Reason.CORRUPT, "the JPEG 2000 stream states its coding style in too few bytes")
    layers = struct.unpack_from(">H", content, 2)[0] if segment.marker == _J2K_COD else 1
    levels = min(content[at], 32)
    stated = bytes(content[at + 5 : at + 6 + levels])
    precincts = list(stated) + [_LARGEST_PRECINCT] * (levels + 1 - len(stated))
    _check_blocks(image, layers, (content[at + 1] & 15) + (content[at + 2] & 15) + 4, precincts)
    return [levels]


def _check_blocks(image: Codestream, layers: int, block_exponent: int, precincts: list[int]) -> None:
    """Raise IMPLAUSIBLE_COMPRESSION where a decoder would have to keep or to visit too many parts of the image.

    `precincts` holds one byte a resolution, from the smallest on: exponents of width (low half) and height.
    """
    blocks = packets = 0
    for reduction, exponents in enumerate(reversed(precincts)):
        width, height = _halved(image.width, reduction), _halved(image.height, reduction)
        parts = max(_halved(width, exponents & 15) * _halved(height, exponents >> 4), image.tiles)
        blocks += parts + max(parts, width * height >> block_exponent)  # a code-block is never larger than its precinct
        packets += layers * parts
    if blocks * image.components > MAX_BLOCKS or packets * image.components > MAX_PACKETS:
        raise ImageRefused(Reason.IMPLAUSIBLE_COMPRESSION, "the JPEG 2000 stream divides the image into more parts than any encoder does")


def _halved(length: int, times: int) -> int:
    """Return ceil(length / 2 ** times)."""
    return -(-length >> times)


def _read_tile_parts(data: bytes, at: int, image: Codestream) -> list[int]:
    """Return how often the tiles that have a coding style of their own let the resolution be halved.

    Raises TRUNCATED where a tile-part is shorter than it says (A.4.2), or has no length and no end of codestream follows; CORRUPT.
    """
    reductions: list[int] = []
    segments = 0
    while data[at : at + 2] == b"\xff\x90":
        if len(data) < at + 12:
            raise ImageRefused(Reason.TRUNCATED, "the JPEG 2000 stream ends within a tile's head")
        for segment in _jpeg_2000_segments(data, at + 12, _J2K_DATA, MAX_TILE_SEGMENTS - segments):
            reductions += _read_coding(segment, image)
            segments += 1
        length = struct.unpack_from(">I", data, at + 6)[0]
        if length < 14:  # 0: up to the end of the codestream
            if JPEG_END.search(data, at) is None:
                raise ImageRefused(Reason.TRUNCATED, "the JPEG 2000 stream has no end of codestream")
            return reductions
        at += length
    if at > len(data):
        raise ImageRefused(Reason.TRUNCATED, "the JPEG 2000 stream ends within a tile")
    return reductions

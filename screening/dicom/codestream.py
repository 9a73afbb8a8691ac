"""Reads the sizes that JPEG, JPEG-LS and JPEG 2000 codestreams state of themselves, before a decoder allocates anything for them."""

import struct
from dataclasses import dataclass

from schemas.reasons import Reason
from screening.errors import ImageRefused

END_MARK = b"\xff\xd9"  # EOI of ISO/IEC 10918-1 and 14495-1, EOC of ISO/IEC 15444-1
MAX_TILES = 4096  # a decoder keeps kilobytes for each
J2K_START = b"\xff\x4f\xff\x51"  # SOC and the SIZ that always follows it
_JPEG_FRAME_MARKERS = frozenset([*range(0xC0, 0xD0), 0xF7]) - {0xC4, 0xC8, 0xCC}  # SOF0-15 and SOF55 (JPEG-LS), without DHT, JPG, DAC
_LOSSLESS_FRAME, _JPEG_LS_FRAME, _JPEG_SCAN, _ADOBE = 0xC3, 0xF7, 0xDA, 0xEE
_J2K_SIZ, _J2K_COD, _J2K_TILE = 0x51, 0x52, 0x90


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


def is_jpeg(data: bytes | memoryview) -> bool:
    """Tell whether the bytes start as JPEG or JPEG-LS (SOI)."""
    return bytes(data[:3]) == b"\xff\xd8\xff"


def is_jpeg_2000(data: bytes | memoryview) -> bool:
    """Tell whether the bytes start as JPEG 2000, bare or in a JP2 file."""
    return bytes(data[:4]) == b"\xff\x4f\xff\x51" or bytes(data[4:8]) == b"jP  "


def read_jpeg(data: bytes) -> Codestream:
    """Read the frame header of a JPEG or JPEG-LS stream. Raises TRUNCATED and CORRUPT."""
    at, adobe, frame = 2, False, None
    try:
        while True:
            if data[at] != 0xFF:
                raise ImageRefused(Reason.CORRUPT, "the JPEG stream has no marker where one must be")
            marker = data[at + 1]
            if marker == 0xFF:  # fill byte
                at += 1
                continue
            if marker == _JPEG_SCAN:
                break
            length = struct.unpack_from(">H", data, at + 2)[0]
            if marker in _JPEG_FRAME_MARKERS:
                precision, height, width, components = struct.unpack_from(">BHHB", data, at + 4)
                frame = Codestream(height, width, components, precision, frame_marker=marker)
            adobe |= marker == _ADOBE and data[at + 4 : at + 9] == b"Adobe"
            at += 2 + length
    except (IndexError, struct.error):
        raise ImageRefused(Reason.TRUNCATED, "the JPEG stream ends before its first scan") from None
    if frame is None or not (frame.height and frame.width and frame.components):
        raise ImageRefused(Reason.CORRUPT, "the JPEG stream states no image size")
    if data.find(END_MARK, at) < 0:
        raise ImageRefused(Reason.TRUNCATED, "the JPEG stream has no end of image")
    return Codestream(**{**vars(frame), "adobe": adobe})


def read_jpeg_2000(data: bytes) -> Codestream:
    """Read SIZ and COD of a JPEG 2000 or HTJ2K stream (ISO/IEC 15444-1 A.5.1, A.6.1). Raises TRUNCATED and CORRUPT."""
    at = data.find(J2K_START)
    if at < 0:
        raise ImageRefused(Reason.CORRUPT, "the JPEG 2000 stream has no start of codestream")
    at += 2
    image, levels = None, 0
    try:
        while data[at + 1] != _J2K_TILE:
            marker, length = struct.unpack_from(">HH", data, at)
            if marker & 0xFF == _J2K_SIZ:
                image = _read_siz(data, at)
            elif marker & 0xFF == _J2K_COD:
                levels = data[at + 9]
            at += 2 + length
    except (IndexError, struct.error):
        raise ImageRefused(Reason.TRUNCATED, "the JPEG 2000 stream ends before its first tile") from None
    if image is None:
        raise ImageRefused(Reason.CORRUPT, "the JPEG 2000 stream states no image size")
    _check_tiles_complete(data, at)
    return Codestream(**{**vars(image), "reductions": min(levels, 32)})


def _read_siz(data: bytes, at: int) -> Codestream:
    x1, y1, x0, y0, tile_width, tile_height, _, _, components, depth = struct.unpack_from(">IIIIIIIIHB", data, at + 6)
    if x1 <= x0 or y1 <= y0 or not tile_width or not tile_height or not components:
        raise ImageRefused(Reason.CORRUPT, "the JPEG 2000 stream states an impossible image size")
    tiles = -(-x1 // tile_width) * -(-y1 // tile_height)
    return Codestream(y1 - y0, x1 - x0, components, (depth & 0x7F) + 1, signed=depth >= 0x80, tiles=tiles)


def _check_tiles_complete(data: bytes, at: int) -> None:
    """Raise TRUNCATED where a tile-part is shorter than it says (A.4.2), or has no length and no end of codestream follows."""
    while data[at : at + 2] == b"\xff\x90":
        if len(data) < at + 12:
            raise ImageRefused(Reason.TRUNCATED, "the JPEG 2000 stream ends within a tile's head")
        length = struct.unpack_from(">I", data, at + 6)[0]
        if length < 14:  # 0: up to the end of the codestream
            if data.find(END_MARK, at) < 0:
                raise ImageRefused(Reason.TRUNCATED, "the JPEG 2000 stream has no end of codestream")
            return
        at += length
    if at > len(data):
        raise ImageRefused(Reason.TRUNCATED, "the JPEG 2000 stream ends within a tile")

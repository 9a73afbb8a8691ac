"""PNG and JPEG files, which have no header to speak of: their size, their orientation, and their pixels the right way up.

A decoder library reads much that has nothing to do with pixels: profiles, comments, previews. It is given none of that, so that nothing
in it can fail, cost time or cost memory. What is left is checked first.
"""

import io
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from schemas.reasons import Reason
from screening.dicom import codestream, colour
from screening.dicom.limits import Limits
from screening.dicom.pixels import StoredPixels
from screening.errors import ImageRefused
from screening.ingest.preprocess import fitted_size

PNG_START = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 1 << 16  # of a PNG file; an encoder that writes 4 KiB at a time needs as many for 256 MiB
_PIXEL_CHUNKS = frozenset([b"IHDR", b"PLTE", b"IDAT", b"IEND"])  # the critical ones, PNG (third edition) 11.2
_COMMENT = 0xFE
_APPLICATION = frozenset(range(0xE1, 0xF0)) - {0xEE}  # APP1 to APP15; APP0 (JFIF) and APP14 (Adobe) tell the colour space
_EXIF_START, _XMP_START = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_XMP_KEYWORD, _PROFILE_KEYWORD = b"XML:com.adobe.xmp\0", b"Raw profile type exif\0"  # of PNG text chunks
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_MAX_PROFILE_BYTES = 1 << 18  # inflated; an EXIF block has 64 KiB at most
_ORIENTATION_TAG = 0x0112
_INTEGER_TYPES = {1: "B", 3: "H", 4: "I"}  # BYTE, SHORT, LONG of TIFF 6.0
# EXIF orientation → whether the picture is first transposed, then turned upside down, then mirrored, to be seen upright
_TURNS = {
    2: (False, False, True), 3: (False, True, True), 4: (False, True, False),
    5: (True, False, False), 6: (True, False, True), 7: (True, True, True), 8: (True, True, False),
}  # fmt: skip
_GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L")
# what Pillow raises for a broken file
_DECODER_ERRORS = (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)


@dataclass(frozen=True)
class ImageFile:
    """What a file says of itself: the size in which it is stored, how it is turned, and the parts that hold its pixels."""

    height: int
    width: int
    orientation: int  # 1 to 8, EXIF 4.6.5
    parts: list[memoryview]

    @property
    def shown_size(self) -> tuple[int, int]:
        """(height, width) of the picture as it is to be seen."""
        is_transposed = self.orientation in _TURNS and _TURNS[self.orientation][0]
        return (self.width, self.height) if is_transposed else (self.height, self.width)


def is_image_file(data: bytes | memoryview) -> bool:
    """Tell whether the bytes start as a PNG or JPEG file."""
    return bytes(data[:8]) == PNG_START or codestream.is_jpeg(data)


def read_image_file(data: bytes | memoryview) -> ImageFile:
    """Read size and orientation. Raises TRUNCATED, CORRUPT, SEVERAL_FRAMES, IMPLAUSIBLE_COMPRESSION."""
    buffer = memoryview(data)
    return _read_png(buffer) if bytes(buffer[:8]) == PNG_START else _read_jpeg(buffer)


def decode_image_file(file: ImageFile, limits: Limits) -> StoredPixels:
    """Return the grey values, without a look-up table of any kind, upright and with a sample of the colours where there are any.

    Raises TRUNCATED, CORRUPT, IMPLAUSIBLE_COMPRESSION.
    """
    data = b"".join(file.parts)
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG"]) as image:
            is_deep, is_grey = image.mode.startswith("I"), image.mode in _GREY_MODES
            limits.check_expansion(image.width * image.height * (2 if is_deep else len(image.getbands())), len(data))
            if image.format == "JPEG":
                image.draft("L", fitted_size(image.height, image.width)[::-1])
            values = np.asarray(image if is_deep or image.mode == "L" else image.convert("L"))
            colours = None if is_grey else colour.sample_of_jpeg(data) if image.format == "JPEG" else colour.sample_of_image(image)
    except _DECODER_ERRORS as error:
        if "truncated" in str(error).lower():
            raise ImageRefused(Reason.TRUNCATED, "the image file ends early; send it again") from None
        raise ImageRefused(Reason.CORRUPT, "the image file cannot be decoded") from None
    reduction = max(1, round(file.width / values.shape[1]))
    extent = (0.0, 0.0, file.height / reduction, file.width / reduction)
    values, extent = _turned(values, extent, file.orientation)
    return StoredPixels(values, extent, 16 if is_deep else 8, False, not is_deep, colours)


def _turned(
    values: np.ndarray, extent: tuple[float, float, float, float], orientation: int
) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Return (h, w) values and the part of them that is the image, upright."""
    if orientation not in _TURNS:
        return values, extent
    transposed, upside_down, mirrored = _TURNS[orientation]
    top, left, bottom, right = extent
    if transposed:
        values, (top, left, bottom, right) = values.T, (left, top, right, bottom)
    height, width = values.shape
    if upside_down:
        values, top, bottom = values[::-1], height - bottom, height - top
    if mirrored:
        values, left, right = values[:, ::-1], width - right, width - left
    return np.ascontiguousarray(values), (top, left, bottom, right)


def _read_jpeg(buffer: memoryview) -> ImageFile:
    stream = codestream.read_jpeg(buffer)
    parts, exif, xmp = [buffer[:2]], b"", b""
    for segment in codestream.jpeg_segments(buffer):
        content = segment.content
        if segment.marker in _APPLICATION and bytes(content[: len(_EXIF_START)]) == _EXIF_START:
            exif = exif or bytes(content[len(_EXIF_START) :])
        elif segment.marker in _APPLICATION and bytes(content[: len(_XMP_START)]) == _XMP_START:
            xmp = xmp or bytes(content)
        if segment.marker == codestream.JPEG_SCAN:
            parts.append(buffer[segment.start :])
        elif segment.marker not in _APPLICATION and segment.marker != _COMMENT:
            parts.append(buffer[segment.start : segment.start + 4 + len(content)])
    return ImageFile(stream.height, stream.width, orientation_of(exif, xmp), parts)


def _read_png(buffer: memoryview) -> ImageFile:
    parts, exif, xmp = [buffer[:8]], b"", b""
    for kind, chunk in _png_chunks(buffer):
        content = chunk[8:-4]
        if len(parts) == 1 and (kind != b"IHDR" or len(content) != 13):
            raise ImageRefused(Reason.CORRUPT, "the PNG file does not begin with its header")
        if kind == b"acTL" and len(content) >= 4 and struct.unpack_from(">I", content)[0] > 1:
            raise ImageRefused(Reason.SEVERAL_FRAMES, "an animated image")
        if kind == b"eXIf":
            exif = exif or bytes(content)
        elif kind == b"iTXt" and bytes(content[: len(_XMP_KEYWORD)]) == _XMP_KEYWORD:
            xmp = xmp or bytes(content)
        elif kind in (b"tEXt", b"zTXt") and bytes(content[: len(_PROFILE_KEYWORD)]) == _PROFILE_KEYWORD:
            exif = exif or _profile(content[len(_PROFILE_KEYWORD) :], is_deflated=kind == b"zTXt")
        if kind in _PIXEL_CHUNKS:
            parts.append(chunk)
    if len(parts) == 1:
        raise ImageRefused(Reason.TRUNCATED, "the image file ends within its header")
    width, height = struct.unpack_from(">II", parts[1], 8)
    return ImageFile(height, width, orientation_of(exif, xmp), parts)


def _png_chunks(buffer: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield kind and bytes of each chunk, with its length, kind and checksum. A missing end is for the decoder to judge.

    Raises TRUNCATED, CORRUPT.
    """
    at = len(PNG_START)
    for _ in range(MAX_CHUNKS):
        if at == len(buffer):
            return
        if len(buffer) < at + 12:
            raise ImageRefused(Reason.TRUNCATED, "the image file ends within a chunk")
        length, kind = struct.unpack_from(">I4s", buffer, at)
        if len(buffer) < at + 12 + length:
            raise ImageRefused(Reason.TRUNCATED, "the image file ends within a chunk")
        yield kind, buffer[at : at + 12 + length]
        if kind == b"IEND":
            return
        at += 12 + length
    raise ImageRefused(Reason.CORRUPT, f"the PNG file has more than {MAX_CHUNKS} chunks")


def _profile(content: memoryview, is_deflated: bool) -> bytes:
    """Return the EXIF block in a text chunk of ImageMagick: three lines of a head, then hexadecimal digits. b"" where it is broken."""
    try:
        text = zlib.decompressobj().decompress(content[1:], _MAX_PROFILE_BYTES) if is_deflated else bytes(content[:_MAX_PROFILE_BYTES])
        return bytes.fromhex("".join(text.decode("latin-1").split("\n")[3:])).removeprefix(_EXIF_START)
    except (zlib.error, ValueError):
        return b""


def orientation_of(exif: bytes, xmp: bytes) -> int:
    """Return the orientation, 1 to 8, that an EXIF block (a TIFF file without pixels) or else an XMP packet states; 1 where none does."""
    stated = _exif_orientation(exif)
    if stated is None and (match := _XMP_ORIENTATION.search(xmp)):
        stated = int(match[1])
    return stated if stated in _TURNS else 1


def _exif_orientation(exif: bytes) -> int | None:
    """Return the Orientation (0112) of the first directory (TIFF 6.0 section 2); None where there is none."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    try:
        at = struct.unpack_from(f"{order}I", exif, 4)[0] if order else len(exif)
        for entry in range(struct.unpack_from(f"{order}H", exif, at)[0] if order else 0):
            tag, kind = struct.unpack_from(f"{order}HH", exif, at + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG and kind in _INTEGER_TYPES:
                return struct.unpack_from(f"{order}{_INTEGER_TYPES[kind]}", exif, at + 10 + 12 * entry)[0]
    except struct.error:  # the block ends early
        return None
    return None

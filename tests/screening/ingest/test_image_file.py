"""image_file: orientation against Pillow's own transposition, and PNG and JPEG files with parts that are none."""

import functools
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from schemas.reasons import Reason
from screening.errors import ImageRefused
from screening.ingest.config import IngestConfig
from screening.ingest.image_file import MAX_CHUNKS, orientation_of, read_image_file
from screening.ingest.ingest import Ingested, ingest
from tests.screening import hostile

ORIENTATION = 0x0112
QUICK = {"PNG": {"compress_level": 1}, "JPEG": {"quality": 95}}  # to write
# EXIF orientation → what turns an upright picture into what is stored: the reverse of what a viewer does
STORED_AS = {
    1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
}  # fmt: skip


def _ingest(data: bytes) -> Ingested:
    return ingest(data, IngestConfig(), None)


def _saved(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif[ORIENTATION] = orientation
    return exif


def _xmp(orientation: int) -> str:
    return f'<x:xmpmeta><rdf:Description tiff:Orientation="{orientation}"/></x:xmpmeta>'


def _stored(upright: Image.Image, orientation: int) -> Image.Image:
    method = STORED_AS[orientation]
    return upright if method is None else upright.transpose(method)


@functools.cache
def _upright(shape: tuple[int, int], bits: int, format: str) -> tuple[Image.Image, Ingested]:
    """A chest, and what ingest gives of it when it is stored upright."""
    upright = Image.fromarray(hostile.chest(*shape, bits))
    return upright, _ingest(_saved(upright, format, **QUICK[format]))


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize("shape", [(1301, 1100), (700, 900), (150, 131)])
def test_png_is_shown_upright_to_the_last_pixel(orientation: int, shape: tuple[int, int]):
    for bits in (8, 16):
        upright, expected = _upright(shape, bits, "PNG")
        data = _saved(_stored(upright, orientation), "PNG", exif=_exif(orientation), **QUICK["PNG"])
        with Image.open(io.BytesIO(data)) as image:
            assert np.array_equal(ImageOps.exif_transpose(image), upright)  # as others see it
        shown = _ingest(data)
        assert np.array_equal(shown.pixels, expected.pixels)
        assert shown.columns == expected.columns
        assert (shown.columns["Rows"], shown.columns["Columns"]) == shape


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize("shape", [(1301, 1100), (2100, 1750), (600, 500)])
def test_jpeg_is_shown_upright_at_every_reduction(orientation: int, shape: tuple[int, int]):
    """A side that is no multiple of the reduction leaves a part of a pixel at one edge, which moves to the other: no shift may come of it.

    The blocks of the coding lie elsewhere in a turned picture, so that noise comes out otherwise.
    """
    upright, expected = _upright(shape, 8, "JPEG")
    shown = _ingest(_saved(_stored(upright, orientation), "JPEG", exif=_exif(orientation), **QUICK["JPEG"]))
    assert (shown.columns["Rows"], shown.columns["Columns"]) == shape
    assert np.abs(shown.pixels.astype(int) - expected.pixels).mean() < 2
    for axis in (0, 1):
        back, _, forth = moved = [np.abs(np.roll(shown.pixels.astype(int), step, axis) - expected.pixels).mean() for step in (-1, 0, 1)]
        assert np.argmin(moved) == 1
        assert abs(back - forth) < 0.05


@pytest.mark.parametrize("orientation", [3, 6])
def test_orientation_in_xmp_and_in_old_text_chunks(orientation: int):
    """As Pillow reads them: EXIF first, then XMP, which a PNG file holds as text; ImageMagick wrote EXIF as hexadecimal text."""
    upright = Image.fromarray(hostile.chest(400, 300, 8))
    stored, text = _stored(upright, orientation), PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", _xmp(orientation))
    profile, deflated = PngImagePlugin.PngInfo(), PngImagePlugin.PngInfo()
    block = b"Exif\0\0" + _exif(orientation).tobytes().removeprefix(b"Exif\0\0")
    for info, is_deflated in ((profile, False), (deflated, True)):
        info.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{block.hex()}\n", zip=is_deflated)
    expected = _ingest(_saved(upright, "PNG")).pixels
    for info in (text, profile, deflated):
        assert np.array_equal(_ingest(_saved(stored, "PNG", pnginfo=info)).pixels, expected)
    assert read_image_file(_saved(stored, "JPEG", xmp=_xmp(orientation).encode())).orientation == orientation
    both = _saved(stored, "JPEG", xmp=_xmp(8).encode(), exif=_exif(orientation))
    assert read_image_file(both).orientation == orientation


@pytest.mark.parametrize("exif", [
    b"", b"II*\0", b"MM\0*\0\0\0\x08", b"II*\0\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff", b"what",
    b"II*\0\x08\0\0\0\1\0\x12\1\2\0\1\0\0\0a\0\0\0",
    b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\x09\0\0\0", b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\0\0\0\0",
])  # fmt: skip
def test_orientation_that_is_none(exif: bytes):
    assert orientation_of(exif, b"") == 1
    assert orientation_of(exif, b'tiff:Orientation="9"') == 1


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("kind", [b"iCCP", b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"gAMA", b"tRNS", b"sPLT", b"fcTL"])
@pytest.mark.parametrize(
    "content", [b"", b"\0", b"\xff" * 3, b"XML:com.adobe.xmp\0", b"Raw profile type exif\0", b"Raw profile type exif\0\nz\n9\nxyz"]
)
def test_chunks_that_say_nothing_of_pixels_break_nothing(kind: bytes, content: bytes):
    data = _saved(Image.fromarray(hostile.chest(200, 180, 8)), "PNG")
    spoilt = data[:33] + _chunk(kind, content) + data[33:-12] + _chunk(kind, content) + data[-12:]
    assert np.array_equal(_ingest(spoilt).pixels, _ingest(data).pixels)


@pytest.mark.parametrize("marker", [0xE1, 0xE2, 0xED, 0xFE])
@pytest.mark.parametrize(
    "content",
    [b"", b"Exif\0\0", b"Exif\0\0MM\0*", b"MPF\0", b"MPF\0II*\0\x08\0\0\0\xff\xff", b"ICC_PROFILE\0", b"http://ns.adobe.com/xap/1.0/\0"],
)
def test_segments_that_say_nothing_of_pixels_break_nothing(marker: int, content: bytes):
    data = _saved(Image.fromarray(hostile.chest(200, 180, 8)), "JPEG")
    segment = struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
    assert np.array_equal(_ingest(data[:2] + segment + data[2:]).pixels, _ingest(data).pixels)


def test_broken_files_have_their_reasons():
    data = _saved(Image.fromarray(hostile.chest(200, 180, 8)), "PNG")
    frames = _saved(Image.fromarray(hostile.chest(200, 180, 8)), "PNG", save_all=True, append_images=[Image.new("L", (180, 200))])
    cases = {
        data[:8]: Reason.TRUNCATED,
        data[:30]: Reason.TRUNCATED,
        data[:-300]: Reason.TRUNCATED,
        data[:8] + _chunk(b"IDAT", b"x") + data[8:]: Reason.CORRUPT,
        data[:8] + _chunk(b"IHDR", b"x") + data[8:]: Reason.CORRUPT,
        data[:33] + _chunk(b"IDAT", b"what is not deflated") + data[-12:]: Reason.CORRUPT,
        data[:33] + _chunk(b"teSt", b"") * MAX_CHUNKS + data[33:]: Reason.CORRUPT,
        frames: Reason.SEVERAL_FRAMES,
    }
    for spoilt, reason in cases.items():
        refusal = _ingest(spoilt).refusal
        assert refusal is not None
        assert refusal.reason == reason, refusal


def test_a_missing_end_is_forgiven_where_no_pixel_is_missing():
    data = _saved(Image.fromarray(hostile.chest(200, 180, 8)), "PNG")
    assert np.array_equal(_ingest(data[:-12]).pixels, _ingest(data).pixels)


@pytest.mark.parametrize(("format", "mode"), [
    ("PNG", "LA"), ("PNG", "P"), ("PNG", "RGB"), ("PNG", "RGBA"), ("JPEG", "L"), ("JPEG", "RGB"), ("JPEG", "CMYK"),
])  # fmt: skip
def test_grey_pictures_in_every_mode(format: str, mode: str):
    grey = Image.fromarray(hostile.chest(300, 280, 8))
    image = grey.quantize(256, dither=Image.Dither.NONE) if mode == "P" else grey.convert("RGB").convert(mode) if mode != "L" else grey
    shown = _ingest(_saved(image, format, **({"quality": 95} if format == "JPEG" else {})))
    assert np.abs(shown.pixels.astype(int) - _ingest(_saved(grey, "PNG")).pixels).mean() < 2


def test_read_image_file_says_what_is_stored_and_what_is_shown():
    stored = Image.fromarray(hostile.chest(200, 180, 8))
    for orientation in STORED_AS:
        file = read_image_file(_saved(stored, "PNG", exif=_exif(orientation)))
        assert (file.height, file.width, file.orientation) == (200, 180, orientation)
        assert file.shown_size == ((200, 180) if orientation < 5 else (180, 200))
    with pytest.raises(ImageRefused):
        read_image_file(b"\xff\xd8\xff\xd9")

"""codestream: sizes and coding styles against the encoders that wrote them, and headers that make no sense."""

import io
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from schemas.reasons import Reason
from screening.dicom import codestream
from screening.errors import ImageRefused
from tests.screening import hostile

CHEST = hostile.chest(300, 280, 8)


def _jpeg(**options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(CHEST).save(file, "JPEG", **options)
    return file.getvalue()


def _reason(read: object, stream: bytes) -> Reason | None:
    try:
        read(stream)
    except ImageRefused as refusal:
        return refusal.reason
    return None


@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_jpeg_headers(kind: type):
    for stream, marker in ((_jpeg(), 0xC0), (_jpeg(progressive=True), 0xC2), (imagecodecs.jpeg8_encode(CHEST, lossless=True), 0xC3)):
        header = codestream.read_jpeg(kind(stream))
        assert (header.height, header.width, header.components, header.precision, header.frame_marker) == (300, 280, 1, 8, marker)
    assert codestream.read_jpeg(imagecodecs.jpegls_encode(CHEST)).is_jpeg_ls


def test_fill_bytes_before_a_marker_mean_nothing():
    stream = _jpeg()
    filled = stream[:2] + b"\xff" * 1000 + stream[2:]
    assert codestream.read_jpeg(filled) == codestream.read_jpeg(stream)


@pytest.mark.parametrize("resolutions", [1, 4])
@pytest.mark.parametrize("blocks", [(32, 32), (64, 64)])
def test_jpeg_2000_headers(resolutions: int, blocks: tuple[int, int]):
    file = io.BytesIO()
    options = {"tile_size": (128, 128), "codeblock_size": blocks, "precinct_size": (128, 128), "num_resolutions": resolutions}
    Image.fromarray(CHEST).save(file, "JPEG2000", no_jp2=True, **options)
    header = codestream.read_jpeg_2000(file.getvalue())
    assert (header.height, header.width, header.components, header.tiles) == (300, 280, 1, 9)
    assert header.reductions == resolutions - 1


def test_tiles_may_have_a_coding_style_of_their_own():
    """The resolution can be halved as often as the tile with the fewest levels allows."""
    stream = imagecodecs.jpeg2k_encode(CHEST, level=0, codecformat="J2K", reversible=True, resolutions=4)
    main, tile = stream.index(b"\xff\x52"), stream.index(b"\xff\x90")
    style = bytearray(stream[main : main + 4 + struct.unpack_from(">H", stream, main + 2)[0] - 2])
    style[9] = 1
    length = struct.unpack_from(">I", stream, tile + 6)[0]
    own = stream[: tile + 6] + struct.pack(">I", length + len(style)) + stream[tile + 10 : tile + 12] + style + stream[tile + 12 :]
    assert codestream.read_jpeg_2000(stream).reductions == 3
    assert codestream.read_jpeg_2000(bytes(own)).reductions == 1


def test_broken_jpeg_headers():
    stream = _jpeg()
    frame = stream.index(b"\xff\xc0")
    cases = {
        b"\xff\xd8": Reason.TRUNCATED,
        stream[:frame]: Reason.TRUNCATED,
        stream[:2] + b"\0" + stream[2:]: Reason.CORRUPT,
        stream[: frame + 2] + b"\0\1" + stream[frame + 4 :]: Reason.CORRUPT,
        stream[: frame + 5] + bytes(4) + stream[frame + 9 :]: Reason.CORRUPT,
        stream[:-2]: Reason.TRUNCATED,
    }
    for broken, reason in cases.items():
        assert _reason(codestream.read_jpeg, broken) == reason


def test_broken_jpeg_2000_headers():
    stream = imagecodecs.jpeg2k_encode(CHEST, level=0, codecformat="J2K", reversible=True)
    style, tile = stream.index(b"\xff\x52"), stream.index(b"\xff\x90")
    cases = {
        b"\xff\x4f": Reason.CORRUPT,
        stream[:tile]: Reason.TRUNCATED,
        stream[: tile + 11]: Reason.TRUNCATED,
        stream[:style] + bytes(4) + stream[style:]: Reason.CORRUPT,
        stream[: style + 2] + b"\0\5" + stream[style + 4 : style + 7] + stream[tile:]: Reason.CORRUPT,
        stream[:2] + stream[style:]: Reason.CORRUPT,
        stream[:4] + b"\0\6\0\0\0\0" + stream[style:]: Reason.CORRUPT,
    }
    for broken, reason in cases.items():
        assert _reason(codestream.read_jpeg_2000, broken) == reason


def test_scans_are_counted_against_the_size():
    """Nobody encodes an image in 65 scans; a very large one not in 10 either, which would take a decoder minutes."""
    scan = b"\xff\xda\0\x08\1\1\0\0\x3f\0"

    def stream(side: int, scans: int) -> bytes:
        return b"\xff\xd8\xff\xc2" + struct.pack(">HBHHB", 11, 8, side, side, 1) + b"\1\x11\0" + scan * scans + b"\xff\xd9"

    assert _reason(codestream.read_jpeg, stream(3000, 10)) is None
    assert _reason(codestream.read_jpeg, stream(3000, 64)) is None
    assert _reason(codestream.read_jpeg, stream(3000, 65)) == Reason.IMPLAUSIBLE_COMPRESSION
    assert _reason(codestream.read_jpeg, stream(30_000, 1)) is None
    assert _reason(codestream.read_jpeg, stream(30_000, 2)) == Reason.IMPLAUSIBLE_COMPRESSION


def test_a_large_radiograph_in_usual_parts_passes():
    stream = bytearray(imagecodecs.jpeg2k_encode(np.zeros((64, 64), np.uint16), level=0, codecformat="J2K", reversible=True))
    at = stream.index(b"\xff\x51")
    struct.pack_into(">II", stream, at + 6, 8000, 8000)  # Xsiz, Ysiz
    struct.pack_into(">II", stream, at + 22, 512, 512)  # XTsiz, YTsiz
    assert codestream.read_jpeg_2000(bytes(stream)).tiles == 256

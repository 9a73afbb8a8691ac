"""colour: luma and samples of colours against Pillow's conversion, palettes, and what is no palette."""

import io

import numpy as np
import pytest
from PIL import Image

from schemas.reasons import Reason
from screening.dicom import colour
from screening.dicom.header import read_dicom
from screening.dicom.limits import Limits
from screening.errors import ImageRefused
from tests.screening import hostile

PICTURE = np.random.default_rng(6).integers(0, 256, (300, 260, 3)).astype(np.uint8)
YCBCR = np.asarray(Image.fromarray(PICTURE).convert("YCbCr"))


def test_luma_is_that_of_pillow():
    assert np.abs(colour.luma_of(PICTURE, is_ycbcr=False) - YCBCR[..., 0]).max() < 1.1  # Pillow cuts off
    assert np.array_equal(colour.luma_of(YCBCR, is_ycbcr=True), YCBCR[..., 0])


def test_samples_have_luma_and_chroma_around_zero():
    expected = YCBCR[:256:, :256].reshape(-1, 3).astype(float) - [0, 128, 128]
    small = np.ascontiguousarray(PICTURE[:256, :256])
    assert np.abs(colour.sample_of(small, 8, is_ycbcr=False) - expected).max() < 1.2
    assert np.abs(colour.sample_of(YCBCR[:256, :256], 8, is_ycbcr=True) - expected).max() <= 0.5
    deep = small.astype(np.uint16) * 257
    assert np.abs(colour.sample_of(deep, 16, is_ycbcr=False) - expected).max() < 1.2
    assert len(colour.sample_of(np.zeros((3000, 2000, 3), np.uint8), 8, is_ycbcr=False)) < 4 * 256**2


def test_samples_of_files_are_those_of_their_pixels():
    image = Image.fromarray(np.kron(PICTURE[:8, :8], np.ones((64, 64, 1), np.uint8)))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=98, subsampling=0)
    expected = colour.sample_of(np.asarray(image), 8, is_ycbcr=False).mean(axis=0)
    assert np.abs(colour.sample_of_jpeg(file.getvalue()).mean(axis=0) - expected).max() < 2
    assert np.abs(colour.sample_of_image(image).mean(axis=0) - expected).max() < 2


def _with_palette(descriptor: list[int], data: bytes):
    elements = {}
    for name in ("Red", "Green", "Blue"):
        elements |= {f"{name}PaletteColorLookupTableDescriptor": descriptor, f"{name}PaletteColorLookupTableData": data}
    return read_dicom(hostile.changed(**elements), Limits()).header


def test_palettes_of_either_width():
    indices = np.array([[0, 1, 2, 5]], np.uint8)
    for header in (
        _with_palette([3, 1, 8], bytes([0, 100, 255, 0])),
        _with_palette([3, 1, 16], np.array([0, 25700, 65535], "<u2").tobytes()),
        _with_palette([3, 1, 12], np.array([0, 1606, 4095], "<u2").tobytes()),
    ):
        luma, colours = colour.through_palette(indices, 0, 8, header)
        assert np.abs(luma - [[0, 0, 100, 255]]).max() < 0.1
        assert np.abs(colours[:, 1:]).max() < 0.1


@pytest.mark.parametrize(("descriptor", "data"), [
    ([256, 0, 16], b""), ([256, 0, 16], bytes(100)), ([4, 0, 0], bytes(8)), ([4, 0, 1025], bytes(8)), ([4, 0, 17], bytes(8)),
    ([4, 0], bytes(8)),
])  # fmt: skip
def test_what_is_no_palette(descriptor: list[int], data: bytes):
    with pytest.raises(ImageRefused) as refusal:
        colour.through_palette(np.zeros((2, 2), np.uint8), 0, 8, _with_palette(descriptor, data))
    assert refusal.value.reason == Reason.CORRUPT
    with pytest.raises(ImageRefused, match="indices of 32 bits"):
        colour.through_palette(np.zeros((2, 2), np.uint32), 0, 32, _with_palette([4, 0, 16], bytes(8)))


def test_indices_beyond_the_bits_of_the_header_take_the_last_entry():
    header = _with_palette([2, 0, 16], b"\0\0\xff\xff")
    assert colour.through_palette(np.array([[0, 4095]], np.uint16), 0, 8, header)[0] == pytest.approx(np.array([[0, 255]]), abs=0.1)

"""pixels: every transfer syntax and bit layout against pydicom at full resolution, windowed first and resized last."""

import dataclasses
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.datadict import tag_for_keyword
from pydicom.pixels import apply_color_lut

from schemas.reasons import Reason
from screening.benchmark.decode import our_decode
from screening.dicom import pixels
from screening.dicom.encoders import TRANSFER_SYNTAXES
from screening.dicom.header import read_dicom
from screening.dicom.limits import Limits
from screening.dicom.pixels import PixelLayout
from screening.dicom.writer import Coding, Lut, build_dataset, to_bytes, write_dicom
from screening.errors import ImageRefused
from screening.ingest import preprocess
from tests.screening import hostile
from tests.screening.plain_decode import area_resize, fitted, plain_pixels, windowed

LIMITS = Limits()
# Mean absolute differences in grey levels of 256. A quarter is rounding. A reduced resolution is a slightly sharper picture than the mean
# over areas, and window-first clips noise before the mean: the phantoms' noise shows both more than the real radiographs below.
EXACT, REDUCED = 0.6, 2.0


def _stored(data: bytes, size: int = 512) -> pixels.StoredPixels:
    file = read_dicom(data, LIMITS)
    return pixels.decode(file, PixelLayout.of(file.header), size, LIMITS)


def _real(name: str) -> bytes:
    return Path(get_testdata_file(f"{name}.dcm")).read_bytes()


def _syntaxes() -> list[tuple[str, int]]:
    return [(name, bits) for name, syntax in TRANSFER_SYNTAXES.items() for bits in (8, 12, 16) if bits in syntax.bits]


@pytest.mark.parametrize(("name", "bits"), _syntaxes())
def test_every_transfer_syntax_at_full_resolution(name: str, bits: int):
    """Below 1024 pixels nothing is reduced: lossless codings give back each stored value."""
    values = hostile.chest(620, 560, bits)
    stored = _stored(write_dicom(values, hostile.attributes(), Coding(bits), name))
    assert stored.values.shape == values.shape
    if not TRANSFER_SYNTAXES[name].lossy:
        assert np.array_equal(stored.values, values)
    else:
        difference = np.abs(stored.values.astype(int) - values)
        assert difference.mean() < 0.012 * (1 << bits)
        assert np.corrcoef(stored.values.ravel(), values.ravel())[0, 1] > 0.99  # no value wrapped round


@pytest.mark.parametrize("name", [name for name, syntax in TRANSFER_SYNTAXES.items() if syntax.signed])
def test_signed_pixels(name: str):
    values = hostile.chest(620, 560, 12).astype(np.int16) - 2048
    stored = _stored(write_dicom(values, hostile.attributes(), Coding(12), name))
    assert stored.signed
    if TRANSFER_SYNTAXES[name].lossy:
        assert np.corrcoef(stored.values.ravel(), values.ravel())[0, 1] > 0.99
    else:
        assert np.array_equal(stored.values, values)


@pytest.mark.parametrize("name", TRANSFER_SYNTAXES)
@pytest.mark.parametrize("signed", [False, True])
def test_reduced_resolution_agrees_with_window_first(name: str, signed: bool):
    """At 1400 pixels JPEG 2000, HTJ2K and 8-bit JPEG are decoded at half size: the picture must be the same, and in the same place."""
    syntax = TRANSFER_SYNTAXES[name]
    if signed and not syntax.signed:
        pytest.skip("this coding has no signed pixels")
    bits = 8 if syntax.bits == (8,) else 12
    values = hostile.chest(1400, 1180, bits)
    values = values.astype(np.int16) - 2048 if signed else values
    center = 0.0 if signed else 2.0 ** (bits - 1)
    coding = Coding(bits, windows=((center, 0.8 * 2**bits),))
    dataset = build_dataset(values, hostile.attributes(), coding, "explicit_little_endian")
    expected = area_resize(windowed(values, dataset), *fitted(*values.shape))
    ours = our_decode(write_dicom(values, hostile.attributes(), coding, name))
    shifted = {move: np.abs(np.roll(ours, move, axis=1)[20:-20, 20:-20] - expected[20:-20, 20:-20]).mean() for move in (-1, 0, 1)}
    reduced = name == "jpeg_baseline" or "2k" in name or "2000" in name
    assert np.abs(ours - expected).mean() < (REDUCED if reduced or syntax.lossy else EXACT)
    assert min(shifted, key=shifted.get) == 0


@pytest.mark.parametrize("coding", [
    Coding(12),
    Coding(12, "MONOCHROME1", windows=((1800.0, 3000.0), (100.0, 50.0))),
    Coding(12, windows=((1800.5, 3000.0),), VOILUTFunction="LINEAR_EXACT"),
    Coding(12, windows=((2000.0, 1500.0),), VOILUTFunction="SIGMOID"),
    Coding(12, RescaleSlope=0.5, RescaleIntercept=-300, windows=((700.0, 1500.0),)),
    Coding(12, voi_lut=Lut(tuple(int(65535 * (i / 4095) ** 0.6) for i in range(4096)), 0, 16)),
    Coding(12, voi_lut=Lut(tuple(int(4095 / (1 + np.exp(-(i - 1500) / 300))) for i in range(3000)), 500, 12)),
    Coding(12, modality_lut=Lut(tuple(int(65535 * (i / 4095) ** 2) for i in range(4096)), 0, 16), windows=((20000.0, 40000.0),)),
], ids=["percentiles", "monochrome1", "linear_exact", "sigmoid", "rescale", "voi_lut", "steep_voi_lut", "modality_lut"])  # fmt: skip
@pytest.mark.parametrize("shape", [(620, 560), (1400, 1180)])
def test_tables_agree_with_pydicom_windowing_first(coding: Coding, shape: tuple[int, int]):
    """Resizing before the tables instead of after costs less than one and a half grey levels, also for tables that are far from linear.

    Percentiles of the resized image lie closer together than those of its noisy pixels: another window, by design.
    """
    data = write_dicom(hostile.chest(*shape, 12), hostile.attributes(), coding)
    assert np.abs(our_decode(data) - plain_pixels(data)).mean() < (3 if coding == Coding(12) else 1.5)


@pytest.mark.parametrize(("name", "limit"), [("RG1_UNCR", 0.3), ("RG1_UNCI", 0.3), ("RG1_J2KR", 0.5), ("RG1_J2KI", 0.5),
                                             ("RG3_UNCR", 0.3), ("RG3_J2KR", 0.5), ("RG3_J2KI", 0.5)])  # fmt: skip
def test_real_radiographs_agree_with_pydicom(name: str, limit: float):
    data = _real(name)
    difference = np.abs(our_decode(data) - plain_pixels(data))
    assert difference.mean() < limit
    assert difference.max() < 14


ODD_FILES = ["JPGLosslessP14SV1_1s_1f_8b", "JPEG-LL", "image_dfl", "mlut_18", "vlut_04", "693_J2KR"]
ODD_FILES += ["J2K_pixelrep_mismatch", "explicit_VR-UN"]


@pytest.mark.parametrize("name", ODD_FILES)
def test_odd_real_files_agree_with_pydicom(name: str):
    data = _real(name)
    assert np.abs(our_decode(data) - plain_pixels(data)).mean() < 0.6


COLOUR_FILES = ["SC_rgb", "SC_rgb_expb_16bit", "SC_rgb_rle", "SC_rgb_rle_16bit", "SC_rgb_dcmtk_+eb+cy+n1", "SC_rgb_jpeg_dcmtk"]
COLOUR_FILES += ["SC_rgb_gdcm_KY", "SC_ybr_full_422_uncompressed", "SC_rgb_jls_lossy_line", "color-px", "color-pl"]


@pytest.mark.parametrize("name", COLOUR_FILES)
def test_colour_becomes_luma(name: str):
    dataset = pydicom.dcmread(get_testdata_file(f"{name}.dcm"))
    luma = dataset.pixel_array.astype(float) @ [0.299, 0.587, 0.114]
    ours = _stored(_real(name))
    assert ours.colour
    assert np.abs(ours.values - luma).mean() < 0.006 * 2**dataset.BitsStored


@pytest.mark.parametrize("name", ["examples_palette", "OBXXXX1A", "OBXXXX1A_rle"])
def test_palette_becomes_luma(name: str):
    dataset = pydicom.dcmread(get_testdata_file(f"{name}.dcm"))
    colour = apply_color_lut(dataset.pixel_array, dataset)
    luma = colour @ np.array([0.299, 0.587, 0.114]) * (255 / (65535 if colour.dtype == np.uint16 else 255))
    ours = _stored(_real(name))
    assert ours.colour
    assert np.abs(ours.values - luma).max() < 1.1


def test_palette_in_big_endian():
    """pydicom does not swap these tables' bytes, so the little endian twin is the reference."""
    assert np.array_equal(_stored(_real("OBXXXX1A_expb")).values, _stored(_real("OBXXXX1A")).values)


def test_bits_outside_bits_stored_are_ignored():
    """Overlays of old units live in the high bits (PS3.5 8.1.1, retired)."""
    values = hostile.chest()
    dataset = build_dataset(values, hostile.attributes(), hostile.CODING)
    dataset.PixelData = (values | np.uint16(0xA000)).tobytes()
    assert np.array_equal(_stored(to_bytes(dataset)).values, values)
    dataset.HighBit, dataset.PixelData = 15, (values << 4 | 9).astype("<u2").tobytes()
    assert np.array_equal(_stored(to_bytes(dataset)).values, values)
    dataset.HighBit, dataset.PixelRepresentation = 11, 1
    dataset.PixelData = ((values.astype(np.int16) - 2048).view(np.uint16) & 0x0FFF | 0x3000).astype("<u2").tobytes()
    assert np.array_equal(_stored(to_bytes(dataset)).values, values.astype(np.int16) - 2048)


def test_codestream_rules_over_a_wrong_transfer_syntax():
    data = hostile.good("jpeg_2000_lossless")
    mislabelled = data.replace(b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.4.70")
    assert np.array_equal(_stored(mislabelled).values, hostile.chest())


@pytest.mark.parametrize("part", [slice(None, 60), slice(60, 61)])
def test_fragments_are_joined(part: slice):
    from pydicom.encaps import encapsulate, generate_fragments

    dataset = build_dataset(hostile.chest(), hostile.attributes(), hostile.CODING, "jpeg_2000_lossless")
    frame = max(generate_fragments(dataset.PixelData), key=len)
    dataset.PixelData = encapsulate([frame], fragments_per_frame=5)
    assert np.array_equal(_stored(to_bytes(dataset)).values, hostile.chest())


@pytest.mark.parametrize("name", ["explicit_little_endian", "explicit_big_endian", "jpeg_2000_lossless", "rle"])
def test_pixels_of_unknown_representation_are_read_by_the_dictionary(name: str):
    """A program that does not know the image's elements writes them with UN (PS3.5 6.2.2), pixel data included."""
    data = hostile.good(name)
    unknown = hostile.untyped(data, 0x0028, 0x7FE0)
    assert read_dicom(unknown, LIMITS).pixel_vr == "UN"
    assert np.array_equal(_stored(unknown).values, hostile.chest())
    assert np.array_equal(our_decode(unknown), our_decode(data))


@pytest.mark.parametrize("items", ["explicit_little_endian", "implicit_little_endian"])
def test_tables_of_unknown_representation_are_read_too(items: str):
    """Their items should be in implicit form, and often are not."""
    table = hostile.table(np.linspace(0, 65535, 4096).astype("<u2").tobytes(), 4096)
    data, written = hostile.changed(VOILUTSequence=[table]), hostile.changed(items, VOILUTSequence=[table])
    places = [read_dicom(file, LIMITS).header.elements[tag_for_keyword("VOILUTSequence")] for file in (data, written)]
    value = written[places[1].start : places[1].start + places[1].length]
    head = data[places[0].start - 12 : places[0].start - 8] + b"UN\0\0" + len(value).to_bytes(4, "little")
    unknown = data[: places[0].start - 12] + head + value + data[places[0].start + places[0].length :]
    assert np.array_equal(our_decode(unknown), our_decode(data))


def test_chroma_of_pairs_needs_pairs():
    dataset = pydicom.dcmread(get_testdata_file("SC_ybr_full_422_uncompressed.dcm"))
    dataset.Columns -= 1
    with pytest.raises(ImageRefused, match="99, an odd number") as refusal:
        _stored(to_bytes(dataset))
    assert refusal.value.reason == Reason.CORRUPT


@pytest.mark.parametrize("name", ["SC_rgb", "SC_ybr_full_422_uncompressed", "SC_rgb_dcmtk_+eb+cy+n1", "SC_rgb_gdcm_KY", "examples_palette"])
def test_colour_images_bring_a_sample_of_their_colours(name: str):
    dataset = pydicom.dcmread(get_testdata_file(f"{name}.dcm"))
    colours = apply_color_lut(dataset.pixel_array, dataset) >> 8 if "palette" in name else dataset.pixel_array
    expected = np.asarray(Image.fromarray(colours.astype(np.uint8)).convert("YCbCr")).reshape(-1, 3).mean(axis=0) - [0, 128, 128]
    assert np.abs(_stored(_real(name)).colours.mean(axis=0) - expected).max() < 3
    assert _stored(_real("RG1_UNCR")).colours is None


def test_jpeg_2000_of_one_resolution_may_not_be_as_large_as_others(monkeypatch: pytest.MonkeyPatch):
    """A decoder needs 12 bytes and more for each sample, and a second for ten million."""
    data = hostile.good("jpeg_2000_lossless")
    monkeypatch.setattr("screening.dicom.codestream.MAX_J2K_SAMPLES", 100_000)
    assert max(_stored(data, 256).values.shape) == 310
    with pytest.raises(ImageRefused) as refusal:
        _stored(data, 512)
    assert refusal.value.reason == Reason.TOO_LARGE


def test_layout_is_checked():
    layout = PixelLayout(10, 10, 1, 16, 12, 11)
    for broken in ({"rows": 0}, {"bits_allocated": 12}, {"bits_stored": 17}, {"high_bit": 3}, {"samples": 2}):
        with pytest.raises(ImageRefused) as refusal:
            dataclasses.replace(layout, **broken)._check()
        assert refusal.value.reason == Reason.CORRUPT


def test_sizes_follow_the_aspect_ratio():
    assert preprocess.fitted_size(2500, 2048) == (512, 419)
    assert preprocess.fitted_size(100, 4000) == (13, 512)

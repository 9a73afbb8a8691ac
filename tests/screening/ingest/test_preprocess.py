"""preprocess: area means against a matrix of overlaps, look-up tables against the formulas of PS3.3, padding."""

import numpy as np
import pytest
from pydicom.datadict import tag_for_keyword

from schemas.reasons import Reason
from screening.benchmark.decode import our_decode
from screening.dicom.elements import Element
from screening.dicom.header import read_dicom
from screening.dicom.limits import Limits
from screening.dicom.pixels import StoredPixels
from screening.dicom.writer import Coding, build_dataset, to_bytes, write_dicom
from screening.errors import ImageRefused
from screening.ingest import preprocess
from tests.screening import hostile
from tests.screening.plain_decode import area_resize


@pytest.mark.parametrize(
    ("shape", "size"), [((2500, 2048), (512, 419)), ((513, 700), (375, 512)), ((512, 512), (512, 512)), ((640, 97), (512, 78))]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32])
def test_resize_is_the_mean_over_exact_areas(shape: tuple[int, int], size: tuple[int, int], dtype: type):
    values = np.random.default_rng(5).integers(0, 255, shape).astype(dtype)
    resized = preprocess.resize(values, (0.0, 0.0, *map(float, shape)), *size)
    assert resized.dtype == np.float32
    assert np.abs(resized - area_resize(values, *size)).max() < 1e-3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_an_image_of_its_final_size_keeps_its_values(dtype: type):
    values = np.arange(48 * 32).reshape(48, 32).astype(dtype)
    resized = preprocess.resize(values, (0.0, 0.0, 48.0, 32.0), 48, 32)
    np.testing.assert_array_equal(resized, values.astype(np.float32))
    assert not np.shares_memory(resized, values)


@pytest.mark.parametrize(("length", "count"), [(512, 16), (419, 16), (17, 16), (16, 16)])
def test_shares_of_pixels_are_those_of_resize(length: int, count: int):
    values = np.random.default_rng(6).uniform(0, 255, (length, length)).astype(np.float32)
    shares = preprocess.area_shares(length, count)
    assert shares.sum(axis=1) == pytest.approx(1)
    assert np.abs(shares @ values @ shares.T - area_resize(values, count, count)).max() < 1e-3


@pytest.mark.parametrize("kind", ["uniform", "few values", "all alike", "ascending", "dark but for a corner"])
@pytest.mark.parametrize("size", [1, 63, 64, 65, 5000, 262_144])
def test_an_order_statistic_is_what_sorting_gives(kind: str, size: int):
    random = np.random.default_rng(7)
    values = {
        "uniform": random.uniform(-1, 1, size),
        "few values": random.integers(0, 3, size),
        "all alike": np.full(size, 4095),
        "ascending": np.arange(size),
        "dark but for a corner": np.where(np.arange(size) % 64, random.uniform(0, 1, size), 9),  # all that is sampled is bright
    }[kind].astype(np.float32)
    for place in {0, size // 200, size // 2, size - 1}:
        assert preprocess.order_statistic(values, place) == np.sort(values)[place]


def test_resize_of_a_part():
    values = np.arange(1000.0, dtype=np.float32).repeat(700).reshape(1000, 700)
    resized = preprocess.resize(values, (0.375, 0.0, 1000.375, 700.0), 500, 350)
    assert np.allclose(resized[:-1, 0], np.arange(499) * 2 + 0.5 + 0.375, atol=1e-3)  # row i covers [i, i + 1)


def test_small_images_grow_smoothly():
    assert preprocess.resize(np.full((200, 150), 7, np.uint16), (0, 0, 200, 150), 512, 384) == pytest.approx(7)


def test_letterbox_and_mask_lie_where_the_pixels_lie():
    mask = np.zeros((2000, 1000), bool)
    mask[500:1500, 250:750] = True
    placed = preprocess.fit_mask(mask)
    stored = StoredPixels(mask.astype(np.uint8), (0.0, 0.0, 2000.0, 1000.0), 8, False, False)
    image = preprocess.letterbox(preprocess.fit(stored, 2000, 1000, None).values)
    assert placed.shape == (512, 512)
    assert np.array_equal(placed, image >= 0.5)
    assert np.array_equal(np.argwhere(placed)[[0, -1]], [[128, 192], [383, 319]])


@pytest.mark.parametrize("shape", [(2500, 2048), (2048, 2501), (2100, 2100)])
def test_a_mask_goes_back_to_the_pixels_that_it_came_from(shape: tuple[int, int]):
    height, width = preprocess.fitted_size(*shape)
    top, left = (512 - height) // 2, (512 - width) // 2
    placed = np.zeros((512, 512), bool)
    placed[top : top + height, left : left + width] = np.random.default_rng(0).random((height, width)) < 0.5
    back = preprocess.unletterbox(placed, *shape)
    assert back.shape == shape
    assert np.array_equal(preprocess.fit_mask(back), placed)


def test_each_source_pixel_takes_the_value_that_its_centre_fell_into():
    numbered = np.arange(512 * 512).reshape(512, 512)
    back = preprocess.unletterbox(numbered, 300, 700)  # 219 x 512, so 146 rows of padding above
    for row, column in ((0, 0), (299, 699), (150, 350), (7, 411)):
        assert back[row, column] == numbered[146 + int((row + 0.5) / 300 * 219), int((column + 0.5) / 700 * 512)]


def _header(**elements: object):
    return read_dicom(hostile.changed(**elements), Limits()).header


def test_window_functions_by_hand():
    """C.11.2.1.2: center 100, width 11 runs from 94.5 to 104.5 in LINEAR, from 94.5 to 105.5 in LINEAR_EXACT."""
    values = np.array([0, 94.5, 99.5, 104.5, 200], np.float32)
    linear = preprocess.voi_shown(values, _header(WindowCenter="100", WindowWidth="11"), signed=False)
    assert linear == pytest.approx([0, 0, 0.5, 1, 1])
    exact = preprocess.voi_shown(values, _header(WindowCenter="100", WindowWidth="11", VOILUTFunction="LINEAR_EXACT"), signed=False)
    assert exact == pytest.approx([0, 0, 5 / 11, 10 / 11, 1])
    sigmoid = preprocess.voi_shown(
        np.array([100.0, 111.0]), _header(WindowCenter="100", WindowWidth="11", VOILUTFunction="SIGMOID"), signed=False
    )
    assert sigmoid == pytest.approx([0.5, 1 / (1 + np.exp(-4))])
    assert preprocess.voi_shown(values, _header(WindowCenter="100", WindowWidth="0"), signed=False) is None


@pytest.mark.parametrize(("slope", "intercept"), [
    ("1e39", "0"), ("-1e39", "0"), ("1", "1e39"), ("1e31", "0"), ("0", "0"), ("0", "5"), ("1e-12", "0"), ("nan", "0"), ("1", "inf"),
    ("1e400", "0"), ("one", "0"), ("1", "none"), ("1", "1e9"),
])  # fmt: skip
def test_rescaling_that_no_number_survives_is_refused(slope: str, intercept: str):
    header = _header(RescaleSlope="1", RescaleIntercept="0", RescaleType="US")
    for keyword, text in (("RescaleSlope", slope), ("RescaleIntercept", intercept)):
        header.elements[tag_for_keyword(keyword)] = Element("DS", len(header.buffer), len(text))
        header.buffer = memoryview(bytes(header.buffer) + text.encode())
    with pytest.raises(ImageRefused, match=r"Rescale") as refusal:
        preprocess.modality_lut(header, 0, 4095)
    assert refusal.value.reason == Reason.CORRUPT


@pytest.mark.parametrize(("slope", "intercept", "shown"), [
    (None, None, 7.0), ("1", "0", 7.0), ("0.5", "-1024", -1020.5), ("-1", "4095", 4088.0), ("0.0001", "0", 0.0007),
    ("2.5e3", "1e6", 1017500.0),
])  # fmt: skip
def test_rescaling(slope: str | None, intercept: str | None, shown: float):
    elements = {"RescaleSlope": slope, "RescaleIntercept": intercept} if slope else {}
    assert preprocess.modality_lut(_header(**elements), 0, 4095)(np.array([7.0], np.float32)) == pytest.approx([shown])


@pytest.mark.parametrize(("center", "width"), [("1e39", "100"), ("100", "1e300"), ("nan", "5"), ("100", "0.5")])
def test_windows_of_no_use_are_none(center: str, width: str):
    header = _header(WindowCenter="1", WindowWidth="1")
    for keyword, text in (("WindowCenter", center), ("WindowWidth", width)):
        header.elements[tag_for_keyword(keyword)] = Element("DS", len(header.buffer), len(text))
        header.buffer = memoryview(bytes(header.buffer) + text.encode())
    assert preprocess.voi_shown(np.array([5.0], np.float32), header, signed=False) is None


def test_first_of_several_windows_counts():
    assert preprocess.voi_shown(np.array([50.0]), _header(WindowCenter=["50.5", "900"], WindowWidth=["101", "10"]), False) == pytest.approx(
        [0.5]
    )


def test_monochrome1_and_inverse_shape_mean_one_inversion():
    assert not preprocess.is_inverted(_header())
    for elements in ({"PhotometricInterpretation": "MONOCHROME1"}, {"PresentationLUTShape": "INVERSE"}):
        assert preprocess.is_inverted(_header(**elements))
    assert preprocess.is_inverted(_header(PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE"))


@pytest.mark.parametrize("transfer_syntax", ["explicit_little_endian", "implicit_little_endian", "jpeg_2000_lossless", "jpeg_ls_lossless"])
@pytest.mark.parametrize(("low", "high"), [(4095, None), (4000, 4095), (0, None)])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_moves_no_window(transfer_syntax: str, low: int, high: int | None, photometric: str):
    values = np.clip(hostile.chest(1400, 1180), 50, 3900)
    padded = values.copy()
    padded[:150] = padded[:, -200:] = low
    coding = Coding(12, photometric, PixelPaddingValue=low, PixelPaddingRangeLimit=high)
    with_padding = our_decode(write_dicom(padded, hostile.attributes(), coding, transfer_syntax))
    assert (with_padding[:50] == 0).all()
    assert (with_padding[:, -68:] == 0).all()
    alone = our_decode(write_dicom(values, hostile.attributes(), Coding(12, photometric), transfer_syntax))
    inside = np.s_[60:-5, 5:-80]
    assert np.abs(with_padding[inside].astype(int) - alone[inside]).mean() < 4  # the population of the percentiles is a part of the image


def test_padding_range():
    assert preprocess.padding_range(_header()) is None
    dataset = build_dataset(hostile.chest().astype(np.int16) - 2048, hostile.attributes(), Coding(12, PixelPaddingValue=-2048))
    assert preprocess.padding_range(read_dicom(to_bytes(dataset), Limits()).header) == (-2048, -2048)


def test_eight_bits_without_a_window_are_shown_as_they_are():
    values = hostile.chest(512, 430, 8)
    shown = our_decode(write_dicom(values, hostile.attributes(), Coding(8)))
    assert np.array_equal(shown, values)


def test_luts_of_either_sign_and_width():
    header = read_dicom(write_dicom(hostile.chest(), hostile.attributes(), Coding(12, voi_lut=_lut())), Limits()).header
    assert preprocess.voi_shown(np.array([0.0, 100, 101.5, 103, 9999]), header, False) == pytest.approx([0, 0, 0.3, 1, 1], abs=1e-4)


def _lut():
    from screening.dicom.writer import Lut

    return Lut((0, 13107, 26214, 65535), 100, 16)

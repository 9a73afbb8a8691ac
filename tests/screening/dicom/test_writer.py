"""What the writer makes is valid DICOM, is really coded as its transfer syntax says, and decodes to what went in."""

import io

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.pixels import apply_modality_lut, apply_voi_lut, get_decoder

from screening.dicom.writer import TRANSFER_SYNTAXES, Coding, Lut, age_string, build_dataset, to_bytes, write_dicom
from screening.errors import UsageError
from tests.dicom_files import dciodvfy_errors, decode, picture, study

CASES = [(name, bits) for name, syntax in TRANSFER_SYNTAXES.items() for bits in syntax.bits]
SIGNED = [name for name, syntax in TRANSFER_SYNTAXES.items() if syntax.signed]


def pydicom_decodes(name: str) -> bool:
    """Whether pydicom can be the second opinion: its plugins read only 8 of the 12 bits of JPEG extended."""
    uid = TRANSFER_SYNTAXES[name].uid
    return name != "jpeg_extended" and (not uid.is_encapsulated or get_decoder(uid).is_available)


@pytest.mark.parametrize("modality", ["CR", "DX"])
@pytest.mark.parametrize("name", TRANSFER_SYNTAXES)
def test_dciodvfy_finds_no_error(name, modality, tmp_path):
    for bits in TRANSFER_SYNTAXES[name].bits:
        data = write_dicom(picture(bits), study(modality), Coding(bits), name)
        assert dciodvfy_errors(data, tmp_path) == []


@pytest.mark.parametrize(("name", "bits"), CASES)
def test_pixels_come_back(name, bits):
    pixels, syntax = picture(bits), TRANSFER_SYNTAXES[name]
    decoded = decode(write_dicom(pixels, study(), Coding(bits), name))
    assert decoded.shape == pixels.shape
    error = np.abs(decoded.astype(int) - pixels)
    assert decoded.max() < 2**bits
    assert error.max() <= (2**bits * 0.025 if syntax.lossy else 0)


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize("bits", [12, 16])
def test_signed_pixels_come_back(name, bits):
    pixels = picture(bits, signed=True)
    data = write_dicom(pixels, study(), Coding(bits), name)
    assert pydicom.dcmread(io.BytesIO(data)).PixelRepresentation == 1
    assert np.abs(decode(data).astype(int) - pixels).max() <= (2**bits * 0.025 if TRANSFER_SYNTAXES[name].lossy else 0)


@pytest.mark.parametrize(("name", "bits"), [case for case in CASES if pydicom_decodes(case[0])])
def test_pydicom_decodes_the_same(name, bits):
    data = write_dicom(picture(bits), study(), Coding(bits), name)
    theirs = pydicom.dcmread(io.BytesIO(data)).pixel_array
    np.testing.assert_allclose(theirs, decode(data), atol=1 if name == "jpeg_baseline" else 0)


def test_same_arguments_give_the_same_bytes():
    for name, syntax in TRANSFER_SYNTAXES.items():
        bits = syntax.bits[0]
        assert write_dicom(picture(bits), study(), Coding(bits), name) == write_dicom(picture(bits), study(), Coding(bits), name)


@pytest.mark.parametrize("name", ["implicit_little_endian", "explicit_big_endian", "jpeg_2000_lossless"])
def test_grey_scale_attributes_mean_what_they_say(name, tmp_path):
    pixels = picture(12, signed=True)
    coding = Coding(
        12, RescaleSlope=0.5, RescaleIntercept=100, windows=((700, 900), (600, 300)), VOILUTFunction="SIGMOID", PixelPaddingValue=-2048,
        PixelPaddingRangeLimit=-2040,
    )  # fmt: skip
    data = write_dicom(pixels, study(), coding, name)
    assert dciodvfy_errors(data, tmp_path) == []
    dataset = pydicom.dcmread(io.BytesIO(data))
    assert (dataset.PixelPaddingValue, dataset.PixelPaddingRangeLimit, dataset.WindowCenter[1]) == (-2048, -2040, 600)
    rescaled = apply_modality_lut(pixels, dataset)
    np.testing.assert_allclose(rescaled, pixels * 0.5 + 100)
    windowed = apply_voi_lut(rescaled, dataset)
    scale = (windowed - windowed.min()) / (windowed.max() - windowed.min())
    sigmoid = 1 / (1 + np.exp(-4 * (rescaled - 700) / 900))
    np.testing.assert_allclose(scale, (sigmoid - sigmoid.min()) / (sigmoid.max() - sigmoid.min()), atol=1e-6)


@pytest.mark.parametrize("name", ["implicit_little_endian", "explicit_little_endian", "explicit_big_endian"])
def test_lookup_tables(name, tmp_path):
    pixels = picture(10)
    square = [int(value) for value in np.arange(1024) ** 2 // 17]
    coding = Coding(10, modality_lut=Lut(square, 0, 16, "square"), voi_lut=Lut(list(range(65535, -1, -16)), 20000, 16, "negative"))
    data = write_dicom(pixels, study(), coding, name)
    assert dciodvfy_errors(data, tmp_path) == []
    dataset = pydicom.dcmread(io.BytesIO(data))
    after = apply_modality_lut(pixels, dataset)
    np.testing.assert_array_equal(after, np.asarray(square)[pixels])
    np.testing.assert_array_equal(apply_voi_lut(after, dataset), 65535 - 16 * np.clip(after.astype(int) - 20000, 0, 4095))


def test_lossy_syntaxes_say_so():
    for name, syntax in TRANSFER_SYNTAXES.items():
        dataset = build_dataset(picture(syntax.bits[0]), study(), Coding(syntax.bits[0]), name)
        assert dataset.LossyImageCompression == ("01" if syntax.lossy else "00")
        assert ("LossyImageCompressionMethod" in dataset) == syntax.lossy


def test_a_coded_frame_is_kept_as_it_is(tmp_path):
    frame = imagecodecs.jpeg8_encode(picture(8), level=80)
    data = to_bytes(build_dataset(frame, study(), Coding(8), "jpeg_baseline", shape=(131, 95)))
    assert dciodvfy_errors(data, tmp_path) == []
    kept = next(generate_frames(pydicom.dcmread(io.BytesIO(data)).PixelData, number_of_frames=1))
    assert kept[: len(frame)] == frame


@pytest.mark.parametrize(
    ("pixels", "coding", "name", "modality", "message"),
    [
        (picture(12), Coding(12), "jpeg", "CR", "known are implicit_little_endian"),
        (picture(12), Coding(12), "jpeg_baseline", "CR", "not 12"),
        (picture(12), Coding(8), "explicit_little_endian", "CR", "8 bits"),
        (picture(12), Coding(10), "explicit_little_endian", "CR", "0 to 1023"),
        (picture(12, True), Coding(12), "jpeg_ls_near_lossless", "CR", "signed"),
        (picture(12, True), Coding(12), "explicit_little_endian", "DX", "write signed or rescaled pixels as CR"),
        (picture(12), Coding(12), "explicit_little_endian", "CT", "known are CR, DX"),
    ],
)
def test_what_does_not_fit_is_refused(pixels, coding, name, modality, message):
    with pytest.raises(UsageError, match=message):
        write_dicom(pixels, study(modality), coding, name)


def test_age_string():
    assert [age_string(years) for years in (0.05, 0.5, 1.9, 2, 45.9, 102)] == ["018D", "006M", "022M", "002Y", "045Y", "102Y"]

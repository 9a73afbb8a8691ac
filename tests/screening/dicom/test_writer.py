"""What the writer makes is valid DICOM, is really coded as its transfer syntax says, and decodes to what went in."""

import io

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.pixels import apply_modality_lut, apply_voi_lut, get_decoder

from screening.dicom.encoders import encode_rle
from screening.dicom.uids import uid_of
from screening.dicom.writer import TRANSFER_SYNTAXES, Coding, Lut, age_string, build_dataset, to_bytes, write_dicom
from screening.errors import UsageError
from tests.dicom_files import dciodvfy_errors, decode, picture, study

CASES = [(name, bits) for name, syntax in TRANSFER_SYNTAXES.items() for bits in syntax.bits]
SIGNED = [name for name, syntax in TRANSFER_SYNTAXES.items() if syntax.signed]


def pydicom_decodes(name: str) -> bool:
    """Whether pydicom can be the second opinion: its plugins read only 8 of the 12 bits of JPEG extended."""
    uid = TRANSFER_SYNTAXES[name].uid
    return name != "jpeg_extended" and (not uid.is_encapsulated or get_decoder(uid).is_available)


def markers(frame: bytes) -> dict[int, bytes]:
    """The marker segments of a JPEG-family stream before its entropy-coded data, without marker and length."""
    found, at = {}, 2
    while frame[at] == 0xFF and frame[at + 1] not in (0x90, 0x93, 0xD9):
        length = int.from_bytes(frame[at + 2 : at + 4])
        found[frame[at + 1]] = frame[at + 4 : at + 2 + length]
        if frame[at + 1] == 0xDA:
            break
        at += 2 + length
    return found


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


def test_each_stream_is_of_its_syntax():
    frames = {}
    for name, syntax in TRANSFER_SYNTAXES.items():
        if syntax.encode:
            dataset = build_dataset(picture(syntax.bits[-1], shape=(300, 200)), study(), Coding(syntax.bits[-1]), name)
            frames[name] = markers(next(generate_frames(dataset.PixelData, number_of_frames=1))) if name != "rle" else {}
    start_of_frame = {name: [marker for marker in found if marker in (0xC0, 0xC1, 0xC3, 0xF7, 0x51)] for name, found in frames.items()}
    assert start_of_frame == {"rle": [], "jpeg_baseline": [0xC0], "jpeg_extended": [0xC1]} | {
        "jpeg_lossless": [0xC3], "jpeg_lossless_sv1": [0xC3], "jpeg_ls_lossless": [0xF7], "jpeg_ls_near_lossless": [0xF7]
    } | {name: [0x51] for name in frames if "2" in name}  # fmt: skip
    assert frames["jpeg_extended"][0xC1][0] == 12
    # the scan header of one component: predictor of lossless JPEG, NEAR of JPEG-LS
    assert {name: found[0xDA][3] for name, found in frames.items() if 0xDA in found and "s" in name} == {
        "jpeg_baseline": 0, "jpeg_lossless": 4, "jpeg_lossless_sv1": 1, "jpeg_ls_lossless": 0, "jpeg_ls_near_lossless": 3
    }  # fmt: skip
    # CAP is what makes a codestream high-throughput; the last byte of COD is its wavelet: 1 reversible, 0 not
    assert {name for name, found in frames.items() if 0x50 in found} == {"htj2k_lossless", "htj2k_lossless_rpcl", "htj2k"}
    assert {name: found[0x52][9] for name, found in frames.items() if 0x52 in found} == {
        "jpeg_2000_lossless": 1, "jpeg_2000": 0, "htj2k_lossless": 1, "htj2k_lossless_rpcl": 1, "htj2k": 0
    }  # fmt: skip
    rpcl = frames["htj2k_lossless_rpcl"]
    assert (rpcl[0x52][1], 0x55 in rpcl) == (2, True)  # progression order RPCL, and a TLM segment
    assert 300 / 2 ** rpcl[0x52][5] <= 64


def test_rle_by_hand():
    """PS3.5 G.3.1: a run of n equal bytes is 257 - n and the byte; n bytes that differ are n - 1 and the bytes."""
    pixels = np.array([[1, 1, 1, 1], [1, 2, 3, 4]], np.uint16) + np.uint16(0x0700)
    high, low = b"\xfd\x07" * 2, b"\xfd\x01" + b"\x03\x01\x02\x03\x04" + b"\0"  # row by row; padded to an even length
    header = np.array([2, 64, 64 + len(high), *[0] * 13], "<u4").tobytes()
    assert encode_rle(pixels, 16) == header + high + low


@pytest.mark.parametrize(("bits", "signed"), [(8, False), (12, True), (16, False)])
def test_rle_decodes_with_imagecodecs(bits, signed):
    pixels = picture(bits, signed)
    dataset = build_dataset(pixels, study(), Coding(bits), "rle")
    decoded = np.zeros(pixels.size, f"u{pixels.itemsize}")
    imagecodecs.dicomrle_decode(next(generate_frames(dataset.PixelData, number_of_frames=1)), decoded.dtype, out=decoded.view(np.uint8))
    np.testing.assert_array_equal(decoded.view(pixels.dtype).reshape(pixels.shape), pixels)


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


def test_uids_are_valid_and_follow_their_names():
    assert uid_of("a", 1) == uid_of("a", "1") != uid_of("a", 2)
    assert pydicom.uid.UID(uid_of("a")).is_valid
    assert uid_of("a").startswith("2.25.")

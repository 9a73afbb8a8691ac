"""Each stream is coded as its transfer syntax says."""

import imagecodecs
import numpy as np
import pytest
from pydicom.encaps import generate_frames

from screening.dicom.encoders import TRANSFER_SYNTAXES, as_unsigned, encode_rle
from screening.dicom.writer import Coding, build_dataset
from tests.dicom_files import picture, study


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


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_signed_values_become_the_bits_of_their_twos_complement(bits: int) -> None:
    kind = np.int8 if bits == 8 else np.int16
    values = np.array([[-(1 << bits - 1), -1, 0, 1, (1 << bits - 1) - 1]], kind)
    unsigned = as_unsigned(values, bits)
    assert unsigned.dtype.kind == "u"
    assert unsigned.tolist() == [[1 << bits - 1, (1 << bits) - 1, 0, 1, (1 << bits - 1) - 1]]


def test_every_syntax_has_a_name_and_a_uid_of_its_own() -> None:
    assert all(syntax.name == name for name, syntax in TRANSFER_SYNTAXES.items())
    assert len({syntax.uid for syntax in TRANSFER_SYNTAXES.values()}) == len(TRANSFER_SYNTAXES)

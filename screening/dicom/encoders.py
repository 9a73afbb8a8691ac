"""Every transfer syntax in use for radiographs (PS3.5 annex A), and how one frame is encoded in it.

Needs only numpy, pydicom and imagecodecs. The table `TRANSFER_SYNTAXES` is the only list of them that the writer knows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import imagecodecs
import numpy as np
from pydicom import uid
from pydicom.pixels.encoders import RLELosslessEncoder

_HEADROOM = 64  # lossy coders overshoot: keep 1/64 of the range free at both ends, or decoded values leave BitsStored
_NEAR = 3  # largest error of one pixel in near-lossless JPEG-LS
_HTJ2K_STEP = 0.001  # quantisation step as a share of the range of the stored values
_J2K_DECIBELS = 60  # peak signal to noise ratio of lossy JPEG 2000
_JPEG_QUALITY = 95

EncodeFrame = Callable[[np.ndarray, int], bytes]


@dataclass(frozen=True)
class TransferSyntax:
    """One way to code the pixels of a DICOM file."""

    name: str  # ours, used on the command line
    uid: uid.UID  # TransferSyntaxUID (0002,0010)
    encode: EncodeFrame | None = None  # (pixels (rows, columns), BitsStored) -> one frame; None where pixels are stored raw
    bits: tuple[int, ...] = (8, 10, 12, 14, 16)  # BitsStored that the coder can hold (PS3.5 section 8.2)
    signed: bool = True  # whether PixelRepresentation may be 1
    lossy_method: str = ""  # LossyImageCompressionMethod (0028,2114); empty where nothing is lost

    @property
    def lossy(self) -> bool:
        """Whether the decoded pixels differ from those that went in."""
        return bool(self.lossy_method)


def as_unsigned(pixels: np.ndarray, bits: int) -> np.ndarray:
    """Return the two's complement bit pattern of `pixels` in `bits` bits, for coders that know no sign (PS3.5 section 8.2.1)."""
    if pixels.dtype.kind == "u":
        return np.ascontiguousarray(pixels)
    unsigned = pixels.view(pixels.dtype.str.replace("i", "u"))
    return np.ascontiguousarray(unsigned & unsigned.dtype.type((1 << bits) - 1))


def _with_headroom(pixels: np.ndarray, bits: int) -> np.ndarray:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if pixels.dtype.kind == "i" else (0, (1 << bits) - 1)
    margin = (1 << bits) // _HEADROOM
    return np.clip(pixels, low + margin, high - margin)


def encode_rle(pixels: np.ndarray, bits: int) -> bytes:
    """Return one RLE frame (PS3.5 annex G), by pydicom's own encoder.

    pydicom would prefer GDCM's, which is faster. It is not everywhere and gives other bytes; the same arguments must give the same.
    """
    layout = {"rows": pixels.shape[0], "columns": pixels.shape[1], "samples_per_pixel": 1, "number_of_frames": 1}
    sample = {"bits_allocated": 8 * pixels.itemsize, "bits_stored": bits, "pixel_representation": int(pixels.dtype.kind == "i")}
    return RLELosslessEncoder.encode(pixels, encoding_plugin="pydicom", photometric_interpretation="MONOCHROME2", **layout, **sample)


def _jpeg_baseline(pixels: np.ndarray, bits: int) -> bytes:
    return imagecodecs.jpeg8_encode(pixels, level=_JPEG_QUALITY)


def _jpeg_extended(pixels: np.ndarray, bits: int) -> bytes:
    return imagecodecs.jpeg8_encode(pixels, level=_JPEG_QUALITY, bitspersample=12)


def _jpeg_lossless(pixels: np.ndarray, bits: int) -> bytes:
    """Process 14 with a predictor other than 1, so that it is really the general one (PS3.5 section A.4.2)."""
    return imagecodecs.jpeg8_encode(as_unsigned(pixels, bits), lossless=True, predictor=4, bitspersample=bits)


def _jpeg_lossless_sv1(pixels: np.ndarray, bits: int) -> bytes:
    return imagecodecs.jpeg8_encode(as_unsigned(pixels, bits), lossless=True, predictor=1, bitspersample=bits)


def _jpeg_ls_lossless(pixels: np.ndarray, bits: int) -> bytes:
    return imagecodecs.jpegls_encode(as_unsigned(pixels, bits))


def _jpeg_ls_near_lossless(pixels: np.ndarray, bits: int) -> bytes:
    return imagecodecs.jpegls_encode(np.clip(pixels, _NEAR, (1 << bits) - 1 - _NEAR), level=_NEAR)


def _jpeg_2000_lossless(pixels: np.ndarray, bits: int) -> bytes:
    return imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="J2K", reversible=True, bitspersample=bits)


def _jpeg_2000(pixels: np.ndarray, bits: int) -> bytes:
    limited = _with_headroom(pixels, bits)
    return imagecodecs.jpeg2k_encode(limited, level=_J2K_DECIBELS, codecformat="J2K", reversible=False, bitspersample=bits)


def _htj2k_lossless(pixels: np.ndarray, bits: int) -> bytes:
    return imagecodecs.htj2k_encode(pixels, reversible=True)


def _htj2k_lossless_rpcl(pixels: np.ndarray, bits: int) -> bytes:
    """Resolution first, with a table of tile-part lengths, so that a viewer can fetch a thumbnail alone (PS3.5 section A.4.9)."""
    levels = max(0, int(np.ceil(np.log2(max(pixels.shape) / 64))))  # the smallest resolution must fit into 64 x 64
    return imagecodecs.htj2k_encode(pixels, reversible=True, resolutions=levels, tlm=True, tilepart=imagecodecs.HTJ2K.TILEPART.RESOLUTIONS)


def _htj2k(pixels: np.ndarray, bits: int) -> bytes:
    # the coder's step is a share of the range of its samples, which have 8 bits a byte
    step = _HTJ2K_STEP * 2.0 ** (bits - 8 * pixels.dtype.itemsize)
    return imagecodecs.htj2k_encode(_with_headroom(pixels, bits), level=step, reversible=False)


_LIST = [
    TransferSyntax("implicit_little_endian", uid.ImplicitVRLittleEndian),
    TransferSyntax("explicit_little_endian", uid.ExplicitVRLittleEndian),
    TransferSyntax("explicit_big_endian", uid.ExplicitVRBigEndian),  # retired in 2006, still in archives
    TransferSyntax("deflated", uid.DeflatedExplicitVRLittleEndian),
    TransferSyntax("rle", uid.RLELossless, encode_rle),
    TransferSyntax("jpeg_baseline", uid.JPEGBaseline8Bit, _jpeg_baseline, (8,), False, "ISO_10918_1"),
    TransferSyntax("jpeg_extended", uid.JPEGExtended12Bit, _jpeg_extended, (12,), False, "ISO_10918_1"),
    TransferSyntax("jpeg_lossless", uid.JPEGLossless, _jpeg_lossless),
    TransferSyntax("jpeg_lossless_sv1", uid.JPEGLosslessSV1, _jpeg_lossless_sv1),
    TransferSyntax("jpeg_ls_lossless", uid.JPEGLSLossless, _jpeg_ls_lossless),
    TransferSyntax("jpeg_ls_near_lossless", uid.JPEGLSNearLossless, _jpeg_ls_near_lossless, signed=False, lossy_method="ISO_14495_1"),
    TransferSyntax("jpeg_2000_lossless", uid.JPEG2000Lossless, _jpeg_2000_lossless),
    TransferSyntax("jpeg_2000", uid.JPEG2000, _jpeg_2000, lossy_method="ISO_15444_1"),
    TransferSyntax("htj2k_lossless", uid.HTJ2KLossless, _htj2k_lossless),
    TransferSyntax("htj2k_lossless_rpcl", uid.HTJ2KLosslessRPCL, _htj2k_lossless_rpcl),
    TransferSyntax("htj2k", uid.HTJ2K, _htj2k, lossy_method="ISO_15444_15"),
]
TRANSFER_SYNTAXES: dict[str, TransferSyntax] = {syntax.name: syntax for syntax in _LIST}

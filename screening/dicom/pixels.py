"""Decodes pixel data of every transfer syntax in use into stored values, at a reduced resolution where the coding allows it.

Nothing here trusts the header to agree with the codestream: sizes are compared before a decoder is called, and the codestream itself,
not the transfer syntax, says which decoder that is, because files with the wrong one of two JPEG transfer syntaxes are common.
"""

import io
from dataclasses import dataclass, replace

import imagecodecs
import numpy as np
from PIL import Image
from pydicom.uid import UID_dictionary

from schemas.reasons import Reason
from screening.dicom import codestream, colour
from screening.dicom.codestream import Codestream
from screening.dicom.header import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, DicomFile, Header
from screening.dicom.limits import Limits
from screening.errors import ImageRefused

NATIVE = frozenset([IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED])
RLE = "1.2.840.10008.1.2.5"
ENCAPSULATED_NATIVE = "1.2.840.10008.1.2.1.98"
_JPEG = "1.2.840.10008.1.2.4."
CODESTREAMS = frozenset(_JPEG + part for part in ("50", "51", "57", "70", "80", "81", "90", "91", "201", "202", "203"))
SUPPORTED = NATIVE | CODESTREAMS | {RLE, ENCAPSULATED_NATIVE}


@dataclass(frozen=True)
class PixelLayout:
    """Image Pixel module (PS3.3 C.7.6.3), as far as decoding needs it."""

    rows: int
    columns: int
    samples: int = 1
    bits_allocated: int = 8
    bits_stored: int = 8
    high_bit: int = 7
    signed: bool = False
    planar: bool = False  # colour by plane
    photometric: str = "MONOCHROME2"

    @classmethod
    def of(cls, header: Header) -> "PixelLayout":
        """Read the layout. Raises CORRUPT where it is impossible."""
        allocated = header.integer("BitsAllocated", 16)
        stored = header.integer("BitsStored", allocated)
        layout = cls(
            rows=header.integer("Rows", 0),
            columns=header.integer("Columns", 0),
            samples=header.integer("SamplesPerPixel", 1),
            bits_allocated=allocated,
            bits_stored=stored,
            high_bit=header.integer("HighBit", stored - 1),
            signed=header.integer("PixelRepresentation", 0) == 1,
            planar=header.integer("PlanarConfiguration", 0) == 1,
            photometric=header.text("PhotometricInterpretation") or "MONOCHROME2",
        )
        layout._check()
        return layout

    def _check(self) -> None:
        if self.rows < 1 or self.columns < 1:
            raise ImageRefused(Reason.CORRUPT, "Rows or Columns is absent or zero")
        if self.bits_allocated not in (8, 16, 32) or self.samples not in (1, 3):
            raise ImageRefused(Reason.CORRUPT, f"BitsAllocated {self.bits_allocated} with SamplesPerPixel {self.samples} is not an image")
        if not 1 <= self.bits_stored <= self.high_bit + 1 <= self.bits_allocated:
            raise ImageRefused(Reason.CORRUPT, "BitsStored and HighBit do not fit into BitsAllocated")

    @property
    def decoded_bytes(self) -> int:
        """Bytes of the whole image when decoded."""
        return self.rows * self.columns * self.samples * self.bits_allocated // 8


@dataclass(frozen=True)
class StoredPixels:
    """Stored values before any look-up table.

    `values` is (h, w), integers or float32; h and w may be smaller than Rows and Columns. The image covers the part `extent` of it:
    (top, left, bottom, right) in pixels of `values`, fractional because a reduced resolution need not divide the size.
    `colours`, of a colour image, is (n, 3) float32: luma in [0, 255], Cb and Cr around 0 of a sample of its pixels.
    """

    values: np.ndarray
    extent: tuple[float, float, float, float]
    bits: int  # of one stored value
    signed: bool
    colour: bool  # the values are luma, ready to be shown
    colours: np.ndarray | None = None

    @property
    def value_range(self) -> tuple[int, int]:
        """The smallest and the largest value that can be stored."""
        return (-(1 << self.bits - 1), (1 << self.bits - 1) - 1) if self.signed else (0, (1 << self.bits) - 1)


def decode(file: DicomFile, layout: PixelLayout, size: int, limits: Limits) -> StoredPixels:
    """Return the stored values of a single-frame image with at least `size` pixels on its longer side, where it has them.

    Raises ImageRefused: NO_PIXELS, UNSUPPORTED_TRANSFER_SYNTAX, TRUNCATED, CORRUPT, TOO_LARGE, IMPLAUSIBLE_COMPRESSION.
    """
    if layout.photometric != "PALETTE COLOR":
        return _decode(file, layout, size, limits)
    entire = max(layout.rows, layout.columns)  # indices into a table have no mean
    stored = _decode(file, layout, entire, limits)
    luma, colours = colour.through_palette(stored.values, stored.value_range[0], stored.bits, file.header)
    return replace(stored, values=luma, bits=8, signed=False, colour=True, colours=colours)


def _decode(file: DicomFile, layout: PixelLayout, size: int, limits: Limits) -> StoredPixels:
    syntax = file.transfer_syntax
    if syntax not in SUPPORTED:
        raise ImageRefused(Reason.UNSUPPORTED_TRANSFER_SYNTAX, f"TransferSyntaxUID {printable_uid(syntax)} is not among those decoded here")
    if syntax in NATIVE:
        return _finish(_native(file.pixel_bytes(), layout, syntax != EXPLICIT_BIG, file.pixel_vr), layout)
    fragments = file.fragments()
    data = bytes(fragments[0]) if len(fragments) == 1 else b"".join(fragments)
    if syntax == ENCAPSULATED_NATIVE:
        return _finish(_native(memoryview(data), layout, little=True, vr="OB"), layout)
    limits.check_expansion(layout.decoded_bytes, len(data))
    try:
        if syntax == RLE:
            return _finish(_rle(data, layout), layout)
        if codestream.is_jpeg_2000(data):
            return _jpeg_2000(data, layout, size)
        if codestream.is_jpeg(data):
            return _jpeg(data, layout, size)
    except (ValueError, OSError, RuntimeError, SyntaxError, TypeError, IndexError, EOFError):  # what the decoders raise on bad streams
        raise ImageRefused(Reason.CORRUPT, "the compressed pixel data cannot be decoded") from None
    raise ImageRefused(Reason.CORRUPT, "the compressed pixel data start with no codestream that their transfer syntax allows")


def printable_uid(uid: str) -> str:
    """Return a UID fit for a message: one of DICOM's own (PS3.6 Annex A). Another could hold an identifier of the patient."""
    return uid if uid in UID_dictionary else "(not one of DICOM's)"


def _native(data: memoryview, layout: PixelLayout, little: bool, vr: str) -> np.ndarray:
    """Return native pixel data as (rows, columns) or (rows, columns, 3), without a copy where the byte order is the machine's."""
    subsampled = layout.photometric == "YBR_FULL_422" and layout.samples == 3
    if subsampled and layout.columns % 2:
        raise ImageRefused(Reason.CORRUPT, f"PhotometricInterpretation is YBR_FULL_422, but Columns is {layout.columns}, an odd number")
    expected = layout.decoded_bytes * 2 // 3 if subsampled else layout.decoded_bytes
    if len(data) < expected:
        raise ImageRefused(Reason.TRUNCATED, f"PixelData holds {len(data)} of {expected} bytes")
    dtype = np.dtype(f"{'<' if little else '>'}u{layout.bits_allocated // 8}")
    if not little and vr == "OW" and dtype.itemsize == 1:  # bytes lie in pairs of the wrong order, PS3.5 A.3 and 8.1.1
        values = np.frombuffer(data[: len(data) // 2 * 2], ">u2").astype("<u2").view(np.uint8)[:expected]
    else:
        values = np.frombuffer(data[:expected], dtype).astype(dtype.newbyteorder("="), copy=False)
    if subsampled:  # Y1 Y2 Cb Cr (PS3.3 C.7.6.3.1.2)
        pairs = values.reshape(-1, 4)
        return np.stack([pairs[:, :2], pairs[:, [2, 2]], pairs[:, [3, 3]]], axis=-1).reshape(layout.rows, layout.columns, 3)
    if layout.samples == 1:
        return values.reshape(layout.rows, layout.columns)
    if layout.planar:
        return np.moveaxis(values.reshape(3, layout.rows, layout.columns), 0, -1)
    return values.reshape(layout.rows, layout.columns, 3)


def _rle(data: bytes, layout: PixelLayout) -> np.ndarray:
    """Return an RLE image (PS3.5 annex G): one segment a byte plane, most significant first, colour by plane."""
    dtype = np.dtype(f"u{layout.bits_allocated // 8}")
    decoded = np.zeros(layout.decoded_bytes // dtype.itemsize, dtype)
    imagecodecs.dicomrle_decode(data, dtype, out=decoded.view(np.uint8))
    if layout.samples == 1:
        return decoded.reshape(layout.rows, layout.columns)
    return np.moveaxis(decoded.reshape(3, layout.rows, layout.columns), 0, -1)


def _jpeg(data: bytes, layout: PixelLayout, size: int) -> StoredPixels:
    stream = codestream.read_jpeg(data)
    _check_size(stream, layout)
    if stream.is_jpeg_ls:
        values = imagecodecs.jpegls_decode(data)
    elif stream.is_lossless or stream.precision > 8:
        values = imagecodecs.jpeg8_decode(data)
    elif stream.components == 3 and layout.photometric == "RGB" and not stream.adobe:
        values = imagecodecs.jpeg8_decode(data, colorspace="RGB", outcolorspace="RGB")  # no transform was applied, whatever libjpeg guesses
    else:
        return _jpeg_scaled(data, layout, size)
    return _finish(values, layout)


def _jpeg_scaled(data: bytes, layout: PixelLayout, size: int) -> StoredPixels:
    """Decode 8-bit JPEG as luma with a DCT of 1/2, 1/4 or 1/8 of the size, which is the mean over blocks of so many pixels."""
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        scale = size / max(image.size)
        image.draft("L", (int(image.width * scale), int(image.height * scale)))
        values = np.asarray(image if image.mode == "L" else image.convert("L"))
    reduction = max(1, round(layout.columns / values.shape[1]))
    extent = (0.0, 0.0, layout.rows / reduction, layout.columns / reduction)
    if layout.samples == 3:
        return StoredPixels(values, extent, layout.bits_stored, False, True, colour.sample_of_jpeg(data))
    return replace(_finish(values, layout), extent=extent)


def _jpeg_2000(data: bytes, layout: PixelLayout, size: int) -> StoredPixels:
    """Decode JPEG 2000 or HTJ2K at the smallest resolution level that is not smaller than `size`."""
    stream = codestream.read_jpeg_2000(data)
    _check_size(stream, layout)
    # two's complement in an unsigned codestream: neighbours of different sign must not be averaged before the sign is known
    wrapped = layout.signed and not stream.signed
    reduction = 0
    while not wrapped and reduction < stream.reductions and max(layout.rows, layout.columns) >> (reduction + 1) >= size:
        reduction += 1
    samples = (layout.rows >> reduction) * (layout.columns >> reduction) * layout.samples
    if samples > codestream.MAX_J2K_SAMPLES:
        raise ImageRefused(Reason.TOO_LARGE, f"{samples} samples of JPEG 2000 that cannot be decoded at a lower resolution")
    bare = data[data.find(codestream.J2K_START) :]  # without the boxes of a JP2 file, which have no place here and are often wrong
    with Image.open(io.BytesIO(bare), formats=["JPEG2000"]) as image:
        image.reduce = reduction
        image.load()
        values = np.asarray(image)
    if values.ndim == 3:
        stored = _finish(values[..., :3], replace(layout, bits_stored=8, high_bit=7, signed=False))
    else:
        stored = _finish_codes(values, stream, wrapped, layout)
    return replace(stored, extent=_wavelet_extent(layout, reduction))


def _finish_codes(values: np.ndarray, stream: Codestream, wrapped: bool, layout: PixelLayout) -> StoredPixels:
    """Undo Pillow's scaling of JPEG 2000 samples to the full range of 8 or 16 bits, and its offset of signed ones."""
    container = values.dtype.itemsize * 8
    shift = container - stream.precision
    codes = values >> shift if shift > 0 else values if shift == 0 else values.astype(np.int64) << -shift
    if stream.signed:
        codes = codes.astype(np.int32) - (1 << stream.precision - 1)
    elif wrapped:
        codes = sign_extended(codes.astype(np.int32), stream.precision)
    signed = stream.signed or wrapped
    return StoredPixels(codes, (0.0, 0.0, *map(float, codes.shape)), min(stream.precision, layout.bits_stored), signed, False)


def _wavelet_extent(layout: PixelLayout, reduction: int) -> tuple[float, float, float, float]:
    """Return where the image lies in a resolution level: its samples sit at every 2^r-th pixel, not at the middle of each 2^r pixels."""
    step = 1 << reduction
    first = 0.5 - 0.5 / step
    return first, first, first + layout.rows / step, first + layout.columns / step


def _check_size(stream: Codestream, layout: PixelLayout) -> None:
    if (stream.height, stream.width) != (layout.rows, layout.columns):
        raise ImageRefused(
            Reason.CORRUPT,
            f"Rows x Columns is {layout.rows} x {layout.columns}, the compressed image is {stream.height} x {stream.width}",
        )
    if stream.components != layout.samples:
        raise ImageRefused(Reason.CORRUPT, f"SamplesPerPixel is {layout.samples}, the compressed image has {stream.components}")
    if stream.tiles > codestream.MAX_TILES:
        raise ImageRefused(Reason.IMPLAUSIBLE_COMPRESSION, f"the JPEG 2000 stream states more than {codestream.MAX_TILES} tiles")
    if stream.precision > max(16, layout.bits_allocated):
        raise ImageRefused(Reason.CORRUPT, f"samples of {stream.precision} bits do not fit into BitsAllocated {layout.bits_allocated}")


def _finish(values: np.ndarray, layout: PixelLayout) -> StoredPixels:
    """Make stored values of what a decoder gave: bits outside BitsStored cleared, sign extended, colour reduced to luma."""
    extent = (0.0, 0.0, float(values.shape[0]), float(values.shape[1]))
    if layout.samples == 3:
        if values.ndim != 3 or values.shape[2] != 3:
            raise ImageRefused(Reason.CORRUPT, "SamplesPerPixel is 3, the compressed image has another number")
        is_ycbcr = layout.photometric.startswith("YBR_FULL")
        colours = colour.sample_of(values, layout.bits_stored, is_ycbcr)
        return StoredPixels(colour.luma_of(values, is_ycbcr), extent, layout.bits_stored, False, True, colours)
    if values.ndim != 2 or values.shape[0] > layout.rows or values.shape[1] > layout.columns:
        raise ImageRefused(Reason.CORRUPT, "the compressed image has another shape than its header says")
    unused = layout.high_bit + 1 - layout.bits_stored
    if unused:
        values = values >> unused
    if layout.signed:
        values = sign_extended(values.view(values.dtype.str.replace("u", "i")), layout.bits_stored)
    elif layout.bits_stored < 8 * values.dtype.itemsize and layout.bits_stored < layout.bits_allocated:
        values = values & values.dtype.type((1 << layout.bits_stored) - 1)
    return StoredPixels(values, extent, layout.bits_stored, layout.signed, False)


def sign_extended(values: np.ndarray, bits: int) -> np.ndarray:
    """Return signed integers whose lowest `bits` bits are two's complement, whatever the bits above hold."""
    unused = values.dtype.itemsize * 8 - bits
    if unused <= 0:
        return values
    extended = values << unused
    extended >>= unused  # in place, for an image may fill a quarter of a gigabyte
    return extended

"""The one way from the bytes of a file to pixels and columns: batch, training and serving all call `ingest`.

It never raises for a fault of the image: what cannot be scored comes back with the columns that could be read and a refusal.
"""

import hashlib
import io
import struct
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, UnidentifiedImageError

from schemas.reasons import Reason
from screening.dicom import codestream, pixels
from screening.dicom.header import is_dicom, read_dicom
from screening.dicom.pixels import PixelLayout, StoredPixels
from screening.errors import Fault, ImageRefused
from screening.ingest import gate, polarity, preprocess
from screening.ingest.config import IngestConfig
from screening.ingest.identity import header_columns
from screening.privacy import Pseudonymizer

PNG_START = b"\x89PNG\r\n\x1a\n"


@dataclass
class Ingested:
    """What ingest found. Exactly one of `pixels` and `refusal` is there.

    `columns` has keys among those of `schemas.instance.IDENTITY_COLUMNS`; `pixels` is (512, 512) uint8: air dark, bone
    bright, padding 0. `fault` says where an error came from that nobody foresaw, beside the refusal that it led to.
    """

    columns: dict[str, object] = field(default_factory=dict)
    pixels: np.ndarray | None = None
    refusal: ImageRefused | None = None
    fault: Fault | None = None


def ingest(data: bytes | memoryview, config: IngestConfig, pseudonymizer: Pseudonymizer | None) -> Ingested:
    """Decode one file, pass it through the gate, and replace its identifiers.

    Without a `pseudonymizer` (training on public images) rows have no patient_pseudonym, and no UIDs where these are to be replaced.
    """
    found = Ingested()
    try:
        if len(data) > config.limits.max_bytes:
            raise ImageRefused(Reason.TOO_LARGE, f"{len(data)} bytes, more than {config.limits.max_bytes}")
        if len(data) == 0:
            raise ImageRefused(Reason.TRUNCATED, "the file is empty")
        content, valid = _content(data, config, pseudonymizer, found.columns)
        gate.check_content(content, valid)
        content, found.columns["pixels_inverted"] = polarity.upright(content, valid)
        found.pixels = preprocess.letterbox(content)
        found.columns["pixel_hash"] = hashlib.sha256(found.pixels).hexdigest()[:32]
    except ImageRefused as refusal:
        found.refusal = refusal
    except MemoryError:
        found.refusal = ImageRefused(Reason.DECODER_DIED, "decoding needs more memory than it may have")
    return found


def _content(
    data: bytes | memoryview, config: IngestConfig, pseudonymizer: Pseudonymizer | None, columns: dict[str, object]
) -> tuple[np.ndarray, np.ndarray]:
    """Fill `columns` and return the image as (h, w) uint8 that fits 512 x 512, and which of its pixels are no padding."""
    if bytes(data[:8]) == PNG_START or codestream.is_jpeg(data):
        stored = _image_file(bytes(data), config, columns)
        fitted = preprocess.fit(stored, int(columns["Rows"]), int(columns["Columns"]), None)
        return preprocess.to_grey(fitted, stored, None), fitted.valid
    if not is_dicom(data):
        raise ImageRefused(Reason.NOT_DICOM, "starts as no DICOM, PNG or JPEG file does")
    file = read_dicom(data, config.limits)
    columns.update(header_columns(file, config, pseudonymizer))
    if file.fault is not None:
        raise file.fault
    header = file.header
    file.require_pixels()
    gate.check_header(header, config.min_age_years, config.limits, config.min_side)
    layout = PixelLayout.of(header)
    stored = pixels.decode(file, layout, preprocess.SIZE, config.limits)
    fitted = preprocess.fit(stored, layout.rows, layout.columns, preprocess.padding_range(header))
    return preprocess.to_grey(fitted, stored, header), fitted.valid


def _image_file(data: bytes, config: IngestConfig, columns: dict[str, object]) -> StoredPixels:
    """Decode a PNG or JPEG file as grey values, without a look-up table of any kind."""
    columns["Rows"], columns["Columns"] = _image_file_size(data)
    gate.check_size(columns["Rows"], columns["Columns"], config.limits, config.min_side)
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG"]) as image:
            config.limits.check_expansion(
                image.width * image.height * (2 if image.mode.startswith("I") else len(image.getbands())), len(data)
            )
            if getattr(image, "n_frames", 1) > 1:
                raise ImageRefused(Reason.SEVERAL_FRAMES, "an animated image")
            if image.format == "JPEG":
                image.draft("L", preprocess.fitted_size(image.height, image.width)[::-1])
            deep = image.mode.startswith("I")
            values = np.asarray(image if deep or image.mode == "L" else image.convert("L"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        if "truncated" in str(error).lower():
            raise ImageRefused(Reason.TRUNCATED, "the image file ends early; send it again") from None
        raise ImageRefused(Reason.CORRUPT, "the image file cannot be decoded") from None
    reduction = max(1, round(int(columns["Columns"]) / values.shape[1]))
    extent = (0.0, 0.0, int(columns["Rows"]) / reduction, int(columns["Columns"]) / reduction)
    return StoredPixels(values, extent, 16 if deep else 8, False, not deep)


def _image_file_size(data: bytes) -> tuple[int, int]:
    """Return (height, width) before any library allocates for them. Raises TRUNCATED, CORRUPT."""
    if data[:8] != PNG_START:
        stream = codestream.read_jpeg(data)
        return stream.height, stream.width
    if len(data) < 24:
        raise ImageRefused(Reason.TRUNCATED, "the image file ends within its header")
    width, height = struct.unpack_from(">II", data, 16)  # IHDR is the first chunk
    return height, width

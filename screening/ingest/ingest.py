"""The one way from the bytes of a file to pixels and columns: batch, training and serving all call `ingest`.

It never raises for a fault of the image: what cannot be scored comes back with the columns that could be read and a refusal.
"""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from schemas.reasons import Reason
from screening.dicom import pixels
from screening.dicom.header import is_dicom, read_dicom
from screening.dicom.pixels import PixelLayout, StoredPixels
from screening.errors import Fault, ImageRefused
from screening.ingest import gate, polarity, preprocess
from screening.ingest.config import IngestConfig
from screening.ingest.identity import header_columns
from screening.ingest.image_file import decode_image_file, is_image_file, read_image_file
from screening.privacy import Pseudonymizer


@dataclass
class Ingested:
    """What ingest ingested. Exactly one of `pixels` and `refusal` is there.

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
    ingested = Ingested()
    try:
        if len(data) > config.limits.max_bytes:
            raise ImageRefused(Reason.TOO_LARGE, f"{len(data)} bytes, more than {config.limits.max_bytes}")
        if len(data) == 0:
            raise ImageRefused(Reason.TRUNCATED, "the file is empty")
        content, valid = _content(data, config, pseudonymizer, ingested.columns)
        gate.check_content(content, valid)
        content, ingested.columns["pixels_inverted"] = polarity.upright(content, valid)
        if not is_dicom(data):  # no header says that it is a radiograph
            gate.check_drawing(content)
        ingested.pixels = preprocess.letterbox(content)
        ingested.columns["pixel_hash"] = hashlib.sha256(ingested.pixels).hexdigest()[:32]
    except ImageRefused as refusal:
        ingested.refusal = refusal
    except MemoryError:
        ingested.refusal = ImageRefused(Reason.DECODER_DIED, "decoding needs more memory than it may have")
    return ingested


def _content(
    data: bytes | memoryview, config: IngestConfig, pseudonymizer: Pseudonymizer | None, columns: dict[str, object]
) -> tuple[np.ndarray, np.ndarray]:
    """Fill `columns` and return the image as (h, w) uint8 that fits 512 x 512, and which of its pixels are no padding."""
    if not is_dicom(data):  # first, because a DICOM file may begin as another kind of file does (PS3.10 7.1)
        stored = _image_file(data, config, columns)
        fitted = preprocess.fit(stored, int(columns["Rows"]), int(columns["Columns"]), None)
        return preprocess.to_grey(fitted, stored, None), fitted.valid
    file = read_dicom(data, config.limits)
    columns.update(header_columns(file, config, pseudonymizer))
    if file.fault is not None:
        raise file.fault
    header = file.header
    file.require_pixels()
    gate.check_header(header, config.min_age_years, config.limits, config.min_side)
    layout = PixelLayout.of(header)
    stored = pixels.decode(file, layout, preprocess.SIZE, config.limits)
    gate.check_colours(stored.colours)
    fitted = preprocess.fit(stored, layout.rows, layout.columns, preprocess.padding_range(header))
    return preprocess.to_grey(fitted, stored, header), fitted.valid


def _image_file(data: bytes | memoryview, config: IngestConfig, columns: dict[str, object]) -> StoredPixels:
    """Decode a PNG or JPEG file as grey values, upright, without a look-up table of any kind; Rows and Columns are those of the upright."""
    if not is_image_file(data):
        raise ImageRefused(Reason.NOT_DICOM, "starts as no DICOM, PNG or JPEG file does")
    file = read_image_file(data)
    columns["Rows"], columns["Columns"] = file.shown_size
    gate.check_size(*file.shown_size, config.limits, config.min_side)
    stored = decode_image_file(file, config.limits)
    gate.check_colours(stored.colours)
    return stored

"""The one way from the bytes of a file to pixels and columns: batch, training and serving all call `ingest`.

It never raises for a fault of the image: what cannot be scored comes back with the columns that could be read and a refusal.
"""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from schemas.instance import IDENTITY_COLUMNS
from schemas.reasons import Reason
from screening.dicom import pixels
from screening.dicom.header import DicomFile, Header, is_dicom, read_dicom
from screening.dicom.pixels import PixelLayout, StoredPixels
from screening.errors import ImageRefused
from screening.ingest import gate, polarity, preprocess
from screening.ingest.config import IngestConfig
from screening.ingest.image_file import decode_image_file, is_image_file, read_image_file
from screening.privacy import Pseudonymizer

COLUMN_NAMES = tuple(column.name for column in IDENTITY_COLUMNS)
_MAX_TEXT = 64  # characters of a copied attribute: LO has no more (PS3.5 6.2)
_COPIED_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_COPIED_CODES = ("Modality", "BodyPartExamined", "ViewPosition", "PhotometricInterpretation")
_COPIED_TEXTS = ("InstitutionName", "Manufacturer", "ManufacturerModelName")
# what must never be copied, in whatever attribute a careless writer has put it
_IDENTIFIERS = (
    *("PatientID", "PatientName", "PatientBirthDate", "AccessionNumber", "OtherPatientIDs", "OtherPatientNames", "PatientBirthName"),
    *("PatientMotherBirthName", "PatientAddress", "PatientTelephoneNumbers", "MedicalRecordLocator", "IssuerOfPatientID"),
)


@dataclass
class Ingested:
    """What ingest found. Exactly one of `pixels` and `refusal` is there.

    `columns` has keys among those of `schemas.instance.IDENTITY_COLUMNS`; `pixels` is (512, 512) uint8: air dark, bone
    bright, padding 0.
    """

    columns: dict[str, object] = field(default_factory=dict)
    pixels: np.ndarray | None = None
    refusal: ImageRefused | None = None


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
        if not is_dicom(data):  # no header says that it is a radiograph
            gate.check_drawing(content)
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
    if not is_dicom(data):  # first, because a DICOM file may begin as another kind of file does (PS3.10 7.1)
        stored = _image_file(data, config, columns)
        fitted = preprocess.fit(stored, int(columns["Rows"]), int(columns["Columns"]), None)
        return preprocess.to_grey(fitted, stored, None), fitted.valid
    file = read_dicom(data, config.limits)
    columns.update(_header_columns(file, config, pseudonymizer))
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


def _header_columns(file: DicomFile, config: IngestConfig, pseudonymizer: Pseudonymizer | None) -> dict[str, object]:
    """Return what may leave the header, each value None where it is absent or makes no sense."""
    header = file.header
    identifiers = _identifiers(header)
    columns: dict[str, object] = dict.fromkeys(COLUMN_NAMES)
    for keyword in (*_COPIED_CODES, *_COPIED_TEXTS):
        columns[keyword] = _copied(header.text(keyword), identifiers)
    for keyword in _COPIED_UIDS:
        columns[keyword] = _uid(header, keyword, config, pseudonymizer)
    columns["SOPClassUID"] = _uid_text(header.text("SOPClassUID"))
    columns["TransferSyntaxUID"] = _uid_text(file.transfer_syntax)
    columns["StudyDate"] = gate.dicom_date(header.text("StudyDate"))
    columns["AcquisitionDate"] = gate.dicom_date(header.text("AcquisitionDate"))
    sex = header.text("PatientSex").upper()
    columns["PatientSex"] = sex if sex in ("M", "F", "O") else None
    columns["age_years"] = gate.age_years(header)
    for keyword in ("Rows", "Columns", "BitsStored"):
        value = header.number(keyword)
        columns[keyword] = int(value) if value is not None and 0 <= value < 1 << 31 else None
    patient = header.text("PatientID")
    columns["patient_pseudonym"] = pseudonymizer.pseudonym(patient, "PatientID") if patient and pseudonymizer else None
    return columns


def _uid(header: Header, keyword: str, config: IngestConfig, pseudonymizer: Pseudonymizer | None) -> str | None:
    value = _uid_text(header.text(keyword))
    if value is None or not (config.pseudonymize_uids or (pseudonymizer and pseudonymizer.uids)):
        return value
    return pseudonymizer.pseudonym(value, keyword) if pseudonymizer else None


def _uid_text(value: str) -> str | None:
    return value if value and len(value) <= 64 and set(value) <= set("0123456789.") else None


def _identifiers(header: Header) -> list[str]:
    """Return every identifier of the patient in the header that is long enough to be told from chance, in lower case."""
    values = [value for keyword in _IDENTIFIERS for value in header.texts(keyword)]
    parts = [part for value in values for part in (value, *value.replace("=", "^").split("^"))]
    return [part.lower() for part in parts if len(part) >= 4]


def _copied(value: str, identifiers: list[str]) -> str | None:
    """Return a text fit for a column; None where it is empty or holds an identifier of the patient."""
    if any(identifier in value.lower() for identifier in identifiers):
        return None
    return "".join(c for c in value if c.isprintable())[:_MAX_TEXT] or None

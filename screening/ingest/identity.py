"""What may leave a header: columns without a name, a birth date or any other identifier of the patient.

Nothing is searched for names, because a name can be any text. A text leaves as it stands only where it is a term of DICOM's or one that
the agency lists (`ingest/sites.py`); a number leaves as a number, an age in whole years, and a UID unless it holds an identifier
(`ingest/identifiers.py`). A header that is broken or ends before its pixel data shows no text, no date and no UID as it stands, because
what would tell an identifier may lie behind the break.

Ages are completed years. Two radiographs of one person on either side of a birthday still differ by one year, which places the birthday
between the dates of the two.
"""

import math
import re
from datetime import date

from schemas.instance import IDENTITY_COLUMNS
from schemas.sites import CODE_ATTRIBUTES, TEXT_ATTRIBUTES
from screening.dicom.header import DicomFile, Header
from screening.errors import ImageRefused
from screening.ingest import gate
from screening.ingest.config import IngestConfig
from screening.ingest.identifiers import Identifiers, birth_date, is_registered
from screening.ingest.sites import pseudonym_of
from screening.ingest.terms import term_of
from screening.privacy import Pseudonymizer

COLUMN_NAMES = tuple(column.name for column in IDENTITY_COLUMNS)
SHORT_DIGITS = 8  # of the pseudonyms that people read: that two of 1,000 texts share one has a chance of 1 in 8,600
PREFIX = {"InstitutionName": "site", "Manufacturer": "maker", "ManufacturerModelName": "model"}
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_MAX_NUMBER = 65535  # Rows, Columns and BitsStored are US (PS3.6): more than that is no number of pixels, and may be an identifier


def header_columns(file: DicomFile, config: IngestConfig, pseudonymizer: Pseudonymizer | None) -> dict[str, object]:
    """Return what may leave the header, each value None where it is absent or makes no sense.

    Without a `pseudonymizer` what would be a pseudonym is None.
    """
    header = file.header
    columns: dict[str, object] = dict.fromkeys(COLUMN_NAMES)
    identifiers = _identifiers(file)
    if _is_whole(file):
        columns |= {keyword: _text(header.text(keyword), keyword, config, pseudonymizer) for keyword in TEXT_ATTRIBUTES}
        columns |= {keyword: _code(header.text(keyword), keyword, config, pseudonymizer) for keyword in CODE_ATTRIBUTES}
        columns |= {keyword: _date(header, keyword) for keyword in ("StudyDate", "AcquisitionDate")}
    for keyword in _UIDS:
        hidden = config.pseudonymize_uids or (pseudonymizer is not None and pseudonymizer.uids)
        columns[keyword] = _uid(header.text(keyword), keyword, None if hidden else identifiers, pseudonymizer)
    columns["SOPClassUID"] = _class_uid(header.text("SOPClassUID"), "SOPClassUID", identifiers, pseudonymizer)
    columns["TransferSyntaxUID"] = _class_uid(file.transfer_syntax, "TransferSyntaxUID", identifiers, pseudonymizer)
    sex = header.text("PatientSex").upper()
    columns["PatientSex"] = sex if sex in ("M", "F", "O") else None
    age = gate.age_years(header)
    columns["age_years"] = None if age is None else math.floor(age)
    for keyword in ("Rows", "Columns", "BitsStored"):
        value = header.number(keyword)
        columns[keyword] = int(value) if value is not None and 0 <= value <= _MAX_NUMBER else None
    patient = header.text("PatientID")
    columns["patient_pseudonym"] = pseudonymizer.pseudonym(patient, "PatientID") if patient and pseudonymizer else None
    return columns


def _is_whole(file: DicomFile) -> bool:
    """Tell whether a header was read to its end. One that is cut between two elements has no fault, but no pixel data follow it either."""
    return file.fault is None and "PixelData" in file.header


def _identifiers(file: DicomFile) -> Identifiers | None:
    """Return the identifiers that no UID may hold; None where the header does not show them all."""
    try:
        return Identifiers.of(file.header) if _is_whole(file) else None
    except ImageRefused:  # a broken sequence
        return None


def _text(value: str, keyword: str, config: IngestConfig, pseudonymizer: Pseudonymizer | None) -> str | None:
    """Return what stands for a free text: what the agency lists for it, or else a short pseudonym (`site-1a2b3c4d`)."""
    if not value or pseudonymizer is None:
        return None
    pseudonym = pseudonym_of(value, keyword, pseudonymizer)
    return config.listed_texts.text_of(pseudonym) or f"{PREFIX[keyword]}-{pseudonym[:SHORT_DIGITS]}"


def _code(value: str, keyword: str, config: IngestConfig, pseudonymizer: Pseudonymizer | None) -> str | None:
    """Return a coded string that the agency lists or DICOM defines, None for any other."""
    listed = config.listed_texts.text_of(pseudonym_of(value, keyword, pseudonymizer)) if value and pseudonymizer else None
    return listed or term_of(keyword, value)


def _date(header: Header, keyword: str) -> date | None:
    """Return a date of the study; None where it is the birth date, which careless writers put there."""
    day = gate.dicom_date(header.text(keyword))
    return None if day == birth_date(header) else day


def _uid(value: str, keyword: str, identifiers: Identifiers | None, pseudonymizer: Pseudonymizer | None) -> str | None:
    """Return a UID as it stands where it holds none of `identifiers`, and its pseudonym where it does or where these are not known."""
    if not re.fullmatch(r"[0-9.]{1,64}", value):
        return None
    if identifiers is not None and not identifiers.stand_in(value):
        return value
    return pseudonymizer.pseudonym(value, keyword) if pseudonymizer else None


def _class_uid(value: str, keyword: str, identifiers: Identifiers | None, pseudonymizer: Pseudonymizer | None) -> str | None:
    """Return the UID of a class or syntax: one of DICOM's as it stands, a private one by the rule of the others."""
    return value if is_registered(value) else _uid(value, keyword, identifiers, pseudonymizer)

"""What may leave a header: columns without a name, a birth date or any other identifier of the patient."""

from schemas.instance import IDENTITY_COLUMNS
from screening.dicom.header import DicomFile, Header
from screening.ingest import gate
from screening.ingest.config import IngestConfig
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


def header_columns(file: DicomFile, config: IngestConfig, pseudonymizer: Pseudonymizer | None) -> dict[str, object]:
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

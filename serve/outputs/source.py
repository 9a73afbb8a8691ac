"""The radiograph that an answer is about: whose it is, what it is, and the name that what we make of it gets.

Identity comes from the archive's own file and never from results, which hold pseudonyms. The file may be hostile, so our own reader
reads it, within its limits. It warns of nothing, because a warning would quote the patient's name.
"""

import re
from dataclasses import dataclass, field

from pydicom.datadict import dictionary_VR

from screening.dicom.header import Header, is_dicom, read_dicom
from screening.dicom.limits import Limits
from screening.dicom.uids import uid_of
from screening.errors import ImageRefused, OutputRefused

# Patient, General Study and Patient Study modules (PS3.3 C.7.1.1, C.7.2.1, C.7.2.2)
TYPE_2 = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),  # there in every object, empty where unknown
    *("StudyDate", "StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName"),
)
OPTIONAL = (
    *("IssuerOfPatientID", "PatientBirthTime", "OtherPatientIDs", "EthnicGroup"),
    *("StudyDescription", "PatientAge", "PatientSize", "PatientWeight"),
)
LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_UID = re.compile(r"[0-9.]{1,64}")  # also with the leading zeros that some devices write: the object must join the study as it is named


@dataclass(frozen=True)
class SourceImage:
    """The header of one DICOM image, as far as other objects repeat it or refer to it."""

    identity: dict[str, str] = field(repr=False)  # keyword → value of TYPE_2 and of what there is of OPTIONAL
    uids: dict[str, str] = field(repr=False)  # StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID, SOPClassUID
    rows: int
    columns: int
    patient_orientation: tuple[str, ...]  # of rows and columns (PS3.3 C.7.6.1.1.1); empty where unknown
    lossy: dict[str, str]  # what there is of LOSSY: once lossy, always said (PS3.3 C.7.6.1.1.5)
    modality: str

    def uid(self, bundle_digest: str, *names: str) -> str:
        """Return the UID that this image, a bundle and `names` always give, so that an export that is repeated gives the same objects."""
        return uid_of("output", self.uids["SOPInstanceUID"], bundle_digest, *names)


def read_source(data: bytes, name: str = "this file") -> SourceImage:
    """Return the image that the bytes of a DICOM file hold.

    Raises OutputRefused, which names the file by `name`: a PNG or JPEG file has no header, a broken header may lack the patient, and
    without UIDs nothing can refer to the image.
    """
    if not is_dicom(data):
        raise OutputRefused(
            f"{name} has no DICOM header, so nobody knows which patient and study a DICOM object would belong to: give the DICOM file, "
            "or ask for the form fhir"
        )
    try:
        file = read_dicom(data, Limits())
        if file.fault is not None:
            raise file.fault
        return _source_of(file.header, name)
    except ImageRefused as refusal:
        raise OutputRefused(f"{name} has a broken header ({refusal.detail}), which may hide whose it is: send the file again") from None


def _source_of(header: Header, name: str) -> SourceImage:
    # elements stand in the order of their tags: where StudyInstanceUID (0020,000D) was read, the whole group of the patient (0010) was
    uids = {keyword: header.text(keyword) for keyword in _UIDS}
    for keyword, uid in uids.items():
        if not _UID.fullmatch(uid):
            raise OutputRefused(f"{name} has no {keyword}, so that no object can refer to it: send it again from the archive with its UIDs")
    known = {keyword: _text(header, keyword) for keyword in (*TYPE_2, *OPTIONAL)}
    return SourceImage(
        identity={keyword: value for keyword, value in known.items() if value or keyword in TYPE_2},
        uids=uids,
        rows=header.integer("Rows", 0),
        columns=header.integer("Columns", 0),
        patient_orientation=tuple(header.texts("PatientOrientation")),
        lossy={keyword: value for keyword in LOSSY if (value := _text(header, keyword))},
        modality=header.text("Modality"),
    )


def _text(header: Header, keyword: str) -> str:
    """Return the values of an attribute as DICOM writes them; empty where a decimal string (DS) is no number, which nobody could write."""
    if dictionary_VR(keyword) == "DS" and not header.numbers(keyword):
        return ""
    return "\\".join(header.texts(keyword))

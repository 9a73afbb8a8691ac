"""Radiographs that tell who the patient is, wherever a header can: for tests that none of it leaves."""

import io
from collections.abc import Iterator

import pydicom
from pydicom.config import disable_value_validation
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset

from tests.screening import hostile

NAMES = ("Featherstonehaugh", "Wilhelmina", "Smythe-Ng", "Smythe", "Ng", "Wu", "Zoë")  # double names and their halves, two letters
BIRTH_DATES = ("19610317", "17031961", "17.03.1961", "1961-03-17", "610317")  # one day in five spellings
NUMBERS = ("77120934", "5550199")  # digits of PatientID and AccessionNumber
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_LENGTHS = {"AE": 16, "CS": 16, "LO": 64, "LT": 999, "SH": 16, "ST": 999, "UC": 999, "UR": 999, "UT": 999, "PN": 64}
# the patient's own attributes are seeded apart, and without the first two nobody could read the rest
_KEPT = ("SpecificCharacterSet", "PhotometricInterpretation", "Modality", "PatientID", "PatientName", "PatientBirthDate", "AccessionNumber")
_JUDGED = {"BodyPartExamined": "CHEST", "ViewPosition": "PA", "SeriesDescription": "", "ProtocolName": "", "PatientOrientation": ""}


def seeded(name: str, *, pixels: bool = False, **changes: object) -> bytes:
    """Return a file with a name in every text attribute that DICOM knows, in a sequence and in a private element, and telling UIDs.

    pixels: with a radiograph, and without the texts that would have the gate refuse it.
    """
    with disable_value_validation():
        attributes = hostile.attributes(PatientName=f"{name}^Wilhelmina", PatientAge="")
        dataset = hostile.build_dataset(hostile.chest(), attributes, hostile.CODING)
        if not pixels:
            dataset.PixelData = b"\0\0"
        for tag, (vr, _, _, retired, keyword) in DicomDictionary.items():
            if vr in _LENGTHS and not retired and keyword not in _KEPT and 0x0008 <= tag >> 16 <= 0x0040:
                setattr(dataset, keyword, name[: _LENGTHS[vr]])
        physician = Dataset()
        physician.PersonName, physician.InstitutionName = name, f"Ward of {name}"
        dataset.ReferringPhysicianIdentificationSequence = [physician]
        dataset.private_block(0x0011, name[:60], create=True).add_new(0x01, "LO", name)
        for number, (keyword, spelling) in enumerate(zip(UIDS, BIRTH_DATES, strict=False)):
            setattr(dataset, keyword, f"1.2.826.0.1.{spelling.replace('.', '')}.{number}")
        for keyword, value in ((_JUDGED if pixels else {}) | changes).items():
            setattr(dataset, keyword, value)
        return hostile.to_bytes(dataset)


def cut_everywhere(data: bytes) -> Iterator[bytes]:
    """Yield the file cut at each element of its data set: before the element, before its value and within it, in turn."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    elements = [dataset.get_item(tag) for tag in dataset.keys()]  # noqa: SIM118  (an iteration would read the values)
    for number, element in enumerate(elements):
        value = element.value_tell if hasattr(element, "value_tell") else element.file_tell
        yield data[: value + (-8, 0, 3)[number % 3]]

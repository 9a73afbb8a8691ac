"""What every DICOM object of ours shares: it joins the source's study, bears its patient, names this software, and is always the same.

highdicom builds the objects from a reference data set without a patient, because it logs and warns of names that it does not like.
The patient's and the study's attributes are put in afterwards, as the source has them.
"""

import contextlib
import io
import logging
import threading
import warnings
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pydicom
from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID_dictionary

from schemas.bundle import BundleManifest
from screening.errors import OutputRefused
from serve.outputs.findings import SOFTWARE, ascii_name, software_version
from serve.outputs.source import TYPE_2, SourceImage

_BUILDING = threading.Lock()  # what Python and pydicom warn of is a setting of the process
_UTF_8 = "ISO_IR 192"  # SpecificCharacterSet of what we write; the source's texts are decoded with its own


@contextlib.contextmanager
def building() -> Iterator[None]:
    """Build objects one at a time, without warnings and log lines that quote what a header holds."""
    logging.getLogger("highdicom").setLevel(logging.ERROR)
    with _BUILDING, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def reference_of(source: SourceImage) -> Dataset:
    """Return the data set that highdicom takes for the source: its UIDs and its size, and no patient.

    Raises OutputRefused for a source of a SOP class that is not the standard's, because no IOD says what may be copied from it.
    """
    if "Image Storage" not in UID_dictionary.get(source.uids["SOPClassUID"], ("",))[0]:
        raise OutputRefused("this file's SOPClassUID is that of no standard image, which no object can refer to: ask for the form fhir")
    reference = Dataset()
    for keyword, uid in source.uids.items():
        setattr(reference, keyword, uid)
    for keyword in TYPE_2:
        setattr(reference, keyword, None)
    reference.SpecificCharacterSet = _UTF_8
    reference.Rows, reference.Columns = source.rows, source.columns
    reference.Modality = source.modality
    return reference


def place_of(source: SourceImage, bundle: BundleManifest, series_number: int, *names: str) -> dict[str, Any]:
    """Return where an object stands, as arguments of highdicom's constructors: its UIDs, its numbers and the device that made it."""
    digest = bundle.digest()
    return {
        "series_instance_uid": source.uid(digest, *names, "series"),
        "series_number": series_number,
        "sop_instance_uid": source.uid(digest, *names, "instance"),
        "instance_number": 1,
        "manufacturer": SOFTWARE,
        "manufacturer_model_name": ascii_name(bundle),
        "software_versions": software_version(),
        "device_serial_number": digest,
    }


def file_of(built: Dataset, source: SourceImage, when: datetime) -> bytes:
    """Return the file of an object that highdicom built: with the source's patient and study, and made at `when` by its own clock."""
    built.SpecificCharacterSet = _UTF_8
    for keyword, value in source.identity.items():
        _set(built, keyword, value)
    if "PixelData" in built:
        for keyword, value in source.lossy.items():
            _set(built, keyword, value)
        _set(built, "PatientOrientation", "\\".join(source.patient_orientation))  # type 2C: empty where the source has none
    for keyword in ("InstanceCreation{}", "Content{}", "{}OfSecondaryCapture"):
        for part, text in (("Date", f"{when:%Y%m%d}"), ("Time", f"{when:%H%M%S}")):
            if (name := keyword.format(part)) in built:
                setattr(built, name, text)
    for equipment in built.get("ContributingEquipmentSequence", []):
        equipment.ContributionDateTime = f"{when:%Y%m%d%H%M%S}"
    built.SeriesDate, built.SeriesTime = f"{when:%Y%m%d}", f"{when:%H%M%S}"
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, built, enforce_file_format=True)
    return buffer.getvalue()


def _set(built: Dataset, keyword: str, value: str) -> None:
    """Set an attribute as the source has it, also where it breaks a rule of its value representation: the study must be found by it."""
    tag = tag_for_keyword(keyword)
    built[tag] = DataElement(tag, dictionary_VR(tag), value, validation_mode=config.IGNORE)

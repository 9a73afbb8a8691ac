"""A phantom radiograph as a DICOM file, for benchmarks of what takes one file."""

import numpy as np

from screening.dicom.uids import uid_of
from screening.dicom.writer import StudyAttributes, write_dicom
from screening.phantom.radiograph import make_phantom


def phantom_file(seed: int, group: str, side: int) -> bytes:
    """Return an uncompressed radiograph of 12 bits and `side` x `side` pixels: "normal", "pneumonia" or "covid", another for each seed."""
    phantom = make_phantom(seed, group, size=(side, side))
    uids = [uid_of("benchmark", seed, word) for word in ("study", "series", "instance")]
    study = StudyAttributes(*uids, PatientID=f"B-{seed}", StudyDate="20200301", ViewPosition="PA", PatientAge="050Y")
    return write_dicom((phantom.image * 4095).astype(np.uint16), study)

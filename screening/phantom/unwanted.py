"""What a real archive also holds and a screening must not score, or not twice: one synthetic object of each kind."""

from collections.abc import Callable

import numpy as np
import pydicom

from schemas.reasons import Reason
from screening.dicom.uids import uid_of
from screening.dicom.writer import Coding, StudyAttributes, build_dataset, to_bytes, write_dicom
from screening.phantom.radiograph import make_phantom

_CODING = Coding(12, windows=((2048.0, 4096.0),))


def _attributes(seed: int, **changes: str) -> StudyAttributes:
    values = {
        "StudyInstanceUID": uid_of("unwanted study", seed),
        "SeriesInstanceUID": uid_of("unwanted series", seed),
        "SOPInstanceUID": uid_of("unwanted image", seed),
        "PatientID": f"X{seed % 10**9:09d}",
        "PatientName": f"Phantom^X{seed % 10**9:09d}",
        "PatientSex": "O",
        "PatientAge": "050Y",
        "StudyDate": "20200210",
        "StudyTime": "120000",
        "AcquisitionDate": "20200210",
        "InstitutionName": "Northgate General Hospital",
        "Manufacturer": "Aldwych Imaging",
        "ManufacturerModelName": "AX-300",
        "ViewPosition": "PA",
    }
    return StudyAttributes(**(values | changes))


def _chest(seed: int, size: int) -> np.ndarray:
    image = make_phantom(seed, "normal", size=(size, max(64, int(size * 0.86)))).image
    return np.rint(image * 4095).astype(np.uint16)


def lateral(seed: int, size: int) -> bytes:
    """A chest from the side: one lung field between spine and breastbone."""
    rows, columns = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : int(size * 0.8) * 1j]
    body = np.clip(1.4 - np.hypot(columns / 0.9, rows / 1.4) ** 4, 0, 1)
    lung = np.clip(1.5 - 1.5 * np.hypot((columns - 0.05) / 0.6, (rows + 0.1) / 0.75) ** 4, 0, 1)
    image = np.clip(0.75 * body - 0.45 * lung + 0.2 * np.exp(-(((columns + 0.6) / 0.1) ** 2)), 0, 1)
    noise = np.random.default_rng(seed).normal(0, 0.015, image.shape)
    pixels = np.rint(np.clip(image + noise, 0, 1) * 4095).astype(np.uint16)
    return write_dicom(pixels, _attributes(seed, ViewPosition="LL"), _CODING)


def child(seed: int, size: int) -> bytes:
    """A chest of a child of four."""
    image = make_phantom(seed, "normal", size=(size, size), age_years=4.0).image
    return write_dicom(np.rint(image * 4095).astype(np.uint16), _attributes(seed, PatientAge="004Y"), _CODING)


def foot(seed: int, size: int) -> bytes:
    """A foot: five rays of bone."""
    rows, columns = np.mgrid[0 : 1 : size * 1j, 0 : 1 : int(size * 0.7) * 1j]
    rays = np.maximum(np.cos((columns - 0.5) * 5 * 2 * np.pi * (0.7 + 0.6 * rows)), 0) ** 2
    image = np.where(np.hypot((columns - 0.5) / 0.4, (rows - 0.5) / 0.45) < 1, 0.35 + 0.5 * rays, 0.03)
    noise = np.random.default_rng(seed).normal(0, 0.01, image.shape)
    pixels = np.rint(np.clip(image + noise, 0, 1) * 4095).astype(np.uint16)
    return write_dicom(pixels, _attributes(seed, BodyPartExamined="FOOT", ViewPosition="AP"), _CODING)


def tomography(seed: int, size: int) -> bytes:
    """A CT slice in the radiographs' folder."""
    dataset = build_dataset(_chest(seed, size), _attributes(seed, ViewPosition=""), _CODING)
    dataset.Modality = "CT"
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    return to_bytes(dataset)


def multi_frame(seed: int, size: int) -> bytes:
    """A loop of three frames."""
    dataset = build_dataset(_chest(seed, size), _attributes(seed), _CODING)
    dataset.NumberOfFrames = 3
    dataset.PixelData = dataset.PixelData * 3
    return to_bytes(dataset)


def truncated(seed: int, size: int) -> bytes:
    """A transfer that broke off after two thirds."""
    data = write_dicom(_chest(seed, size), _attributes(seed), _CODING)
    return data[: len(data) * 2 // 3]


def text(seed: int, size: int) -> bytes:
    """A note that somebody left."""
    return b"Films of this week were sent late because the scanner was down.\n" * (1 + seed % 3)


def blank(seed: int, size: int) -> bytes:
    """An exposure that did not happen."""
    return write_dicom(np.full((size, int(size * 0.86)), 137, np.uint16), _attributes(seed), _CODING)


def too_small(seed: int, size: int) -> bytes:
    """A thumbnail."""
    return write_dicom(np.ascontiguousarray(_chest(seed, 64)[::2, ::2]), _attributes(seed), _CODING)


def inverted(seed: int, size: int) -> bytes:
    """A chest whose PhotometricInterpretation says the opposite of what its pixels are."""
    return write_dicom(4095 - _chest(seed, size), _attributes(seed), _CODING)


def sent_twice(data: bytes) -> bytes:
    """The same file under another name: same SOPInstanceUID, same pixels."""
    return data


def sent_under_new_uid(data: bytes) -> bytes:
    """The same pixels under another SOPInstanceUID, as when a file is imported again."""
    dataset = pydicom.dcmread(pydicom.filebase.DicomBytesIO(data))
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid_of("imported again", dataset.SOPInstanceUID)
    return to_bytes(dataset)


# the reason that a row of it must have; None where it is scored all the same
MADE: dict[str, tuple[Callable[[int, int], bytes], Reason | None]] = {
    "lateral": (lateral, Reason.LATERAL_VIEW),
    "child": (child, Reason.BELOW_AGE_LIMIT),  # where the bundle has an age limit
    "foot": (foot, Reason.WRONG_BODY_PART),
    "tomography": (tomography, Reason.WRONG_MODALITY),
    "multi_frame": (multi_frame, Reason.SEVERAL_FRAMES),
    "truncated": (truncated, Reason.TRUNCATED),
    "text": (text, Reason.NOT_DICOM),
    "blank": (blank, Reason.BLANK),
    "too_small": (too_small, Reason.TOO_SMALL),
    "inverted": (inverted, None),
}
COPIED: dict[str, Callable[[bytes], bytes]] = {"sent_twice": sent_twice, "sent_under_new_uid": sent_under_new_uid}
KINDS = (*MADE, *COPIED)

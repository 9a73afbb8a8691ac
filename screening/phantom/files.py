"""How hospitals store a radiograph: one phantom as a CR or DX file, in one of the ways met in the field."""

from dataclasses import dataclass

import numpy as np

from screening.dicom.uids import seed_of, uid_of
from screening.dicom.writer import TRANSFER_SYNTAXES, Coding, Lut, StudyAttributes, age_string, write_dicom
from screening.phantom.people import Study
from screening.phantom.radiograph import Phantom

# of every 40 studies, so many in each; the first 16 of each 40 have one of each
_PER_40 = {
    "explicit_little_endian": 10, "jpeg_lossless_sv1": 6, "implicit_little_endian": 4, "jpeg_2000_lossless": 3, "jpeg_ls_lossless": 3,
    "rle": 2, "jpeg_2000": 2, "jpeg_baseline": 1, "jpeg_extended": 1, "jpeg_lossless": 1, "jpeg_ls_near_lossless": 1, "deflated": 1,
    "explicit_big_endian": 1, "htj2k_lossless": 2, "htj2k_lossless_rpcl": 1, "htj2k": 1,
}  # fmt: skip
_COMMON_BITS = (10, 12, 12, 12, 14, 16, 8)
GREY_SCALES = ("window", "window", "window", "window", "none", "linear_exact", "sigmoid", "voi_lut", "modality_lut", "signed", "rescaled")


@dataclass(frozen=True)
class Storage:
    """The choices that a hospital's machine makes for one file."""

    modality: str  # CR or DX
    transfer_syntax: str
    bits_stored: int
    inverse: bool  # MONOCHROME1
    grey_scale: str  # one of GREY_SCALES


def storage_of(study: Study) -> Storage:
    """Return how `study` is stored: the transfer syntax goes round with its number, the rest follows its seed."""
    rng = np.random.default_rng([8, study.seed])
    once = list(TRANSFER_SYNTAXES)
    rest = [name for name, count in _PER_40.items() for _ in range(count - 1)]
    order = [once[at] for at in np.random.default_rng(16).permutation(len(once))] + [
        rest[at] for at in np.random.default_rng(40).permutation(len(rest))
    ]
    syntax = TRANSFER_SYNTAXES[order[study.number % len(order)]]
    possible = [bits for bits in _COMMON_BITS if bits in syntax.bits]
    grey_scale = str(rng.choice(GREY_SCALES))
    modality = "DX" if rng.random() < 0.55 else "CR"
    if modality == "DX" and grey_scale in ("signed", "rescaled", "modality_lut"):
        grey_scale = "window"  # not allowed in DX
    bits = int(rng.choice(possible))
    if grey_scale == "signed" and (not syntax.signed or bits == 8):
        grey_scale = "window"
    return Storage(modality, syntax.name, bits, bool(rng.random() < 0.25), grey_scale)


def store_pixels(image: np.ndarray, storage: Storage, burned_in: bool) -> tuple[np.ndarray, Coding]:
    """Return the stored values of `image`, (rows, columns) float32 in [0, 1] with bone bright, and the coding that shows it again."""
    top = (1 << storage.bits_stored) - 1
    low, high = (0.0, 1.0) if storage.grey_scale in ("none", "modality_lut") else (0.06, 0.9)
    shown = 1 - image if storage.inverse else image
    shown = np.sqrt(shown) if storage.grey_scale == "modality_lut" else shown
    first, last = round(low * top), round(high * top)
    values = np.rint(first + shown * np.float32(last - first)).astype(np.uint8 if storage.bits_stored == 8 else np.uint16)
    options: dict[str, object] = {
        "bits_stored": storage.bits_stored,
        "PhotometricInterpretation": "MONOCHROME1" if storage.inverse else "MONOCHROME2",
        "BurnedInAnnotation": "YES" if burned_in else "NO",
    }
    window = ((first + last) / 2, float(last - first))
    values, extra = _grey_scale(values, storage, window)
    return values, Coding(**(options | extra))


def _grey_scale(values: np.ndarray, storage: Storage, window: tuple[float, float]) -> tuple[np.ndarray, dict[str, object]]:
    """Return the stored values and what `Coding` must say of them; `window` is (center, width) of the unsigned values."""
    center, width = window
    half = 1 << storage.bits_stored - 1
    match storage.grey_scale:
        case "none":
            return values, {}
        case "linear_exact":
            return values, {"windows": (window, (center, width / 2)), "VOILUTFunction": "LINEAR_EXACT"}
        case "sigmoid":
            return values, {"windows": (window,), "VOILUTFunction": "SIGMOID"}
        case "voi_lut":
            share = np.clip((np.arange(2 * half) - center) / width + 0.5, 0, 1)
            table = np.rint(65535 * share**1.2).astype(int)
            return values, {"voi_lut": Lut(table.tolist(), 0, 16, "film")}
        case "modality_lut":
            table = np.rint(65535 * (np.arange(2 * half) / (2 * half - 1)) ** 2).astype(int)
            return values, {"modality_lut": Lut(table.tolist(), 0, 16, "square"), "windows": ((32768.0, 65536.0),)}
        case "signed":
            signed = (values.astype(np.int32) - half).astype(np.int16)
            return signed, {"RescaleSlope": 1.0, "RescaleIntercept": float(half), "windows": (window,)}
        case "rescaled":
            return values, {"RescaleSlope": 0.5, "RescaleIntercept": -100.0, "windows": ((center / 2 - 100, width / 2),)}
        case _:
            return values, {"windows": (window,)}


def attributes_of(study: Study, phantom: Phantom, modality: str) -> StudyAttributes:
    """Return the header of a study. UIDs follow from its seeds."""
    day = study.study_date.strftime("%Y%m%d")
    minutes = study.seed % 1440
    return StudyAttributes(
        StudyInstanceUID=uid_of("study", study.seed),
        SeriesInstanceUID=uid_of("series", study.seed),
        SOPInstanceUID=uid_of("image", study.seed),
        PatientID=study.person.patient_id,
        PatientName=f"Phantom^{study.person.patient_id}",
        PatientSex=phantom.sex,
        PatientAge=age_string(phantom.age_years),
        PatientBirthDate=_birth_date(study, phantom.age_years),
        StudyDate=day,
        StudyTime=f"{minutes // 60:02d}{minutes % 60:02d}00",
        AcquisitionDate=day,
        AccessionNumber=f"A{study.seed % 10**12:012d}",
        StudyID=str(study.number + 1),
        StudyDescription="Chest radiograph (synthetic)",
        InstitutionName=phantom.site,
        Manufacturer=phantom.vendor,
        ManufacturerModelName=phantom.model,
        DeviceSerialNumber=str(seed_of(phantom.site) % 100000),
        SoftwareVersions="1",
        Modality=modality,
        ViewPosition=phantom.view,
    )


def _birth_date(study: Study, age_years: float) -> str:
    """Return a birthday later in the year than any study, so that the age holds; empty for one person in three."""
    seed = study.person.seed
    return f"{study.study_date.year - int(age_years) - 1}{4 + seed % 9:02d}15" if seed % 3 else ""


def to_dicom(study: Study, phantom: Phantom, storage: Storage | None = None) -> tuple[bytes, StudyAttributes]:
    """Return the file of a study and the header that it was given."""
    storage = storage or storage_of(study)
    attributes = attributes_of(study, phantom, storage.modality)
    pixels, coding = store_pixels(phantom.image, storage, phantom.burned_in)
    return write_dicom(pixels, attributes, coding, storage.transfer_syntax), attributes

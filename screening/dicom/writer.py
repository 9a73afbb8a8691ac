"""Write one radiograph as a DICOM file: Computed Radiography (PS3.3 A.2) or Digital X-Ray For Presentation (PS3.3 A.26).

Everything that goes in is given by the caller or derived from it, so that the same arguments give the same bytes.
`dciodvfy` finds no error in what comes out.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation

from screening.dicom.encoders import TRANSFER_SYNTAXES, TransferSyntax
from screening.dicom.uids import uid_of
from screening.errors import UsageError

__all__ = [
    "SOP_CLASS_OF",
    "TRANSFER_SYNTAXES",
    "Coding",
    "Lut",
    "StudyAttributes",
    "age_string",
    "build_dataset",
    "to_bytes",
    "uid_of",
    "write_dicom",
]

SOP_CLASS_OF = {"CR": ComputedRadiographyImageStorage, "DX": DigitalXRayImageStorageForPresentation}
_REGION_CODES = {"CHEST": ("816094009", "Chest"), "FOOT": ("56459004", "Foot")}  # context group 4
_VIEW_CODES = {  # context group 4010
    "PA": ("272479007", "postero-anterior"),
    "AP": ("399348003", "antero-posterior"),
    "LL": ("399173006", "left lateral"),
    "RL": ("399198007", "right lateral"),
}


def age_string(years: float) -> str:
    """Return `years` as PatientAge (0010,1010): in years from the second birthday on, in months or days before."""
    if years >= 2:
        return f"{int(years):03d}Y"
    return f"{int(years * 12):03d}M" if years >= 1 / 6 else f"{int(years * 365.25):03d}D"


@dataclass(frozen=True)
class StudyAttributes:
    """The header attributes that describe person, study and device, under their DICOM keywords and in their DICOM form."""

    StudyInstanceUID: str
    SeriesInstanceUID: str
    SOPInstanceUID: str
    PatientID: str
    PatientName: str = ""
    PatientSex: str = ""  # M, F, O or empty
    PatientAge: str = ""  # as age_string gives it
    PatientBirthDate: str = ""  # YYYYMMDD, as all dates
    StudyDate: str = ""
    StudyTime: str = ""  # HHMMSS
    AcquisitionDate: str = ""
    AccessionNumber: str = ""
    StudyID: str = ""
    StudyDescription: str = ""
    SeriesDescription: str = ""
    InstitutionName: str = ""
    Manufacturer: str = ""
    ManufacturerModelName: str = ""
    DeviceSerialNumber: str = ""
    SoftwareVersions: str = ""
    Modality: str = "CR"  # CR or DX: chooses the SOP class
    BodyPartExamined: str = "CHEST"
    ViewPosition: str = ""  # PA, AP, LL, RL or empty
    PatientOrientation: tuple[str, str] = ("L", "F")  # of rows and columns: the patient's left is on the right of the image
    ImagerPixelSpacing: tuple[float, float] | None = (0.148, 0.148)  # mm at the detector, between rows and columns
    ImageComments: str = ""


@dataclass(frozen=True)
class Lut:
    """A lookup table (PS3.3 C.11.1.1, C.11.2.1.1): `data[0]` answers for `first_value` and all below it."""

    data: Sequence[int]  # of unsigned 16-bit values
    first_value: int
    bits: int  # of one entry: 8 or 16; DX also allows those between for a VOI LUT
    explanation: str = ""


@dataclass(frozen=True)
class Coding:
    """How stored pixel values are laid out and what they mean (PS3.3 C.7.6.3, C.11.1, C.11.2)."""

    bits_stored: int = 12
    PhotometricInterpretation: str = "MONOCHROME2"
    RescaleSlope: float | None = None
    RescaleIntercept: float | None = None
    windows: tuple[tuple[float, float], ...] = ()  # (WindowCenter, WindowWidth), the first one is the one to use
    VOILUTFunction: str = ""  # LINEAR (what absence means), LINEAR_EXACT or SIGMOID
    modality_lut: Lut | None = None
    voi_lut: Lut | None = None
    PixelPaddingValue: int | None = None
    PixelPaddingRangeLimit: int | None = None
    BurnedInAnnotation: str = "NO"


def write_dicom(
    pixels: np.ndarray, study: StudyAttributes, coding: Coding | None = None, transfer_syntax: str = "explicit_little_endian"
) -> bytes:
    """Return one radiograph as the bytes of a DICOM file.

    `pixels` is (rows, columns) of the stored values: uint8 for 8 bits, uint16 or int16 above.
    Raises UsageError where values, coding and transfer syntax do not fit together.
    """
    return to_bytes(build_dataset(pixels, study, coding, transfer_syntax))


def to_bytes(dataset: Dataset) -> bytes:
    """Return `dataset`, which holds its own file meta information, as the bytes of a file with preamble (PS3.10 section 7.1)."""
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def build_dataset(
    pixels: np.ndarray | bytes,
    study: StudyAttributes,
    coding: Coding | None = None,
    transfer_syntax: str = "explicit_little_endian",
    shape: tuple[int, int] | None = None,
) -> Dataset:
    """Return the data set that `write_dicom` writes, for callers that want to change it first.

    `pixels` may also be one frame that is already coded in `transfer_syntax`; then `shape` is its (rows, columns).
    """
    coding = coding or Coding()
    syntax = _syntax_of(transfer_syntax)
    dataset = Dataset()
    _add_study(dataset, study)
    signed = not isinstance(pixels, bytes) and pixels.dtype.kind == "i"
    _add_layout(dataset, shape or np.shape(pixels), coding, signed)
    _add_grey_scale(dataset, coding, study.Modality, "<" if syntax.uid.is_little_endian else ">")
    if isinstance(pixels, bytes):
        frame, raw_bytes = pixels, dataset.Rows * dataset.Columns * dataset.BitsAllocated // 8
    else:
        _check(pixels, coding, syntax, study.Modality)
        frame, raw_bytes = (syntax.encode or _raw_frame(syntax))(pixels, coding.bits_stored), pixels.nbytes
    _add_pixels(dataset, frame, raw_bytes, syntax)
    _add_file_meta(dataset, syntax)
    return dataset


def _syntax_of(name: str) -> TransferSyntax:
    if name not in TRANSFER_SYNTAXES:
        raise UsageError(f"no transfer syntax {name!r}; known are {', '.join(TRANSFER_SYNTAXES)}")
    return TRANSFER_SYNTAXES[name]


def _check(pixels: np.ndarray, coding: Coding, syntax: TransferSyntax, modality: str) -> None:
    """Raise UsageError unless dtype, bits, sign and SOP class fit together."""
    expected = ("u1",) if coding.bits_stored == 8 else ("u2", "i2")
    if pixels.ndim != 2 or pixels.dtype.str[1:] not in expected:
        raise UsageError(f"pixels of shape {pixels.shape}, {pixels.dtype} cannot be stored in {coding.bits_stored} bits")
    if coding.bits_stored not in syntax.bits:
        raise UsageError(f"{syntax.name} holds {syntax.bits} bits, not {coding.bits_stored}")
    signed = pixels.dtype.kind == "i"
    if signed and not syntax.signed:
        raise UsageError(f"{syntax.name} cannot hold signed pixels")
    low, high = (-(1 << coding.bits_stored - 1), (1 << coding.bits_stored - 1) - 1) if signed else (0, (1 << coding.bits_stored) - 1)
    if pixels.min() < low or pixels.max() > high:
        raise UsageError(f"pixel values {pixels.min()} to {pixels.max()} leave the {low} to {high} of {coding.bits_stored} bits")
    if modality == "DX" and (
        signed or coding.modality_lut or coding.RescaleSlope not in (None, 1) or coding.RescaleIntercept not in (None, 0)
    ):
        raise UsageError("DX pixels are unsigned and not rescaled (PS3.3 C.8.11.3): write signed or rescaled pixels as CR")


def _raw_frame(syntax: TransferSyntax):
    order = ">" if syntax.uid == pydicom.uid.ExplicitVRBigEndian else "<"
    return lambda pixels, bits: pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()


def _add_file_meta(dataset: Dataset, syntax: TransferSyntax) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = syntax.uid
    meta.ImplementationClassUID = uid_of("implementation")
    meta.ImplementationVersionName = "CHEST_SCREENING"
    dataset.file_meta = meta
    dataset.preamble = b"\0" * 128  # some stores give back what cannot be read without it


def _add_study(dataset: Dataset, study: StudyAttributes) -> None:
    """Patient, General Study, General Series, General Equipment, and what CR and DX ask beyond them."""
    if study.Modality not in SOP_CLASS_OF:
        raise UsageError(f"Modality {study.Modality!r} is not written; known are {', '.join(SOP_CLASS_OF)}")
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = SOP_CLASS_OF[study.Modality]
    type_2 = {"PatientName", "PatientID", "PatientSex", "PatientBirthDate", "StudyDate", "StudyTime", "AccessionNumber", "StudyID"}
    type_2 |= {"Manufacturer", "BodyPartExamined", "ViewPosition"}
    for field in fields(study):
        value = getattr(study, field.name)
        if value or field.name in type_2:
            setattr(dataset, field.name, list(value) if isinstance(value, tuple) else value)
    dataset.ReferringPhysicianName = ""
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = 1
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    if study.Modality == "DX":
        _add_dx(dataset)


def _coded(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "SCT", meaning
    return code


def _add_dx(dataset: Dataset) -> None:
    """The type 1 and 2 attributes of the DX modules (PS3.3 C.8.11.1 to C.8.11.5, C.7.6.14)."""
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.ImageLaterality = "U"
    if dataset.BodyPartExamined not in _REGION_CODES:
        raise UsageError(f"DX needs a code for its region (PS3.3 C.8.11.2): known are {', '.join(_REGION_CODES)}")
    dataset.AnatomicRegionSequence = [_coded(*_REGION_CODES[dataset.BodyPartExamined])]
    if dataset.ViewPosition in _VIEW_CODES:
        view = _coded(*_VIEW_CODES[dataset.ViewPosition])
        view.ViewModifierCodeSequence = []
        dataset.ViewCodeSequence = [view]
    dataset.PixelIntensityRelationship = "LOG"
    dataset.DetectorType = "SCINTILLATOR"
    dataset.PositionerType = ""
    dataset.AcquisitionContextSequence = []


def _add_layout(dataset: Dataset, shape: Sequence[int], coding: Coding, signed: bool) -> None:
    """Image Pixel (PS3.3 C.7.6.3)."""
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = coding.PhotometricInterpretation
    dataset.Rows, dataset.Columns = int(shape[-2]), int(shape[-1])
    dataset.BitsAllocated = 8 if coding.bits_stored == 8 else 16
    dataset.BitsStored = coding.bits_stored
    dataset.HighBit = coding.bits_stored - 1
    dataset.PixelRepresentation = int(signed)
    dataset.BurnedInAnnotation = coding.BurnedInAnnotation
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        value = getattr(coding, keyword)
        if value is not None:
            dataset.add_new(keyword, "SS" if signed else "US", value)


def _add_grey_scale(dataset: Dataset, coding: Coding, modality: str, byte_order: str) -> None:
    """Modality LUT (PS3.3 C.11.1) and VOI LUT (PS3.3 C.11.2)."""
    signed = bool(dataset.PixelRepresentation)
    if coding.modality_lut:
        item = _lut_item(coding.modality_lut, signed, byte_order)
        item.ModalityLUTType = "US"  # unspecified
        dataset.ModalityLUTSequence = [item]
    elif coding.RescaleSlope is not None or modality == "DX":
        dataset.RescaleIntercept = _decimal(coding.RescaleIntercept or 0)
        dataset.RescaleSlope = _decimal(coding.RescaleSlope or 1)
        dataset.RescaleType = "US"
    if modality == "DX":
        inverse = coding.PhotometricInterpretation == "MONOCHROME1"
        dataset.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"
        dataset.PixelIntensityRelationshipSign = 1 if inverse else -1
    if coding.voi_lut:
        dataset.VOILUTSequence = [_lut_item(coding.voi_lut, signed and not coding.modality_lut, byte_order)]
    windows = coding.windows
    if not windows and not coding.voi_lut and modality == "DX":  # type 1C: DX For Presentation must have one of them
        windows = ((2.0 ** (coding.bits_stored - 1), 2.0**coding.bits_stored),)
    if windows:
        dataset.WindowCenter = [_decimal(center) for center, _ in windows]
        dataset.WindowWidth = [_decimal(width) for _, width in windows]
        if coding.VOILUTFunction:
            dataset.VOILUTFunction = coding.VOILUTFunction


def _decimal(value: float) -> str:
    return f"{value:.10g}"


def _lut_item(lut: Lut, signed: bool, byte_order: str) -> Dataset:
    """Return one item of a LUT sequence; `signed` where the values that go in can be negative."""
    item = Dataset()
    entries = len(lut.data)
    vr = "SS" if signed else "US"
    item.add_new("LUTDescriptor", vr, [entries if entries < 65536 else 0, lut.first_value, lut.bits])
    if lut.explanation:
        item.LUTExplanation = lut.explanation
    if entries < 32768:
        item.add_new("LUTData", "US", [int(value) for value in lut.data])
    else:  # more than an explicit US can hold
        item.add_new("LUTData", "OW", np.asarray(lut.data, f"{byte_order}u2").tobytes())
    return item


def _add_pixels(dataset: Dataset, frame: bytes, raw_bytes: int, syntax: TransferSyntax) -> None:
    """Pixel Data (PS3.5 section 8) and, where the coder loses something, how much (PS3.3 C.7.6.1.1.5)."""
    dataset.LossyImageCompression = "01" if syntax.lossy else "00"
    if syntax.lossy:
        dataset.LossyImageCompressionRatio = f"{raw_bytes / len(frame):.3f}"
        dataset.LossyImageCompressionMethod = syntax.lossy_method
    if syntax.uid.is_encapsulated:
        dataset.PixelData = encapsulate([frame])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        return
    dataset.PixelData = frame + b"\0" * (len(frame) % 2)
    explicit_bytes = dataset.BitsAllocated == 8 and not syntax.uid.is_implicit_VR
    dataset["PixelData"].VR = "OB" if explicit_bytes else "OW"

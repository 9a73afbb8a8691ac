"""Small real-looking files of every kind that ingest reads, and where in them the parts lie that state their own length."""

import functools
import io
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate

from screening.dicom.elements import LONG_FORM_VR, UNDEFINED_LENGTH
from screening.dicom.encoders import TRANSFER_SYNTAXES, encode_rle
from screening.dicom.writer import Coding, Lut, build_dataset, to_bytes, write_dicom
from tests.screening import hostile

LARGEST_BYTES = 200_000
SHAPE = (152, 136)
PNG_START, JPEG_START = b"\x89PNG", b"\xff\xd8"
CHEST = {
    "Modality": "CR", "BodyPartExamined": "CHEST", "ViewPosition": "PA", "ImageType": ["ORIGINAL", "PRIMARY"], "PatientAge": "040Y",
    "NumberOfFrames": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A part of a file that states its own length: a data element, a PNG chunk or a JPEG segment."""

    name: str
    start: int
    length_at: int
    length_format: str
    value_at: int
    end: int


@dataclass(frozen=True)
class SeedFile:
    """One sound file, and where its parts lie."""

    name: str
    data: bytes
    places: tuple[Place, ...]


@functools.cache
def seed_files() -> tuple[tuple[SeedFile, ...], ...]:
    """Return every kind of file that there is to spoil, in groups; always the same ones in the same order."""
    shipped, as_chest = _pydicom_files()
    groups = (_radiographs(), _colour_dicom(), shipped, as_chest, _png_files(), _jpeg_files())
    return tuple(tuple(SeedFile(name, data, tuple(places_of(data))) for name, data in files.items()) for files in groups)


def _radiographs() -> dict[str, bytes]:
    files = {}
    for name, syntax in TRANSFER_SYNTAXES.items():
        for bits in sorted({min(syntax.bits), 12 if 12 in syntax.bits else max(syntax.bits)}):
            coding = Coding(bits, windows=((2.0 ** (bits - 1), 2.0**bits),))
            files[f"{name} {bits}"] = write_dicom(hostile.chest(*SHAPE, bits), hostile.attributes(Modality="DX"), coding, name)
        if syntax.signed:
            signed = hostile.chest(*SHAPE, 12).astype(np.int16) - 2048
            files[f"{name} signed"] = write_dicom(signed, hostile.attributes(), Coding(12, "MONOCHROME1", 1.0, 2048.0), name)
    table = Lut(tuple(range(0, 65536, 16)), 0, 16)
    for name in ("explicit_little_endian", "implicit_little_endian", "explicit_big_endian"):
        for coding in (
            Coding(12, voi_lut=table),
            Coding(12, modality_lut=table),
            Coding(12, PixelPaddingValue=0, PixelPaddingRangeLimit=9),
        ):
            files[f"{name} tables {len(files)}"] = write_dicom(hostile.chest(*SHAPE), hostile.attributes(), coding, name)
    return files


def _colour_dicom() -> dict[str, bytes]:
    grey = hostile.chest(*SHAPE, 8)
    tinted = np.stack([grey, grey, grey // 4 * 3], axis=-1)
    jpeg, j2k = io.BytesIO(), io.BytesIO()
    Image.fromarray(tinted).save(jpeg, "JPEG")
    Image.fromarray(tinted).save(j2k, "JPEG2000", no_jp2=True)
    rle = np.concatenate(list(np.moveaxis(tinted, -1, 0)))
    ycbcr = np.asarray(Image.fromarray(tinted).convert("YCbCr"))
    pairs = np.concatenate([ycbcr[..., 0].reshape(-1, 2), ycbcr[:, ::2, 1:].reshape(-1, 2)], axis=1)  # Y1 Y2 Cb Cr
    coded = {
        "rgb": ("explicit_little_endian", "RGB", tinted.tobytes()),
        "rgb planes": ("explicit_little_endian", "RGB", np.moveaxis(tinted, -1, 0).tobytes()),
        "ybr 422": ("explicit_little_endian", "YBR_FULL_422", pairs.tobytes()),
        "rgb rle": ("rle", "RGB", encapsulate([encode_rle(rle, 8)])),
        "ybr jpeg": ("jpeg_baseline", "YBR_FULL_422", encapsulate([jpeg.getvalue()])),
        "rgb j2k": ("jpeg_2000_lossless", "YBR_RCT", encapsulate([j2k.getvalue()])),
    }
    files = {}
    for name, (syntax, photometric, pixels) in coded.items():
        dataset = build_dataset(grey, hostile.attributes(), Coding(8), "jpeg_baseline" if syntax == "jpeg_baseline" else syntax)
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, photometric, int("planes" in name)
        dataset.PixelData = pixels
        files[name] = to_bytes(dataset)
    dataset = build_dataset(grey, hostile.attributes(), Coding(8))
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    for colour in ("Red", "Green", "Blue"):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(dataset, f"{colour}PaletteColorLookupTableData", np.arange(0, 65536, 256, dtype="<u2").tobytes())
    return files | {"palette": to_bytes(dataset)}


def _pydicom_files() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Return the small files that pydicom ships, as they are, and those with an image as what calls itself a chest radiograph."""
    files, as_chest = {}, {}
    folders = {Path(get_testdata_file(name)).parent for name in ("CT_small.dcm", "RG1_UNCR.dcm")}
    for path in sorted((path for folder in folders for path in folder.glob("*.dcm")), key=lambda path: path.name):
        data = path.read_bytes()
        if len(data) > LARGEST_BYTES:
            continue
        files[path.name] = data
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset = pydicom.dcmread(io.BytesIO(data))
                if "PixelData" not in dataset:
                    continue
                dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition, dataset.ImageType = (
                    "CR",
                    "CHEST",
                    "PA",
                    ["ORIGINAL", "PRIMARY"],
                )
                dataset.PatientAge, dataset.NumberOfFrames = "040Y", 1
                as_chest[f"{path.name} as chest"] = to_bytes(dataset)
        except (pydicom.errors.InvalidDicomError, AttributeError, ValueError, TypeError, KeyError, NotImplementedError):
            continue  # a file that pydicom itself cannot write again
    return files, as_chest


def _png_files() -> dict[str, bytes]:
    grey, deep = Image.fromarray(hostile.chest(*SHAPE, 8)), Image.fromarray(hostile.chest(*SHAPE, 16))
    turned = Image.Exif()
    turned[0x0112] = 6
    images = {"L": grey, "16": deep, "RGB": grey.convert("RGB"), "P": grey.convert("RGB").quantize(64), "LA": grey.convert("LA")}
    files = {f"png {mode}": _saved(image, "PNG") for mode, image in images.items()}
    return files | {"png exif": _saved(grey, "PNG", exif=turned), "png 1": _saved(grey.convert("1"), "PNG")}


def _jpeg_files() -> dict[str, bytes]:
    grey = Image.fromarray(hostile.chest(*SHAPE, 8))
    turned = Image.Exif()
    turned[0x0112] = 6
    options = {
        "plain": {},
        "progressive": {"progressive": True},
        "exif": {"exif": turned},
        "icc": {"icc_profile": b"x" * 3000},
        "comment": {"comment": b"x" * 99},
    }
    files = {f"jpeg {name}": _saved(grey, "JPEG", **option) for name, option in options.items()}
    colours = {f"jpeg {mode}": _saved(grey.convert("RGB").convert(mode), "JPEG", progressive=mode == "RGB") for mode in ("RGB", "CMYK")}
    return files | colours


def _saved(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def places_of(data: bytes) -> list[Place]:
    if data[:4] == PNG_START:
        return chunks_of(data)
    if data[:2] == JPEG_START:
        return _segments(data)
    return _elements(data)


def chunks_of(data: bytes) -> list[Place]:
    places, at = [], 8
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        places.append(Place(kind.decode("latin-1"), at, at, ">I", at + 8, at + 12 + length))
        at += 12 + length
    return places


def _segments(data: bytes) -> list[Place]:
    places, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        length = struct.unpack_from(">H", data, at + 2)[0]
        places.append(Place(f"{data[at + 1]:02x}", at, at + 2, ">H", at + 4, at + 2 + length))
        if data[at + 1] == 0xDA:
            break
        at += 2 + length
    return places


def _elements(data: bytes) -> list[Place]:
    """Return the top-level data elements with a length, and those of the items of the first levels, as far as they can be walked."""
    start = 132 if data[128:132] == b"DICM" else 0
    places: list[Place] = []
    at, syntax = start, b""
    while at + 8 <= len(data):
        is_meta = data[at : at + 2] == b"\x02\x00"
        big = not is_meta and syntax.startswith(b"1.2.840.10008.1.2.2\0")
        order = ">" if big else "<"
        group, number = struct.unpack_from(order + "HH", data, at)
        vr = data[at + 4 : at + 6].decode("latin-1")
        explicit = vr.isalpha() and vr.isupper() and vr.isascii()
        if explicit and vr not in LONG_FORM_VR:
            length_at, length_format, value_at = at + 6, order + "H", at + 8
        else:
            length_at, length_format = at + (8 if explicit else 4), order + "I"
            value_at = length_at + 4
        if value_at > len(data):
            break
        length = struct.unpack_from(length_format, data, length_at)[0]
        end = value_at if length == UNDEFINED_LENGTH or group == 0xFFFE else value_at + length
        places.append(Place(f"{group:04x}{number:04x}", at, length_at, length_format, value_at, min(end, len(data))))
        if (group, number) == (2, 0x10):
            syntax = data[value_at:end] + b"\0"
        if group == 0x7FE0 or end > len(data):
            break
        at = end
    return places

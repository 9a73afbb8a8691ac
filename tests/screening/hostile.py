"""Makers of files that mean harm, and of one good file to spoil."""

import functools
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset

from screening.dicom.elements import UNDEFINED_LENGTH
from screening.dicom.header import read_dicom
from screening.dicom.limits import Limits
from screening.dicom.uids import uid_of
from screening.dicom.writer import Coding, StudyAttributes, build_dataset, to_bytes, write_dicom
from screening.phantom.radiograph import make_phantom

CODING = Coding(12, windows=((2048.0, 4096.0),))
PATIENT = {
    "PatientID": "QX-77120934",
    "PatientName": "Featherstonehaugh^Wilhelmina^Zoe",
    "PatientBirthDate": "19610317",
    "AccessionNumber": "ACC5550199",
    "StudyID": "STUDYID991",
    "StudyDescription": "Chest for Dr Quackenbush",
    "ImageComments": "call her on 0161 4960 777",
}


def attributes(**changes: object) -> StudyAttributes:
    """Return the header of an adult's frontal chest radiograph."""
    values = {
        "StudyInstanceUID": uid_of("hostile", 1),
        "SeriesInstanceUID": uid_of("hostile", 2),
        "SOPInstanceUID": uid_of("hostile", 3),
        "PatientSex": "F",
        "PatientAge": "059Y",
        "StudyDate": "20200401",
        "InstitutionName": "Northgate General",
        "Manufacturer": "Aldwych Imaging",
        "ViewPosition": "PA",
    }
    return StudyAttributes(**(values | PATIENT | changes))


@functools.cache
def chest(rows: int = 620, columns: int = 560, bits: int = 12, seed: int = 3) -> np.ndarray:
    """Return the stored values of a synthetic chest radiograph, bone bright."""
    image = make_phantom(seed, "normal", size=(rows, columns)).image
    return np.rint(image * ((1 << bits) - 1)).astype(np.uint8 if bits == 8 else np.uint16)


def good(transfer_syntax: str = "explicit_little_endian", **changes: object) -> bytes:
    """Return a file that ingest accepts."""
    return write_dicom(chest(), attributes(**changes), CODING, transfer_syntax)


def changed(transfer_syntax: str = "explicit_little_endian", **elements: object) -> bytes:
    """Return the good file with other values of some elements; None deletes one."""
    dataset = build_dataset(chest(), attributes(), CODING, transfer_syntax)
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return to_bytes(dataset)


def table(data: bytes, count: int = 0, first: int = 0, bits: int = 16) -> Dataset:
    """Return an item of a LUT sequence; a count of 0 says 65,536."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [count, first, bits])
    item.add_new("LUTData", "OW", data)
    return item


def untyped(data: bytes, *groups: int) -> bytes:
    """Return an explicit file as a program leaves it that does not know the elements of some groups: with UN for their representation."""
    file = read_dicom(data, Limits())
    order = "<" if file.header.little else ">"
    parts, at = [], len(meta_of(data))
    for tag, element in sorted(file.header.elements.items(), key=lambda item: item[1].start):
        end = element.start + element.length if element.length != UNDEFINED_LENGTH else len(data)
        if tag >> 16 in groups:
            length = struct.pack(order + "I", element.length)
            parts += [data[at : at + 4], b"UN\0\0", length, data[element.start : end]]
        else:
            parts.append(data[at:end])
        at = end
    return meta_of(data) + b"".join(parts)


def huge_header() -> bytes:
    """60,000 x 60,000 pixels by its header, two bytes by its content."""
    return changed(Rows=60000, Columns=60000, PixelData=b"\0\0")


@functools.cache
def deflate_bomb() -> bytes:
    """A deflated data set of 100 MB of zeros in some 100 kB."""
    data = changed("deflated")
    element = b"\x09\x00\x10\x00UN\0\0" + struct.pack("<I", 100 << 20)
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return meta_of(data) + deflater.compress(element + bytes(100 << 20)) + deflater.flush()


def meta_of(data: bytes) -> bytes:
    """Return preamble and file meta information of a file, without its data set."""
    length = struct.unpack_from("<I", data, 140)[0]  # FileMetaInformationGroupLength, behind preamble and its own head
    return data[: 144 + length]


def endless_sequence(depth: int = 200_000) -> bytes:
    """Sequences within sequences, none of them closed."""
    level = b"\x40\x00\x75\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    return meta_of(good()) + level * depth


def crowded_sequence(items: int = 400_000) -> bytes:
    """One sequence with so many empty items that objects made of them would fill the memory."""
    opening = b"\x40\x00\x75\x02SQ\0\0\xff\xff\xff\xff"
    return meta_of(good()) + opening + b"\xfe\xff\x00\xe0\0\0\0\0" * items + b"\xfe\xff\xdd\xe0\0\0\0\0"


def tiled_to_death() -> bytes:
    """A JPEG 2000 stream of the right size that claims tiles of 1 x 1 pixels."""
    data = bytearray(good("jpeg_2000_lossless"))
    at = data.index(b"\xff\x4f\xff\x51") + 2
    struct.pack_into(">II", data, at + 22, 1, 1)  # XTsiz, YTsiz
    return bytes(data)


@functools.cache
def png_bomb(side: int = 12_000) -> bytes:
    """A PNG file of side x side black pixels in some hundred kB."""
    lines = zlib.compressobj(9)
    body = b"".join(lines.compress(bytes(side + 1)) for _ in range(side)) + lines.flush()
    return png(side, side, body)


def png(width: int, height: int, body: bytes) -> bytes:
    """Return an 8-bit grey PNG file around deflated lines."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def mutations(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Yield `count` spoilt copies: flipped bytes (most in the header, where the lengths are), truncations, doubled and lost parts."""
    rng = np.random.default_rng(seed)
    header = min(len(data), 2048)
    for number in range(count):
        spoilt = bytearray(data)
        if number % 4 == 3:
            yield bytes(spoilt[: int(rng.integers(0, len(data)))])
            continue
        for _ in range(int(rng.integers(1, 12))):
            at = int(rng.integers(0, header if number % 4 else len(data)))
            spoilt[at] = int(rng.choice([0, 255, spoilt[at] ^ (1 << int(rng.integers(8))), int(rng.integers(256))]))
        if number % 8 == 2:
            cut = int(rng.integers(0, header))
            del spoilt[cut : cut + int(rng.integers(1, 9))]
        yield bytes(spoilt)

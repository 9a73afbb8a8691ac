"""Spoilt files without end: small real-looking ones, and what accidents and malice make of them, each again from its seed and number.

`python -m tests.screening.mutants SEED FIRST COUNT` gives so many of them to `ingest`, under a limit of memory and of processor time each,
and prints as JSON what became of them.
"""

import json
import resource
import signal
import struct
import sys
import time
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.datadict import dictionary_VR, tag_for_keyword

from schemas.reasons import Outcome
from screening.dicom.elements import LONG_FORM_VR
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest
from screening.privacy import Pseudonymizer
from tests.memory import peak_bytes
from tests.screening.seed_files import JPEG_START, PNG_START, Place, chunks_of, places_of, seed_files

MEMORY_BYTES = 1 << 30  # beyond what the program takes before its first file
SECONDS = 5.0  # of processor time for one file
CONFIG, KEY = IngestConfig(min_side=8), Pseudonymizer(b"a key of sixteen bytes or more")  # small images are quick

READ_KEYWORDS = (
    "SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "StudyDate", "AcquisitionDate", "Modality", "Manufacturer",
    "PresentationIntentType", "InstitutionName", "SeriesDescription", "ProtocolName", "AnatomicRegionSequence", "PatientName", "PatientID",
    "PatientBirthDate", "PatientSex", "PatientAge", "OtherPatientIDs", "BodyPartExamined", "ViewPosition", "PatientOrientation",
    "ViewCodeSequence", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit", "WindowCenter",
    "WindowWidth", "RescaleIntercept", "RescaleSlope", "VOILUTFunction", "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "ModalityLUTSequence", "VOILUTSequence",
    "PresentationLUTShape", "PixelData",
)  # fmt: skip
CHUNKS = (
    b"iCCP",
    b"tEXt",
    b"zTXt",
    b"iTXt",
    b"eXIf",
    b"acTL",
    b"fcTL",
    b"fdAT",
    b"tRNS",
    b"PLTE",
    b"IDAT",
    b"IHDR",
    b"gAMA",
    b"sPLT",
    b"pHYs",
)
NASTY_TEXTS = (
    b"", b"1e39", b"-1e39", b"1e400", b"nan", b"-inf", b"0", b"-1", b"0.0000000000001", b"1" * 5000, b"\\\\\\", b"1\\2\\3", b"0x10", b"1_0",
    b"\xff\xfe", b"\x1b$B\x1b(B", b"CHEST", b"LAT", b"CR", b"MONOCHROME1", b"PALETTE COLOR", b"RGB", b"YBR_FULL_422", b"ISO_IR 192",
    b"ISO 2022 IR 87\\ISO 2022 IR 58", b"GB18030", b"999Y", b"00000000", b"99991231", b"SIGMOID", b"2147483648", b"65535", "²".encode(),
)  # fmt: skip
NASTY_NUMBERS = (0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 64, 127, 128, 255, 256, 1025, 32767, 32768, 65534, 65535)
NASTY_LENGTHS = (0, 1, 2, 6, 7, 8, 255, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def mutant(seed: int, number: int) -> tuple[str, bytes]:
    """Return the spoilt file of that number, and what was done to which file."""
    rng = np.random.default_rng([seed, number])
    file = _choose(rng, _choose(rng, seed_files()))
    data, places, done = bytearray(file.data), list(file.places), [file.name]
    for _ in range(int(rng.integers(1, 3))):
        attack = _choose(rng, ATTACKS)
        done.append(attack.__name__.strip("_"))
        data = attack(rng, data, places)
        places = [place for place in places_of(bytes(data)) if place.end <= len(data)] if len(data) < 1 << 20 else []
    return ", ".join(done), _with_checksums(data) if data[:4] == PNG_START and rng.random() < 0.8 else bytes(data)


def _choose(rng: np.random.Generator, choices: object) -> object:
    return choices[int(rng.integers(len(choices)))]


def _flipped(rng: np.random.Generator, data: bytearray, places: list[Place]) -> bytearray:
    """Change bytes: anywhere, among the heads of the parts, or within one part, where codestreams have theirs."""
    start, end, way = 0, len(data), rng.random()
    if places and way < 0.2:
        start, end = places[0].start, min(len(data), places[-1].value_at + 300)
    elif places and way < 0.8:
        place = places[-1] if way < 0.5 else _choose(rng, places)
        start, end = place.value_at, min(len(data), place.value_at + 300)
    for _ in range(int(rng.integers(1, 16)) if end > start else 0):
        at = int(rng.integers(start, end))
        data[at] = int(_choose(rng, (0, 255, data[at] ^ (1 << int(rng.integers(8))), int(rng.integers(256)))))
    return data


def _cut(rng: np.random.Generator, data: bytearray, places: list[Place]) -> bytearray:
    if places and rng.random() < 0.5:
        place = _choose(rng, places)
        return data[: int(_choose(rng, (place.start, place.length_at, place.length_at + 1, place.value_at, place.end)))]
    return data[: int(rng.integers(0, len(data) + 1))]


def _other_length(rng: np.random.Generator, data: bytearray, places: list[Place]) -> bytearray:
    if places:
        place = _choose(rng, places)
        length = int(_choose(rng, (*NASTY_LENGTHS, place.end - place.value_at + int(rng.integers(-3, 4)), int(rng.integers(1 << 32)))))
        size = struct.calcsize(place.length_format)
        data[place.length_at : place.length_at + size] = struct.pack(place.length_format, length % (1 << 8 * size))
    return data


def _spliced(rng: np.random.Generator, data: bytearray, places: list[Place]) -> bytearray:
    other = _choose(rng, _choose(rng, seed_files()))
    if places and other.places and rng.random() < 0.7:
        return data[: _choose(rng, places).start] + other.data[_choose(rng, other.places).start :]
    return data[: int(rng.integers(len(data) + 1))] + other.data[int(rng.integers(len(other.data))) :]


def _lost_or_doubled(rng: np.random.Generator, data: bytearray, places: list[Place]) -> bytearray:
    if places:
        place, other = _choose(rng, places), _choose(rng, places)
        part = data[place.start : place.end]
        if rng.random() < 0.5:
            del data[place.start : place.end]
        else:
            data[other.start : other.start] = part
    return data


def _other_value(rng: np.random.Generator, data: bytearray, places: list[Place]) -> bytearray:
    """Write other values of the same length: numbers at their bounds, or text that is none, padded with spaces."""
    if places:
        place = _choose(rng, places)
        length = place.end - place.value_at
        if length in (1, 2, 4, 6, 8):
            numbers = [int(_choose(rng, NASTY_NUMBERS)) for _ in range(max(1, length // 2))]
            value = struct.pack(f"{place.length_format[0]}{len(numbers)}H", *numbers)[:length]
        else:
            value = _choose(rng, NASTY_TEXTS)[:length].ljust(length)
        data[place.value_at : place.end] = value
    return data


def _resized(rng: np.random.Generator, data: bytearray, places: list[Place]) -> bytearray:
    """Give a part another value of another length, and say so in its length field."""
    if places:
        place = _choose(rng, places)
        tail = 4 if data[:4] == PNG_START else 0  # a checksum
        added = place.value_at - place.length_at if data[:2] == JPEG_START else 0  # the length of a JPEG segment counts itself
        value = data[place.value_at : place.end - tail]
        value = bytes(_choose(rng, (b"", value[:1], value[: len(value) // 2], value * 2, value[:-1], *NASTY_TEXTS)))[:60_000]
        data[place.value_at : place.end - tail] = value
        struct.pack_into(place.length_format, data, place.length_at, len(value) + added)
    return data


def _inserted(rng: np.random.Generator, data: bytearray, places: list[Place]) -> bytearray:
    """Put a part before another one: an attribute that ingest reads, in a form that may be another than its own, a chunk or a segment."""
    if not places:
        return data
    place = _choose(rng, places)
    value = _choose(rng, NASTY_TEXTS) if rng.random() < 0.5 else struct.pack("<3H", *(int(_choose(rng, NASTY_NUMBERS)) for _ in range(3)))
    if data[:4] == PNG_START:
        element = struct.pack(">I", len(value)) + _choose(rng, CHUNKS) + value + bytes(4)
    elif data[:2] == JPEG_START:
        value = _choose(rng, (b"", b"Exif\0\0MM\0*", b"Exif\0\0II*\0\x08\0\0\0", b"MPF\0", b"Adobe", b"ICC_PROFILE\0", b"JFIF\0")) + value
        element = struct.pack(">BBH", 0xFF, int(rng.integers(0xC0, 0xFF)), len(value) + 2) + value
    else:
        keyword = _choose(rng, READ_KEYWORDS)
        explicit = place.value_at - place.length_at != 4 or rng.random() < 0.3
        element = _element(rng, keyword, value, place.length_format[0], explicit)
        if rng.random() < 0.5:  # in the place of what is there
            own = f"{tag_for_keyword(keyword):08x}"
            place = next((place for place in places if place.name == own), place)
            del data[place.start : place.end]
    data[place.start : place.start] = element
    return data


def _bombed(rng: np.random.Generator, data: bytearray, places: list[Place]) -> bytearray:
    """Give an attribute a value that is far too long, or a sequence far too many items."""
    keyword = _choose(rng, READ_KEYWORDS)
    size = int(_choose(rng, (10_000, 70_000, 300_000, 3_000_000)))
    unit = _choose(
        rng, (b"\\", b"1", b"9\\", b"\0", b"\xff", b"a^b=", b"\x1b$B", b"\xfe\xff\x00\xe0\0\0\0\0", b"aaaa\\", bytes(rng.bytes(7)))
    )
    value = (unit * (size // len(unit) + 1))[:size]
    if not places or data[128:132] != b"DICM":
        at = int(rng.integers(len(data) + 1))
        data[at:at] = value
        return data
    place = _choose(rng, places)
    data[place.start : place.start] = _element(rng, keyword, value, place.length_format[0], explicit=rng.random() < 0.7, long=True)
    return data


def _element(rng: np.random.Generator, keyword: str, value: bytes, order: str, explicit: bool, long: bool = False) -> bytes:
    tag = tag_for_keyword(keyword)
    vr = dictionary_VR(tag)[:2]
    vr = str(_choose(rng, ("UN", "UT", "OB", "SQ", vr))) if long or rng.random() < 0.3 else vr
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if vr == "SQ" and rng.random() < 0.5:
        value = struct.pack(order + "HHI", 0xFFFE, 0xE000, len(value)) + value
    if not explicit:
        return head + struct.pack(order + "I", len(value)) + value
    if vr in LONG_FORM_VR:
        return head + vr.encode() + b"\0\0" + struct.pack(order + "I", len(value)) + value
    value = value[:65534]
    return head + vr.encode() + struct.pack(order + "H", len(value)) + value


ATTACKS: tuple[Callable[[np.random.Generator, bytearray, list[Place]], bytearray], ...] = (
    *(_flipped, _flipped, _flipped, _cut, _other_length, _spliced, _lost_or_doubled, _other_value, _other_value, _resized, _resized),
    *(_inserted, _inserted, _inserted, _bombed),
)


def _with_checksums(data: bytearray) -> bytes:
    """Return a PNG file whose chunks have the right checksums again, so that a decoder reads what is in them."""
    for place in chunks_of(bytes(data)):
        if place.end <= len(data):
            struct.pack_into(">I", data, place.end - 4, zlib.crc32(data[place.start + 4 : place.end - 4]))
    return bytes(data)


def examine(seed: int, first: int, count: int, on_file: Callable[[int], None] = lambda number: None) -> dict[str, object]:
    """Return what `ingest` makes of so many mutants: counts by reason, the longest time, the memory, and each failure with its frames.

    `on_file` is called with the number of each, before it is given to `ingest`.
    """
    reasons: Counter[str] = Counter()
    failures: list[dict[str, object]] = []
    longest = 0.0
    for number in range(first, first + count):
        done, data = mutant(seed, number)
        on_file(number)
        started = time.process_time()
        try:
            refusal = ingest(data, CONFIG, KEY).refusal
            reasons[str(refusal.reason) if refusal else "accepted"] += 1
            if refusal and refusal.reason.outcome is not Outcome.REJECTED:
                failures.append({"number": number, "done": done, "frames": str(refusal)})
        except Exception:  # whatever it is, the report has it
            failures.append({"number": number, "done": done, "frames": traceback.format_exc(limit=-4)})
        longest = max(longest, time.process_time() - started)
    return {"reasons": dict(reasons), "failures": failures, "seconds": longest, "bytes": peak_bytes()}


def _announce(number: int) -> None:
    """Tell the parent which file comes next, and let the kernel end this process when it takes too long, even within a decoder."""
    print(number, file=sys.stderr, flush=True)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)


def main() -> None:
    seed, first, count = map(int, sys.argv[1:])
    warnings.simplefilter("error", RuntimeWarning)  # numpy's, where a number did not survive
    seed_files()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(json.dumps(examine(seed, first, count, _announce)))


if __name__ == "__main__":
    main()

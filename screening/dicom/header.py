"""Reads the header of a DICOM file (PS3.10, PS3.5 7) within fixed limits, and finds its pixel data without copying them.

Files come from strangers. This reader therefore never recurses without bound, never allocates what a length field merely claims,
warns of nothing (a warning would quote header values, names among them), and raises only `ImageRefused` with a text of our own.

pydicom gives the dictionary and the character sets. Its `dcmread`, with `stop_before_pixels` and `defer_size`, would not give the rest.
The sandbox would bound what such a file costs, but only by ending a child process, which must be replaced, and without a reason that
helps the sender. What pydicom 3.0.2 did with the hostile files of our tests:

- Sequences that are nested without end raise `RecursionError`.
- A sequence of 400,000 empty items, 3 MB, costs 270 MB and 40 times as long as here, for each becomes an object, deferred or not.
- A deflated data set is inflated without a bound: 0.1 MB became 100 MB.
- A value that the end of the file cuts off comes back as if it were whole, and so does the last fragment that `encaps.generate_fragments`
  yields (as a copy, like every other): a truncated file would not be told from a complete one.
- 4,000 spoilt headers raised five kinds of exceptions, and 108 of the warnings quoted the patient's data.
- Where it reads from a path, memory is allocated for what a length field claims, be it 4 GB; from bytes in memory it is not.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from pydicom.datadict import tag_for_keyword

from schemas.reasons import Reason
from screening.dicom.charsets import decode_text
from screening.dicom.elements import UNDEFINED_LENGTH, Budget, Element, Walker, vr_of
from screening.dicom.limits import Limits
from screening.errors import ImageRefused

PIXEL_DATA = 0x7FE00010
IMPLICIT_LITTLE, EXPLICIT_LITTLE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, EXPLICIT_BIG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
# PS3.5 table 6.2-1 gives the longest value of each representation; the longest of the short ones, PN, has 3 times 64 characters.
# These bounds leave room for many values and for writers who know no bound, and none for a value that is an attack.
MAX_VALUE_BYTES, MAX_LONG_TEXT_BYTES = 8 << 10, 64 << 10
MAX_LUT_ENTRIES = 1 << 16  # a descriptor cannot name more, PS3.3 C.11.1.1.1
_LONG_TEXT_VR = frozenset(["LT", "ST", "UC", "UR", "UT"])
_NUMBER_FORMAT = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q", "US or SS": "H", "AT": "H"}
_UNTYPED_VR = frozenset(["UN", "OB", "OW"])
_INTEGER_BOUND = 1 << 31  # IS, SS, SL (PS3.5 table 6.2-1); no unsigned integer that is read here is larger
_INFLATED_AT_ONCE, _DEFLATED_AT_ONCE = 1 << 20, 1 << 16  # bytes


@dataclass
class Header:
    """A data set, or an item of a sequence: values are read when asked for.

    A missing or odd value is None, never an error. A value longer than any that its attribute can have is CORRUPT, whoever asks:
    every attribute that is read decides whether an image is refused, what it shows, or whose it is.
    """

    buffer: memoryview
    elements: dict[int, Element]
    implicit: bool
    little: bool
    charsets: list[str]
    budget: Budget = field(repr=False)

    def __contains__(self, keyword: str) -> bool:
        return tag_for_keyword(keyword) in self.elements

    def raw(self, keyword: str) -> bytes | None:
        """Return the value's bytes, or None where the element is absent or of undefined length. Raises CORRUPT where it is too long."""
        element = self._defined(keyword)
        if element is None:
            return None
        vr = vr_of(tag_for_keyword(keyword))
        longest = MAX_LONG_TEXT_BYTES if vr in _LONG_TEXT_VR else MAX_VALUE_BYTES
        if element.length > longest:
            raise ImageRefused(Reason.CORRUPT, f"{keyword} holds {element.length} bytes; a value of its kind ({vr}) has {longest} at most")
        return bytes(self.buffer[element.start : element.start + element.length])

    def texts(self, keyword: str) -> list[str]:
        """Return the values of a text element without their padding; empty where there is none. Raises CORRUPT where it is too long."""
        raw = self.raw(keyword)
        if not raw:
            return []
        text = decode_text(raw, self.charsets, vr_of(tag_for_keyword(keyword)))
        return [value.strip(" \0\t\r\n") for value in text.split("\\")]

    def text(self, keyword: str) -> str:
        """Return the first value of a text element, "" where there is none. Raises CORRUPT where it is too long."""
        values = self.texts(keyword)
        return values[0] if values else ""

    def numbers(self, keyword: str) -> list[float]:
        """Return the finite values of a numeric element, binary or in decimal text; empty where there is none or one is no number.

        Raises CORRUPT where the element is too long.
        """
        raw = self.raw(keyword)
        if not raw:
            return []
        code = self._number_format(keyword)
        try:
            if code is None:
                values = [float(value) for value in self.texts(keyword)]
            else:
                size = struct.calcsize(code)
                values = list(struct.unpack(f"{'<' if self.little else '>'}{len(raw) // size}{code}", raw[: len(raw) // size * size]))
        except ValueError:
            return []
        return [float(value) for value in values] if all(map(math.isfinite, values)) else []

    def number(self, keyword: str) -> float | None:
        """Return the first value of a numeric element, or None. Raises CORRUPT where the element is too long."""
        values = self.numbers(keyword)
        return values[0] if values else None

    def integer(self, keyword: str, default: int) -> int:
        """Return the first value of a numeric element as an integer, or `default`. Raises CORRUPT where it is too long or has 32 bits."""
        value = self.number(keyword)
        if value is None:
            return default
        if not -_INTEGER_BOUND <= value < _INTEGER_BOUND:
            raise ImageRefused(Reason.CORRUPT, f"{keyword} is no integer that PS3.5 allows")
        return int(value)

    def length(self, keyword: str) -> int:
        """Return how many bytes a value has; 0 where the element is absent or of undefined length."""
        element = self._defined(keyword)
        return element.length if element else 0

    def array(self, keyword: str, bits: int = 16) -> np.ndarray:
        """Return the value as (n,) unsigned integers in the data set's byte order, the first MAX_LUT_ENTRIES of them, without a copy."""
        element = self._defined(keyword)
        if element is None:
            return np.empty(0, f"u{bits // 8}")
        count = min(element.length // (bits // 8), MAX_LUT_ENTRIES)
        return np.frombuffer(self.buffer, np.dtype(f"{'<' if self.little else '>'}u{bits // 8}"), count, element.start)

    def items(self, keyword: str) -> list["Header"]:
        """Return the items of a sequence; empty where it is absent. Raises ImageRefused where it is broken."""
        element = self.elements.get(tag_for_keyword(keyword))
        if element is None:
            return []
        walker = Walker(self.buffer, self.little, self.budget)
        end = len(self.buffer) if element.length == UNDEFINED_LENGTH else element.start + element.length
        implicit = walker.has_implicit_items(element, self.implicit)
        return [
            Header(self.buffer, elements, implicit, self.little, self.charsets, self.budget)
            for elements in walker.items(element.start, end, implicit)
        ]

    def _defined(self, keyword: str) -> Element | None:
        element = self.elements.get(tag_for_keyword(keyword))
        return None if element is None or element.length == UNDEFINED_LENGTH else element

    def _number_format(self, keyword: str) -> str | None:
        """Return how `struct` reads one number, None for decimal text.

        A program that does not know a tag writes it as UN when it makes an explicit file of an implicit one (PS3.5 6.2.2): then the
        dictionary says what the file does not.
        """
        tag = tag_for_keyword(keyword)
        vr = self.elements[tag].vr
        return _NUMBER_FORMAT.get(vr_of(tag) if vr in _UNTYPED_VR else vr)


@dataclass
class DicomFile:
    """A header and the place of its pixel data. Where the header ends early or is broken, it holds what comes before, and `fault`."""

    header: Header
    transfer_syntax: str
    buffer: memoryview
    fault: ImageRefused | None = None

    def require_pixels(self) -> None:
        """Raise NO_PIXELS where the object has no pixel data."""
        self._pixel_element()

    @property
    def pixel_vr(self) -> str:
        """The value representation of PixelData: OB or OW. Raises NO_PIXELS."""
        return self._pixel_element().vr

    def pixel_bytes(self) -> memoryview:
        """Return the native pixel data, as much as there are of them. Raises NO_PIXELS."""
        element = self._pixel_element()
        return self.buffer[element.start : min(element.start + element.length, len(self.buffer))]

    def fragments(self) -> list[memoryview]:
        """Return the fragments of encapsulated pixel data without the offset table (PS3.5 A.4). Raises NO_PIXELS, TRUNCATED, CORRUPT."""
        element = self._pixel_element()
        if element.length != UNDEFINED_LENGTH:
            raise ImageRefused(Reason.CORRUPT, "PixelData of a compressed transfer syntax is not encapsulated")
        walker = Walker(self.buffer, self.header.little, self.header.budget)
        fragments = list(walker.fragments(element.start))
        if len(fragments) < 2:
            raise ImageRefused(Reason.TRUNCATED, "PixelData holds no fragment")
        return fragments[1:]

    def _pixel_element(self) -> Element:
        element = self.header.elements.get(PIXEL_DATA)
        if element is None or element.length == 0:
            raise ImageRefused(Reason.NO_PIXELS, "PixelData (7FE0,0010) is absent")
        return element


def is_dicom(data: bytes | memoryview) -> bool:
    """Tell whether the bytes are a DICOM file, or a data set without the preamble that PS3.10 asks for."""
    if len(data) >= 132 and bytes(data[128:132]) == b"DICM":
        return True
    return len(data) >= 16 and _bare_start(memoryview(data)) is not None


def read_dicom(data: bytes | memoryview, limits: Limits) -> DicomFile:
    """Read the header up to PixelData (7FE0,0010).

    A header that ends early, is broken or too long comes back as far as it could be read, with its `fault`.
    Raises ImageRefused where there is none: NOT_DICOM, TRUNCATED, CORRUPT, TOO_LARGE, IMPLAUSIBLE_COMPRESSION.
    """
    buffer = memoryview(data)
    if not is_dicom(buffer):
        raise ImageRefused(Reason.NOT_DICOM, "no DICOM prefix and no data set")
    budget = Budget(limits.max_elements, limits.max_depth)
    start = 132 if bytes(buffer[128:132]) == b"DICM" else 0
    meta, start = _read_meta(buffer, start, budget)
    transfer_syntax = meta.text("TransferSyntaxUID")
    if transfer_syntax == DEFLATED:
        buffer, start = memoryview(inflate(buffer[start:], limits)), 0
    implicit, little = _coding(buffer, start, transfer_syntax)
    if not transfer_syntax:
        transfer_syntax = IMPLICIT_LITTLE if implicit else EXPLICIT_LITTLE if little else EXPLICIT_BIG
    header = Header(buffer, {}, implicit, little, [], budget)
    fault = None
    try:
        stop = Walker(buffer, little, budget).elements(start, len(buffer), implicit, header.elements, until=PIXEL_DATA)
        if PIXEL_DATA not in header.elements and np.frombuffer(buffer[stop:], np.uint8).any():
            raise ImageRefused(Reason.TRUNCATED, "the file ends within a data element's head")
    except ImageRefused as refusal:
        fault = refusal
    header.charsets = header.texts("SpecificCharacterSet")
    return DicomFile(header, transfer_syntax, buffer, fault)


def _read_meta(buffer: memoryview, start: int, budget: Budget) -> tuple[Header, int]:
    """Return the file meta information (always explicit little endian) and where the data set starts."""
    walker = Walker(buffer, True, budget)
    read: dict[int, Element] = {}
    while len(buffer) - start >= 8 and bytes(buffer[start : start + 2]) == b"\x02\x00":
        tag, element = walker.head(start, implicit=False)
        read[tag] = element
        start = walker.after(element, len(buffer), False, 0)
    return Header(buffer, read, False, True, [], budget), start


def inflate(data: memoryview, limits: Limits) -> bytearray:
    """Return the inflated data set (PS3.5 A.5), never allocating more than the limits allow."""
    bound = int(min(limits.max_bytes, max(limits.free_expansion_bytes, limits.max_expansion * len(data))))
    inflated = bytearray()
    try:
        for part in _inflated_parts(data):
            inflated += part
            if len(inflated) > bound:
                limits.check_expansion(len(inflated), len(data))
                raise ImageRefused(Reason.TOO_LARGE, f"the data set inflates to more than {limits.max_bytes} bytes")
    except zlib.error:
        raise ImageRefused(Reason.CORRUPT, "the deflated data set cannot be inflated") from None
    return inflated


def _inflated_parts(data: memoryview) -> Iterator[bytes]:
    """Yield what a deflated stream holds, at most _INFLATED_AT_ONCE bytes at a time. Raises TRUNCATED, zlib.error."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for at in range(0, len(data), _DEFLATED_AT_ONCE):
        part = inflater.decompress(data[at : at + _DEFLATED_AT_ONCE], _INFLATED_AT_ONCE)
        yield part
        while inflater.unconsumed_tail or len(part) == _INFLATED_AT_ONCE:
            part = inflater.decompress(inflater.unconsumed_tail, _INFLATED_AT_ONCE)
            yield part
        if inflater.eof:
            return
    raise ImageRefused(Reason.TRUNCATED, "the deflated data set ends early")


def _coding(buffer: memoryview, start: int, transfer_syntax: str) -> tuple[bool, bool]:
    """Return (implicit, little endian), believing the first element where it contradicts the transfer syntax or there is none."""
    little = transfer_syntax != EXPLICIT_BIG
    if not transfer_syntax:
        little = len(buffer) - start < 2 or buffer[start] != 0
    vr = bytes(buffer[start + 4 : start + 6])
    explicit = len(vr) == 2 and vr.isalpha() and vr.isupper()
    return not explicit, little


def _bare_start(buffer: memoryview) -> int | None:
    """Return 0 where the buffer starts with a plausible data element of group 0002 or 0008, else None."""
    head = bytes(buffer[:8])
    if head[:2] in (b"\x02\x00", b"\x08\x00") and head[3] == 0:
        explicit = head[4:6].isalpha() and head[4:6].isupper()
        return 0 if explicit or struct.unpack("<I", head[4:])[0] <= len(buffer) - 8 else None
    if head[:2] == b"\x00\x08" and head[4:6].isalpha() and head[4:6].isupper():
        return 0
    return None

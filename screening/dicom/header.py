"""Reads the header of a DICOM file (PS3.10, PS3.5 7) within fixed limits, and finds its pixel data without copying them.

Files come from strangers. This reader therefore never recurses without bound, never allocates what a length field merely claims,
warns of nothing (a warning would quote header values, names among them), and raises only `ImageRefused` with a text of our own.

pydicom gives the dictionary and the character sets. Its `dcmread`, with `stop_before_pixels` and `defer_size`, would not give the rest.
The sandbox bounds what a file costs, but what it ends there is a child process that has to be replaced, and no reason that helps the
sender. What pydicom 3.0.2 did with the hostile files of our tests:

- Sequences that are nested without end raise `RecursionError`.
- A sequence of 400,000 empty items, 3 MB, costs 270 MB and 40 times as long as here, for each becomes an object, deferred or not.
- A deflated data set is inflated without a bound: 0.1 MB became 100 MB.
- A value that the end of the file cuts off comes back as if it were whole, and so does the last fragment that `encaps.generate_fragments`
  yields (as a copy, like every other): a truncated file would not be told from a complete one.
- 4,000 spoilt headers raised five kinds of exceptions, and 108 of the warnings quoted the patient's data.
- Where it reads from a path, memory is allocated for what a length field claims, be it 4 GB; from bytes in memory it is not.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from pydicom.charset import python_encoding
from pydicom.datadict import dictionary_VR, tag_for_keyword

from schemas.reasons import Reason
from screening.dicom.limits import Limits
from screening.errors import ImageRefused

_ESCAPE = re.compile(rb"\x1b[$(-/]*[@-~]")  # ISO/IEC 2022 designations, PS3.3 C.12.1.1.2
UNDEFINED_LENGTH = 0xFFFFFFFF
# value representations with 32-bit lengths, PS3.5 table 7.1-1
LONG_FORM_VR = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
TRANSFER_SYNTAX_UID, SPECIFIC_CHARACTER_SET, PIXEL_DATA = 0x00020010, 0x00080005, 0x7FE00010
IMPLICIT_LITTLE, EXPLICIT_LITTLE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, EXPLICIT_BIG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
_NUMBER_FORMAT = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q", "US or SS": "H", "AT": "H"}


@dataclass
class _Budget:
    """Elements that may still be walked through; shared by a header and all its items."""

    elements: int
    depth: int

    def spend(self) -> None:
        self.elements -= 1
        if self.elements < 0:
            raise ImageRefused(Reason.TOO_LARGE, "the header has more data elements than the limit allows")


@dataclass(frozen=True, slots=True)
class Element:
    """Where one data element's value lies in the buffer; `length` may be UNDEFINED_LENGTH."""

    vr: str
    start: int
    length: int


@dataclass
class Header:
    """A data set, or an item of a sequence: values are read when asked for. A missing or odd value is None, never an error."""

    buffer: memoryview
    elements: dict[int, Element]
    implicit: bool
    little: bool
    charsets: list[str]
    budget: _Budget = field(repr=False)

    def __contains__(self, keyword: str) -> bool:
        return tag_for_keyword(keyword) in self.elements

    def raw(self, keyword: str) -> bytes | None:
        """Return the value's bytes, or None where the element is absent or of undefined length."""
        element = self.elements.get(tag_for_keyword(keyword))
        if element is None or element.length == UNDEFINED_LENGTH:
            return None
        return bytes(self.buffer[element.start : element.start + element.length])

    def texts(self, keyword: str) -> list[str]:
        """Return the values of a text element without their padding; empty where there is none."""
        raw = self.raw(keyword)
        if not raw:
            return []
        return [value.strip(" \0\t\r\n") for value in _decode(raw, self.charsets).split("\\")]

    def text(self, keyword: str) -> str:
        """Return the first value of a text element, "" where there is none."""
        values = self.texts(keyword)
        return values[0] if values else ""

    def numbers(self, keyword: str) -> list[float]:
        """Return the finite values of a numeric element, binary or in decimal text; empty where there is none or one is no number."""
        tag = tag_for_keyword(keyword)
        raw = self.raw(keyword)
        if not raw:
            return []
        code = _NUMBER_FORMAT.get(self.elements[tag].vr)
        try:
            if code is None:
                values = [float(value) for value in self.texts(keyword)]
            else:
                size = struct.calcsize(code)
                values = list(struct.unpack(f"{'<' if self.little else '>'}{len(raw) // size}{code}", raw[: len(raw) // size * size]))
        except ValueError:
            return []
        return [float(value) for value in values] if all(np.isfinite(value) for value in values) else []

    def number(self, keyword: str) -> float | None:
        """Return the first value of a numeric element, or None."""
        values = self.numbers(keyword)
        return values[0] if values else None

    def integer(self, keyword: str, default: int) -> int:
        """Return the first value of a numeric element as an integer, or `default`."""
        value = self.number(keyword)
        return default if value is None else int(value)

    def array(self, keyword: str, bits: int = 16) -> np.ndarray:
        """Return the value's bytes as (n,) unsigned integers in the data set's byte order."""
        raw = self.raw(keyword) or b""
        size = bits // 8
        return np.frombuffer(raw[: len(raw) // size * size], np.dtype(f"{'<' if self.little else '>'}u{size}"))

    def items(self, keyword: str) -> list["Header"]:
        """Return the items of a sequence; empty where it is absent. Raises ImageRefused where it is broken."""
        element = self.elements.get(tag_for_keyword(keyword))
        if element is None:
            return []
        walker = _Walker(self.buffer, self.little, self.budget)
        end = len(self.buffer) if element.length == UNDEFINED_LENGTH else element.start + element.length
        implicit = self.implicit or element.vr == "UN"
        return [
            Header(self.buffer, elements, implicit, self.little, self.charsets, self.budget)
            for elements in walker.items(element.start, end, implicit)
        ]


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
        walker = _Walker(self.buffer, self.header.little, self.header.budget)
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
    budget = _Budget(limits.max_elements, limits.max_depth)
    start = 132 if bytes(buffer[128:132]) == b"DICM" else 0
    meta, start = _read_meta(buffer, start, budget)
    transfer_syntax = meta.text("TransferSyntaxUID")
    if transfer_syntax == DEFLATED:
        buffer, start = memoryview(_inflate(buffer[start:], limits)), 0
    implicit, little = _coding(buffer, start, transfer_syntax)
    if not transfer_syntax:
        transfer_syntax = IMPLICIT_LITTLE if implicit else EXPLICIT_LITTLE if little else EXPLICIT_BIG
    header = Header(buffer, {}, implicit, little, [], budget)
    fault = None
    try:
        stop = _Walker(buffer, little, budget).elements(start, len(buffer), implicit, header.elements, until=PIXEL_DATA)
        if PIXEL_DATA not in header.elements and any(buffer[stop:]):
            raise ImageRefused(Reason.TRUNCATED, "the file ends within a data element's head")
    except ImageRefused as refusal:
        fault = refusal
    header.charsets = header.texts("SpecificCharacterSet")
    return DicomFile(header, transfer_syntax, buffer, fault)


class _Walker:
    """Walks through data elements by their lengths, bounds-checked, within a budget."""

    def __init__(self, buffer: memoryview, little: bool, budget: _Budget):
        self.buffer, self.budget = buffer, budget
        order = "<" if little else ">"
        self.tag_format = struct.Struct(order + "HH")
        self.long_format = struct.Struct(order + "I")
        self.short_format = struct.Struct(order + "H")

    def head(self, at: int, implicit: bool) -> tuple[int, Element]:
        """Return tag and place of the element at `at`. Raises TRUNCATED."""
        self.budget.spend()
        try:
            group, number = self.tag_format.unpack_from(self.buffer, at)
            tag = group << 16 | number
            vr = "" if implicit or group == 0xFFFE else bytes(self.buffer[at + 4 : at + 6]).decode("latin-1")
            # some writers slip elements of implicit form into explicit files
            if not (vr.isascii() and vr.isalpha() and vr.isupper()):
                return tag, Element(_dictionary_vr(tag), at + 8, self.long_format.unpack_from(self.buffer, at + 4)[0])
            if vr in LONG_FORM_VR:
                return tag, Element(vr, at + 12, self.long_format.unpack_from(self.buffer, at + 8)[0])
            return tag, Element(vr, at + 8, self.short_format.unpack_from(self.buffer, at + 6)[0])
        except struct.error:
            raise ImageRefused(Reason.TRUNCATED, "the file ends within a data element's head") from None

    def elements(self, at: int, end: int, implicit: bool, found: dict[int, Element], until: int | None = None, depth: int = 0) -> int:
        """Add to `found` the elements from `at` to `end`, to an item's end mark or to the tag `until`; return where they stop."""
        while end - at >= 8:
            tag, element = self.head(at, implicit)
            if tag in (ITEM_END, SEQUENCE_END):
                return element.start
            if tag == until:
                found.setdefault(tag, element)
                return element.start
            at = self.after(element, end, implicit, depth)
            found.setdefault(tag, element)
        return at

    def after(self, element: Element, end: int, implicit: bool, depth: int) -> int:
        """Return where the element ends. Raises TRUNCATED, and CORRUPT for too deep a nesting."""
        if element.length != UNDEFINED_LENGTH:
            if element.start + element.length > end:
                raise ImageRefused(Reason.TRUNCATED, "a data element is longer than what is left of the file")
            return element.start + element.length
        # an element of unknown VR and undefined length is a sequence in implicit form, PS3.5 6.2.2 note 1
        return self._sequence_end(element.start, end, implicit or element.vr == "UN", depth + 1)

    def _sequence_end(self, at: int, end: int, implicit: bool, depth: int) -> int:
        """Return where a sequence of undefined length, or encapsulated data, ends."""
        if depth > self.budget.depth:
            raise ImageRefused(Reason.CORRUPT, "sequences are nested deeper than the limit allows")
        while True:
            tag, item = self.head(at, implicit=True)
            if tag == SEQUENCE_END:
                return item.start
            if tag != ITEM:
                raise ImageRefused(Reason.CORRUPT, "a sequence holds something that is not an item")
            if item.length == UNDEFINED_LENGTH:
                at = self.elements(item.start, end, implicit, {}, depth=depth)
            else:
                at = self.after(item, end, implicit, depth)

    def items(self, at: int, end: int, implicit: bool) -> Iterator[dict[int, Element]]:
        """Yield each item's elements, of a sequence of defined or undefined length."""
        while end - at >= 8:
            tag, item = self.head(at, implicit=True)
            if tag != ITEM:
                return
            stop = end if item.length == UNDEFINED_LENGTH else min(end, item.start + item.length)
            found: dict[int, Element] = {}
            at = self.elements(item.start, stop, implicit, found, depth=1)
            yield found

    def fragments(self, at: int) -> Iterator[memoryview]:
        """Yield the offset table and each fragment. A missing end mark is forgiven, a short fragment is not."""
        while len(self.buffer) - at >= 8:
            tag, item = self.head(at, implicit=True)
            if tag != ITEM or item.length == UNDEFINED_LENGTH:
                return
            at = item.start + item.length
            if at > len(self.buffer):
                raise ImageRefused(Reason.TRUNCATED, "a fragment of PixelData is longer than what is left of the file")
            yield self.buffer[item.start : at]


def _read_meta(buffer: memoryview, start: int, budget: _Budget) -> tuple[Header, int]:
    """Return the file meta information (always explicit little endian) and where the data set starts."""
    walker = _Walker(buffer, True, budget)
    found: dict[int, Element] = {}
    while len(buffer) - start >= 8 and bytes(buffer[start : start + 2]) == b"\x02\x00":
        tag, element = walker.head(start, implicit=False)
        found[tag] = element
        start = walker.after(element, len(buffer), False, 0)
    return Header(buffer, found, False, True, [], budget), start


def _inflate(data: memoryview, limits: Limits) -> bytes:
    """Return the inflated data set (PS3.5 A.5), never allocating more than the limits allow."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    bound = int(min(limits.max_bytes, max(limits.free_expansion_bytes, limits.max_expansion * len(data))))
    try:
        inflated = inflater.decompress(data, bound + 1)
    except zlib.error:
        raise ImageRefused(Reason.CORRUPT, "the deflated data set cannot be inflated") from None
    if len(inflated) > bound:
        limits.check_expansion(len(inflated), len(data))
        raise ImageRefused(Reason.TOO_LARGE, f"the data set inflates to more than {limits.max_bytes} bytes")
    if not inflater.eof:
        raise ImageRefused(Reason.TRUNCATED, "the deflated data set ends early")
    return inflated


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


def _dictionary_vr(tag: int) -> str:
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"


def _decode(raw: bytes, charsets: list[str]) -> str:
    """Return text by SpecificCharacterSet (PS3.3 C.12.1.1.2); what cannot be decoded becomes U+FFFD."""
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii")
    encodings = [python_encoding[term] for term in charsets if term in python_encoding] or ["utf-8"]
    if b"\x1b" not in raw:
        return raw.decode(encodings[0], errors="replace")
    for encoding in reversed(encodings):
        for text in (raw, _ESCAPE.sub(b"", raw)):  # the codecs of single character sets know no escape sequences
            try:
                return text.decode(encoding)
            except (UnicodeError, LookupError):
                continue
    return _ESCAPE.sub(b"", raw).decode(encodings[0], errors="replace")

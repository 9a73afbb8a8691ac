"""Walks through the data elements of a data set by their lengths (PS3.5 7), bounds-checked and within a budget, and copies nothing."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.datadict import dictionary_VR

from schemas.reasons import Reason
from screening.errors import ImageRefused

UNDEFINED_LENGTH = 0xFFFFFFFF
# value representations with 32-bit lengths, PS3.5 table 7.1-1
LONG_FORM_VR = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


@dataclass
class Budget:
    """Elements that may still be walked through; shared by a header and all its items."""

    elements: int
    depth: int

    def spend(self) -> None:
        """Take one element off. Raises TOO_LARGE where none is left."""
        self.elements -= 1
        if self.elements < 0:
            raise ImageRefused(Reason.TOO_LARGE, "the header has more data elements than the limit allows")


@dataclass(frozen=True, slots=True)
class Element:
    """Where one data element's value lies in the buffer; `length` may be UNDEFINED_LENGTH."""

    vr: str
    start: int
    length: int


class Walker:
    """Walks through data elements by their lengths, bounds-checked, within a budget."""

    def __init__(self, buffer: memoryview, little: bool, budget: Budget):
        self.buffer, self.budget = buffer, budget
        order = "<" if little else ">"
        self.tag_format = struct.Struct(order + "HH")
        self.long_format = struct.Struct(order + "I")
        self.short_format = struct.Struct(order + "H")

    def head(self, at: int, implicit: bool) -> tuple[int, Element]:
        """Return tag and place of the element at `at`. Raises TRUNCATED, TOO_LARGE."""
        self.budget.spend()
        try:
            group, number = self.tag_format.unpack_from(self.buffer, at)
            tag = group << 16 | number
            vr = "" if implicit or group == 0xFFFE else bytes(self.buffer[at + 4 : at + 6]).decode("latin-1")
            # some writers slip elements of implicit form into explicit files
            if not (vr.isascii() and vr.isalpha() and vr.isupper()):
                return tag, Element(vr_of(tag), at + 8, self.long_format.unpack_from(self.buffer, at + 4)[0])
            if vr in LONG_FORM_VR:
                return tag, Element(vr, at + 12, self.long_format.unpack_from(self.buffer, at + 8)[0])
            return tag, Element(vr, at + 8, self.short_format.unpack_from(self.buffer, at + 6)[0])
        except struct.error:
            raise ImageRefused(Reason.TRUNCATED, "the file ends within a data element's head") from None

    def elements(self, at: int, end: int, implicit: bool, read: dict[int, Element], until: int | None = None, depth: int = 0) -> int:
        """Add to `read` the elements from `at` to `end`, to an item's end mark or to the tag `until`; return where they stop."""
        while end - at >= 8:
            tag, element = self.head(at, implicit)
            if tag in (ITEM_END, SEQUENCE_END):
                return element.start
            if tag == until:
                read.setdefault(tag, element)
                return element.start
            at = self.after(element, end, implicit, depth)
            read.setdefault(tag, element)
        return at

    def after(self, element: Element, end: int, implicit: bool, depth: int) -> int:
        """Return where the element ends. Raises TRUNCATED, and CORRUPT for too deep a nesting."""
        if element.length != UNDEFINED_LENGTH:
            if element.start + element.length > end:
                raise ImageRefused(Reason.TRUNCATED, "a data element is longer than what is left of the file")
            return element.start + element.length
        return self._sequence_end(element.start, end, self.has_implicit_items(element, implicit), depth + 1)

    def has_implicit_items(self, element: Element, implicit: bool) -> bool:
        """Tell whether the items of a sequence are in implicit form, in a data set that is (`implicit`) or is not.

        Those of a sequence of unknown value representation should be (PS3.5 6.2.2), but some writers leave them in explicit form.
        """
        first = bytes(self.buffer[element.start + 12 : element.start + 14])  # VR of the first element of the first item
        return implicit or (element.vr == "UN" and not (len(first) == 2 and first.isalpha() and first.isupper()))

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
            read: dict[int, Element] = {}
            at = self.elements(item.start, stop, implicit, read, depth=1)
            yield read

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


def vr_of(tag: int) -> str:
    """Return the value representation that the data dictionary (PS3.6) gives a tag, UN for one that it does not know."""
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"

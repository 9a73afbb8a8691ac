"""Which texts of headers may stand in rows as they are: the agency lists them in a file, and every other one becomes a pseudonym."""

import csv
import functools
import io
import unicodedata
from dataclasses import dataclass
from typing import Any

from schemas.sites import CODE_ATTRIBUTES, SITES_COLUMNS, TEXT_ATTRIBUTES
from screening.errors import UsageError
from screening.privacy import Pseudonymizer

MAX_TEXT = 64  # characters: LO has no more (PS3.5 6.2)


@dataclass(frozen=True)
class ListedTexts:
    """The texts that an agency lets stand, as a run's workers need them and as its manifest keeps them.

    A value of a header is there only as its keyed pseudonym, because the agency may show another text in its place precisely since it
    must not be written.
    """

    entries: tuple[tuple[str, str], ...] = ()  # pseudonym of the value (`pseudonym_of`), and the text that rows hold

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ListedTexts":
        """Rebuild a list from `dataclasses.asdict`."""
        return cls(tuple((pseudonym, text) for pseudonym, text in values["entries"]))

    def text_of(self, pseudonym: str) -> str | None:
        """Return what rows hold for a value of this pseudonym; None where it is not listed."""
        return self._texts.get(pseudonym)

    @functools.cached_property
    def _texts(self) -> dict[str, str]:
        return dict(self.entries)


def pseudonym_of(value: str, attribute: str, pseudonymizer: Pseudonymizer) -> str:
    """Return the pseudonym of a text in an attribute. Composed and decomposed accents are the same (Unicode NFC)."""
    return pseudonymizer.pseudonym(unicodedata.normalize("NFC", value), attribute)


def load_sites(url: str, pseudonymizer: Pseudonymizer | None) -> ListedTexts:
    """Return the texts that the sites file at `url` lists. Raises UsageError where it cannot be read or is wrong, and without a key."""
    from screening.storage import read_bytes  # here, because the processes that decode need no file system

    if pseudonymizer is None:
        raise UsageError(f"the sites file {url} goes with the pseudonym key: without one, answers name no site. Give the key of the nights")
    try:
        data = read_bytes(url)
    except OSError:
        raise UsageError(f"the sites file {url} cannot be read: check its path and its permissions") from None
    return read_sites(data, url, pseudonymizer)


def read_sites(data: bytes, name: str, pseudonymizer: Pseudonymizer) -> ListedTexts:
    """Return the texts that a sites file (CSV with SITES_COLUMNS, the last one optional) lists.

    Raises UsageError, which names the file and the line and never a value, where it is no such table, where an attribute is none of
    TEXT_ATTRIBUTES and CODE_ATTRIBUTES, and where a value is empty, too long, or listed twice with different texts.
    """
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)]
    except (UnicodeDecodeError, csv.Error):
        raise UsageError(f"{name} is not a CSV file in UTF-8; write one with the columns {', '.join(SITES_COLUMNS)}") from None
    if not rows or tuple(rows[0]) not in (SITES_COLUMNS, SITES_COLUMNS[:2]):
        raise UsageError(f"{name}: its first line must be {','.join(SITES_COLUMNS)}, of which the last may be left out")
    listed: dict[str, str] = {}
    for number, row in enumerate(rows[1:], start=1):
        if not any(row):
            continue
        if fault := _fault(row, len(rows[0])):
            raise UsageError(f"{name}, row {number} after the first line: {fault}")
        attribute, value, shown = (*row, "")[:3]
        pseudonym = pseudonym_of(value, attribute, pseudonymizer)
        if listed.setdefault(pseudonym, shown or value) != (shown or value):
            raise UsageError(
                f"{name}, row {number} after the first line: its value stands above with another text to show; keep one of them"
            )
    return ListedTexts(tuple(sorted(listed.items())))


def _fault(row: list[str], columns: int) -> str | None:
    """Return what is wrong with a row; None where nothing is."""
    if len(row) != columns:
        return f"it has {len(row)} cells and the first line has {columns}; a value with a comma needs quotation marks"
    attribute, value, *shown = row
    if attribute not in (*TEXT_ATTRIBUTES, *CODE_ATTRIBUTES):
        return f"its attribute is none of {', '.join((*TEXT_ATTRIBUTES, *CODE_ATTRIBUTES))}"
    if not value:
        return "its value is empty"
    if any(len(text) > MAX_TEXT or not text.isprintable() for text in (value, *shown)):
        return f"a text has more than {MAX_TEXT} characters, or one that cannot be printed"
    return None

"""Decodes the text of a header by SpecificCharacterSet (PS3.3 C.12.1.1.2), and by what files hold that say nothing or something wrong."""

import re
from collections.abc import Sequence

from pydicom.charset import python_encoding

_ESCAPE = re.compile(rb"\x1b[$(-/]*[@-~]")  # ISO/IEC 2022 designations
# their repertoire is ASCII whatever SpecificCharacterSet says (PS3.5 6.1.2.2), yet devices write accented letters into CS
_NOT_AFFECTED = frozenset(["AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI"])


def decode_text(raw: bytes, terms: Sequence[str], vr: str) -> str:
    """Return the text of an element of that value representation; `terms` are the values of SpecificCharacterSet.

    Text in a declared character set has U+FFFD in place of what cannot be decoded. Where none is declared, or none applies to the
    value representation, text that is no UTF-8 is Latin 1, which most of such files hold.
    """
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii")
    encodings = list(dict.fromkeys(python_encoding[term] for term in terms if term in python_encoding))
    if b"\x1b" in raw:
        return _decode_extended(raw, encodings or ["utf-8"])
    if not encodings or vr in _NOT_AFFECTED:
        return _decode_undeclared(raw, encodings[:1])
    return raw.decode(encodings[0], errors="replace")


def _decode_undeclared(raw: bytes, encodings: list[str]) -> str:
    for encoding in (*encodings, "utf-8"):
        try:
            return raw.decode(encoding)
        except UnicodeError:
            continue
    return raw.decode("latin-1")


def _decode_extended(raw: bytes, encodings: list[str]) -> str:
    """Return text with code extensions: by the last character set that can decode it."""
    for encoding in reversed(encodings):
        for text in (raw, _ESCAPE.sub(b"", raw)):  # the codecs of single character sets know no escape sequences
            try:
                return text.decode(encoding)
            except (UnicodeError, LookupError):
                continue
    return _ESCAPE.sub(b"", raw).decode(encodings[0], errors="replace")

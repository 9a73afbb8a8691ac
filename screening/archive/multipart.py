"""Messages of the type multipart/related, in which DICOMweb carries DICOM files (PS3.18 8.6.1.2, RFC 2046 5.1)."""

import io
import re
import uuid
from collections.abc import Iterator, Sequence

from screening.archive.source import check_size

MULTIPART = "multipart/related"
DICOM = "application/dicom"
HEAD_BYTES = 2**14  # before the file, and behind it, at most


class BadMessage(OSError):
    """An answer that is not one file, or is not whole."""


def single_file(content_type: str, parts: Iterator[bytes], max_bytes: int) -> bytes:
    """Return the one file in an answer.

    Args:
        content_type: of the answer: multipart/related, or application/dicom, where the file is the whole answer.
        parts: the body as it comes in.
        max_bytes: of the file.

    Raises BadMessage where there is none, several, or not all of it, and ImageRefused(TOO_LARGE) before more than `max_bytes` are held.
    """
    if content_type.partition(";")[0].strip().lower() == DICOM:
        return _gathered(parts, b"", max_bytes).getvalue()
    delimiter = b"--" + _boundary_of(content_type)
    head = b""
    while b"\r\n\r\n" not in head.partition(delimiter)[2]:
        part = next(parts, b"")
        head += part
        if not part or len(head) > HEAD_BYTES + 2**20:  # of which one step of the body is the most
            raise BadMessage("no file in a multipart answer")
    start = head.index(b"\r\n\r\n", head.index(delimiter)) + 4
    if start > HEAD_BYTES:
        raise BadMessage("the headers of a multipart answer are too long")
    gathered = _gathered(parts, head[start:], max_bytes + HEAD_BYTES)
    end = _end_of(gathered.getvalue(), b"\r\n" + delimiter)
    check_size(end, max_bytes)
    gathered.seek(end)
    gathered.truncate()
    return gathered.getvalue()  # the very bytes of the buffer: a radiograph is never held twice


def message_of(files: Sequence[bytes]) -> tuple[str, bytes]:
    """Return the content type and the body of a message that carries DICOM files."""
    boundary = uuid.uuid4().hex
    parts = [piece for file in files for piece in (f"--{boundary}\r\nContent-Type: {DICOM}\r\n\r\n".encode(), file, b"\r\n")]
    return f'{MULTIPART}; type="{DICOM}"; boundary={boundary}', b"".join([*parts, f"--{boundary}--\r\n".encode()])


def _boundary_of(content_type: str) -> bytes:
    match = re.search(r'^multipart/related\s*;.*?\bboundary="?([^";,]{1,200})', content_type, re.IGNORECASE)
    if match is None:
        raise BadMessage("the answer holds no DICOM file")
    return match[1].strip().encode("latin-1", "replace")


def _gathered(parts: Iterator[bytes], first: bytes, max_bytes: int) -> io.BytesIO:
    gathered = io.BytesIO()
    gathered.write(first)
    for part in parts:
        gathered.write(part)
        check_size(gathered.tell(), max_bytes)
    return gathered


def _end_of(data: bytes, delimiter: bytes) -> int:
    """Return where the file ends that `data` begins with."""
    end = data.find(delimiter)
    if end < 0:
        raise BadMessage("a multipart answer ended in the middle")
    behind = end + len(delimiter)
    if data[behind : behind + 2] != b"--":
        raise BadMessage("a multipart answer holds several files")
    return end

"""One DICOM file in a multipart message: exactly that one, whole, and no more than is allowed."""

from collections.abc import Iterator
from email import message_from_bytes

import pytest

from screening.archive.multipart import DICOM, BadMessage, message_of, single_file
from screening.errors import ImageRefused

FILE = b"\r\n--bound" + bytes(range(256)) * 20 + b"\r\n\r\n--"  # with what looks like the end of it
TYPE = 'multipart/related; type="application/dicom"; boundary=boundary'


def steps(data: bytes, size: int) -> Iterator[bytes]:
    return (data[i : i + size] for i in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("before", [b"", b"\r\n", b"a preamble\r\n"])
def test_the_file_comes_out_as_it_was_put_in(size: int, before: bytes) -> None:
    message = before + b"--boundary\r\nContent-Type: application/dicom\r\nContent-Length: 1\r\n\r\n" + FILE + b"\r\n--boundary--\r\n"
    assert single_file(TYPE, steps(message, size), len(FILE)) == FILE
    assert single_file(TYPE.replace("=boundary", '="boundary"'), steps(message, size), len(FILE)) == FILE
    with pytest.raises(ImageRefused, match="too_large"):
        single_file(TYPE, steps(message, size), len(FILE) - 1)


def test_a_message_that_we_make_can_be_read() -> None:
    content_type, body = message_of([FILE])
    assert single_file(content_type, steps(body, 64), 10_000) == FILE
    content_type, body = message_of([b"first", b"second"])
    parts = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body).get_payload()
    assert [(part.get_content_type(), part.get_payload()) for part in parts] == [(DICOM, "first"), (DICOM, "second")]
    with pytest.raises(BadMessage, match="several"):
        single_file(content_type, steps(body, 64), 10_000)


def test_an_answer_may_be_the_file_itself() -> None:
    assert single_file("application/dicom; charset=x", steps(FILE, 100), len(FILE)) == FILE
    with pytest.raises(ImageRefused, match="too_large"):
        single_file(DICOM, steps(FILE, 100), 1000)


@pytest.mark.parametrize(
    ("content_type", "message"),
    [
        (TYPE, b""),
        (TYPE, b"--boundary\r\nContent-Type: application/dicom\r\n\r\n" + FILE),  # broken off
        (TYPE, b"--boundary\r\n" + b"X: " + b"x" * 2_000_000 + b"\r\n\r\nfile\r\n--boundary--"),  # headers without an end
        (TYPE, b"--another\r\n\r\nfile\r\n--another--"),
        ("text/html", b"<html>a proxy says sorry</html>"),
        ("multipart/related", b"--boundary\r\n\r\nfile\r\n--boundary--"),
    ],
)
def test_what_is_no_whole_file_is_an_error(content_type: str, message: bytes) -> None:
    with pytest.raises(BadMessage):
        single_file(content_type, steps(message, 4096), 10_000)

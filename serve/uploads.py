"""The files of a request, held in memory and bounded before anything is decoded: no file of a patient goes to a temporary file."""

import io
from dataclasses import dataclass, field
from email.message import Message

from fastapi import Request
from python_multipart import create_form_parser
from python_multipart.exceptions import FormParserError

from schemas.service import ServiceSettings
from serve.problems import Refused

PLAIN_TYPES = ("application/dicom", "image/png", "image/jpeg", "application/octet-stream")
MULTIPART = "multipart/form-data"


@dataclass(frozen=True)
class Upload:
    """One file of a request, and the name that it was sent under."""

    name: str | None
    content: bytes = field(repr=False)


async def uploads_of(request: Request, settings: ServiceSettings) -> list[Upload]:
    """Return the files of a request: the parts of multipart/form-data that are files, or the body itself.

    Raises Refused: 400 for a body that is no multipart one or has no file, 413 beyond the limits of the settings, 415 for other types.
    """
    media_type = _media_type(request)
    if media_type not in (*PLAIN_TYPES, MULTIPART):
        raise Refused(415, f"Content-Type is one of {', '.join((*PLAIN_TYPES, MULTIPART))}")
    is_multipart = media_type == MULTIPART
    body = await _body(request, settings.max_request_bytes if is_multipart else settings.max_file_bytes)
    uploads = _parts(body, request.headers["content-type"], settings) if is_multipart else [Upload(None, body)]
    if not body or not uploads:
        raise Refused(400, "no file: send a DICOM, PNG or JPEG file as the body, or as a part of multipart/form-data with a filename")
    return uploads


def _media_type(request: Request) -> str:
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    return message.get_content_type() if request.headers.get("content-type") else ""


async def _body(request: Request, limit: int) -> bytes:
    """Return the body. Raises Refused 413 as soon as more than `limit` bytes are announced or have come."""
    too_large = Refused(413, f"more than {limit} bytes: send fewer files in one request, or ask the operator to allow more")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise too_large
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise too_large
    return bytes(body)


def _parts(body: bytes, content_type: str, settings: ServiceSettings) -> list[Upload]:
    """Return the parts with a filename. Raises Refused."""
    uploads: list[Upload] = []

    def keep(file: object) -> None:
        if len(uploads) == settings.max_files:
            raise Refused(413, f"more than {settings.max_files} files in one request")
        if file.size > settings.max_file_bytes:
            raise Refused(413, f"a file has more than {settings.max_file_bytes} bytes")
        file.file_object.seek(0)
        name = file.file_name.decode(errors="replace") if file.file_name else None
        uploads.append(Upload(name, file.file_object.read()))

    memory_only = {"MAX_MEMORY_FILE_SIZE": len(body) + 1}
    try:
        parser = create_form_parser({"Content-Type": content_type.encode()}, lambda field: None, keep, config=memory_only)
        source = io.BytesIO(body)
        while chunk := source.read(2**20):
            parser.write(chunk)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise Refused(400, "the body is no multipart/form-data with the boundary that Content-Type names") from error
    return uploads

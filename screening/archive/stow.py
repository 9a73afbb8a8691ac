"""STOW-RS: DICOM files into a PACS, and what became of each of them (PS3.18 10.5)."""

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pydicom
from pydicom.errors import InvalidDicomError

from screening.archive import multipart
from screening.archive.dicomweb import RequestRefused, Resource, answer_to, archive_error, attempted, body_of, resource_of

BATCH_FILES = 32  # of one request, at most
BATCH_BYTES = 64 * 2**20  # of one request; a larger file goes alone
STORE_SECONDS = 120.0  # of silence, while the PACS writes a batch down
MAX_ANSWER_BYTES = 16 * 2**20

_ANSWERS = (400, 409)  # 409: nothing of a batch was stored; 400: what Orthanc says where it cannot read one of its files
_FAILED, _REFERENCED, _INSTANCE, _REASON = "00081198", "00081199", "00081155", "00081197"
_MEANING = {  # of FailureReason (0008,1197), PS3.18 I.2.2 and PS3.4 B.2.3
    0x0110: "processing failure; a PACS says so too of what does not belong to the study in the URL",
    0x0111: "the PACS has another instance with this UID",
    0x0122: "the PACS does not take this SOP class",
    0x0124: "this user may not store",
    0xA700: "the PACS has no room left",
    0xA900: "the data set does not fit its SOP class",
    0xC000: "the PACS does not understand the data set",
    0xC122: "the PACS does not take this transfer syntax",
}


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """What became of one file. `reason` is empty where it is stored; `SOPInstanceUID` is empty where the file is no DICOM file."""

    SOPInstanceUID: str
    reason: str = ""

    @property
    def stored(self) -> bool:
        """Whether the PACS has it."""
        return not self.reason


def store(url: str, files: Iterable[bytes]) -> list[StoreOutcome]:
    """Send DICOM files (PS3.10, with their preamble) to a PACS and return what became of each, in their order.

    Args:
        url: `dicomweb://` or `dicomwebs://` URL of the service root, or of the one study that all files belong to.
        files: taken from the iterator a batch at a time, so that not all of them need to be in memory.

    A file that is sent again is stored once, because its UID is the same. When the PACS fails in the middle, the files that it did not
    take have that as their reason, and the files behind them are tried all the same.

    Raises ArchiveError where the PACS takes nothing from the start: it cannot be reached, refuses the user, or has no DICOMweb under this
    path. Raises UsageError for a URL with a password.
    """
    resource = resource_of(url)
    outcomes: list[StoreOutcome] = []
    reached = False
    for batch in _batches(files):
        uids = [_uid_of(file) for file in batch]
        known = [(uid, file) for uid, file in zip(uids, batch, strict=True) if uid]
        reasons: dict[str, str] = {}
        if known:
            try:
                reasons = _store_batch(resource, known)
                reached = True
            except OSError as error:
                if not reached:
                    raise archive_error(url, error) from error
                reasons = {uid: str(archive_error(url, error)) for uid, _ in known}
        outcomes += [StoreOutcome(uid, reasons[uid]) if uid else StoreOutcome("", "no DICOM file: it was not sent") for uid in uids]
    return outcomes


def _batches(files: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield files in lists of at most BATCH_FILES and, but for a single one, BATCH_BYTES."""
    batch: list[bytes] = []
    for file in files:
        if batch and (len(batch) == BATCH_FILES or sum(map(len, batch)) + len(file) > BATCH_BYTES):
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch


def _uid_of(file: bytes) -> str:
    """Return the SOPInstanceUID of a DICOM file, empty for what is none."""
    try:
        header = pydicom.dcmread(io.BytesIO(file), specific_tags=["SOPInstanceUID"], stop_before_pixels=True)
        return str(header.SOPInstanceUID)
    except (InvalidDicomError, AttributeError, ValueError, EOFError, OSError, NotImplementedError):
        return ""


def _store_batch(resource: Resource, files: list[tuple[str, bytes]]) -> dict[str, str]:
    """Send one batch and return why each of its instances is not stored, by its UID; empty for one that is."""
    content_type, body = multipart.message_of([file for _, file in files])
    url = f"{resource.service}/studies{f'/{resource.study}' if resource.study else ''}"

    def send() -> tuple[int, bytes]:
        with answer_to(
            "POST", url, accept="application/dicom+json", body=body, content_type=content_type, read_seconds=STORE_SECONDS, also=_ANSWERS
        ) as answer:
            return answer.status, body_of(answer, MAX_ANSWER_BYTES)

    status, answer = attempted(send)
    try:
        told = json.loads(answer)
        stored = {_first(item, _INSTANCE) for item in _items(told, _REFERENCED)}
        failed = {_first(item, _INSTANCE): _meaning_of(_first(item, _REASON)) for item in _items(told, _FAILED)}
    except (ValueError, TypeError, AttributeError) as error:
        raise RequestRefused(status) from error
    silence = "the PACS does not say why it did not store this instance"
    return {uid: failed.get(uid, "" if uid in stored else silence) for uid, _ in files}


def _items(data_set: dict[str, Any], tag: str) -> list[Any]:
    """Return the values of an attribute in DICOM JSON (PS3.18 F.2); none where it has none."""
    return data_set.get(tag, {}).get("Value") or []


def _first(data_set: dict[str, Any], tag: str) -> Any:
    return next(iter(_items(data_set, tag)), None)


def _meaning_of(code: int | None) -> str:
    if not isinstance(code, int):
        return "the PACS gives no reason"
    if code & 0xF000 in (0xA000, 0xC000) and code not in _MEANING:
        code &= 0xFF00 if code & 0xF000 == 0xA000 else 0xF000  # the rest of the digits is the vendor's (PS3.4 B.2.3)
    return _MEANING.get(code, f"failure reason {code:04X}")

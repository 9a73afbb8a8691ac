"""A PACS as a filesystem: QIDO-RS lists its instances (PS3.18 10.6), WADO-RS gives the bytes of one as they are stored (PS3.18 10.4).

`dicomweb://HOST/ROOT/studies/UID/series/UID/instances/UID` is one instance. An archive is the whole service, a study or a series, and
what stands behind `?` narrows it down: `dicomweb://HOST/ROOT?Modality=CR&Modality=DX&StudyDate=20200301-20200302`. A key that is given
twice asks for both values, one after the other. Nothing is left out that the URL does not leave out, because radiographs are also stored
as RG, OT or SC, and because an instance of another modality is a row that says so, while one that is left out is nowhere.

What a search does not tell is how large an instance is as it is stored, and what its content hashes to. Its size is taken to be that of
its pixels as they lie in memory, by which the reader knows how much it may hold. Its ETag is a hash of its UID and its dimensions,
because an instance whose content changes gets a new UID (PS3.3 C.12.1.1).
"""

import datetime as dt
import hashlib
import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import fsspec

from screening.archive import multipart
from screening.archive.dicomweb import SEARCH_SECONDS, NotDicomweb, Resource, answer_to, archive_error, attempted, body_of, resource_of
from screening.archive.source import IndexedObject
from screening.errors import ArchiveError, UsageError

PAGE_INSTANCES = 200  # of one answer to a search, at most: many PACS open each instance's file to tell its dimensions
MAX_PAGE_BYTES = 64 * 2**20
MAX_STEPS_BACK = 16
MAX_INSTANCE_BYTES = 2**31  # where the caller sets no limit
UNKNOWN_BYTES = 32 * 2**20  # taken for an instance whose dimensions no search tells: 4,096 × 4,096 pixels of 16 bits
LARGEST_BYTES = 2**40  # taken for one whose dimensions are absurd

# attributes by their tags, as DICOM JSON names them (PS3.18 F.2.2)
_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES = "00080016", "00080018", "0020000D", "0020000E"
_STUDY_DATE, _STUDY_TIME = "00080020", "00080030"
_FRAMES, _ROWS, _COLUMNS, _BITS = "00280008", "00280010", "00280011", "00280100"
_WANTED = ("StudyDate", "StudyTime", "NumberOfFrames", "Rows", "Columns", "BitsAllocated")
_PAGING = {"limit", "offset"}

_DICOM_JSON = "application/dicom+json"
_STORED_FILE = f'{multipart.MULTIPART}; type="{multipart.DICOM}"; transfer-syntax=*'  # * asks for the bytes as they are stored


@dataclass(frozen=True, slots=True)
class FoundInstance:
    """One instance as a search tells of it. `modified` is when its study began, in UTC, because a PACS has no other time for it."""

    path: str
    identity: IndexedObject
    modified: dt.datetime | None


class DicomwebFileSystem(fsspec.AbstractFileSystem):
    """The instances of a PACS, to be read. Paths are URLs without their protocol."""

    protocol = "dicomweb"
    root_marker = ""

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        rest = path.removeprefix(f"{cls.protocol}://")
        resource = resource_of(f"{cls.protocol}://{rest}")
        return f"{resource.name}?{resource.query}" if resource.query else resource.name

    def instances(self, path: str) -> Iterator[FoundInstance]:
        """Yield every instance below `path`, page by page, in the order of the PACS. Raises ArchiveError where it cannot be searched."""
        url = f"{self.protocol}://{path}"
        try:
            yield from _instances(resource_of(url), self.protocol)
        except OSError as error:
            raise archive_error(url, error) from error

    def retrieve(self, path: str, max_bytes: int) -> bytes:
        """Return the DICOM file of one instance.

        Raises ImageRefused(TOO_LARGE) above `max_bytes`, FileNotFoundError where the PACS has no such instance, or another OSError.
        """
        resource = resource_of(f"{self.protocol}://{path}")
        if not resource.instance:
            raise FileNotFoundError(path)
        with answer_to("GET", resource.service + resource.path, accept=_STORED_FILE) as answer:
            parts = answer.stream(2**20, decode_content=False)
            return multipart.single_file(answer.headers.get("Content-Type", ""), parts, max_bytes)

    def info(self, path: str, **_: object) -> dict[str, Any]:
        """Return what a search tells of one instance. Raises FileNotFoundError where there is none."""
        path = self._strip_protocol(path)
        found = next(self.instances(path), None) if resource_of(f"{self.protocol}://{path}").instance else None
        if found is None:
            raise FileNotFoundError(path)
        return {"name": path, "size": found.identity.object_bytes, "etag": found.identity.object_etag, "type": "file"}

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: object) -> bytes:
        """Return the DICOM file of one instance, or a part of it, for which the PACS sends all of it."""
        return self.retrieve(self._strip_protocol(path), MAX_INSTANCE_BYTES)[start:end]

    def _open(self, path: str, mode: str = "rb", **_: object) -> io.BytesIO:
        if mode != "rb":
            raise UsageError(f"{self.protocol}:// is written with STOW-RS only")
        return io.BytesIO(self.cat_file(path))


class DicomwebsFileSystem(DicomwebFileSystem):
    """The same, by TLS."""

    protocol = "dicomwebs"


def _instances(resource: Resource, protocol: str) -> Iterator[FoundInstance]:
    """Yield what each of a URL's searches finds, each instance once."""
    seen: set[bytes] = set()
    for query in _queries(resource):
        for found in _search(resource, query, protocol):
            key = hashlib.sha256(found.path.encode()).digest()[:16]  # half as large as a path
            if key not in seen:
                seen.add(key)
                yield found


def _queries(resource: Resource) -> Iterator[list[tuple[str, str]]]:
    """Yield the searches that make up an archive: one for each combination of values."""
    values: dict[str, list[str]] = {}
    for key, value in parse_qsl(resource.query, keep_blank_values=True):
        values.setdefault(key, []).append(value)
    if taken := values.keys() & _PAGING:
        raise UsageError(f"?{min(taken)}=…: pages are cut here; leave it out of the URL of the archive")
    if resource.instance:
        values["SOPInstanceUID"] = [resource.instance]
    for combination in itertools.product(*values.values()):
        yield list(zip(values, combination, strict=True))


def _search(resource: Resource, query: list[tuple[str, str]], protocol: str) -> Iterator[FoundInstance]:
    """Yield what one search finds, some of it twice.

    A PACS counts offsets anew for each page. When an instance is deleted meanwhile, those behind it move up, and the next page would
    begin too late. So each page begins with the last instance of the page before. Where that is not on it, earlier pages are asked for
    again, from ever further back.
    """
    offset, last, steps_back = 0, None, 0
    while True:
        page = attempted(lambda at=offset: _page(resource, query, at, protocol))
        if last is not None and last not in [found.path for found in page]:
            steps_back += 1
            if steps_back > MAX_STEPS_BACK:
                raise ArchiveError(
                    f"the PACS {protocol}://{resource.name} lists its instances in another order each time: name single studies, or fewer "
                    "at a time with ?StudyDate="
                )
            offset = max(0, offset - PAGE_INSTANCES * 2**steps_back)
            last = last if offset else None
            continue
        yield from page
        if not page or page[-1].path == last:
            return
        offset, last = offset + len(page) - 1, page[-1].path


def _page(resource: Resource, query: list[tuple[str, str]], offset: int, protocol: str) -> list[FoundInstance]:
    above = resource.path.partition("/instances")[0]
    arguments = [*query, *(("includefield", name) for name in _WANTED), ("limit", str(PAGE_INSTANCES)), ("offset", str(offset))]
    url = f"{resource.service}{above}/instances?{urlencode(arguments, quote_via=quote)}"
    with answer_to("GET", url, accept=_DICOM_JSON, read_seconds=SEARCH_SECONDS) as answer:
        status, body = answer.status, body_of(answer, MAX_PAGE_BYTES)
    root = resource.service.partition("://")[2]
    try:
        return [_found(root, resource, row) for row in json.loads(body or b"[]")]
    except (ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        raise NotDicomweb(status) from error


def _found(root: str, resource: Resource, row: dict[str, Any]) -> FoundInstance:
    """Return one row of an answer (PS3.18 10.6.3.3). Raises ValueError and others for what is none."""
    study, series = (_value(row, tag) or above for tag, above in ((_STUDY, resource.study), (_SERIES, resource.series)))
    instance = _value(row, _SOP_INSTANCE)
    numbers = [_number(row, tag) for tag in (_ROWS, _COLUMNS, _BITS, _FRAMES)]
    etag = hashlib.sha256(json.dumps([instance, _value(row, _SOP_CLASS), *numbers]).encode()).hexdigest()[:16]
    path = "".join(f"/{level}/{_escaped(uid)}" for level, uid in (("studies", study), ("series", series), ("instances", instance)))
    return FoundInstance(root + path, IndexedObject(_bytes_of(*numbers), etag), _time_of(row))


def _escaped(uid: Any) -> str:
    """Return a UID as a part of a URL. Raises ValueError for what can be none: an answer must not lead to other parts of the server."""
    if not isinstance(uid, str) or not uid.strip(".") or len(uid) > 128:
        raise ValueError("no UID")
    return quote(uid.strip(" \0"), safe="")


def _value(row: dict[str, Any], tag: str) -> Any:
    values = row.get(tag, {}).get("Value") or [None]
    return values[0]


def _number(row: dict[str, Any], tag: str) -> int | None:
    try:
        return int(_value(row, tag))
    except (TypeError, ValueError):
        return None


def _bytes_of(rows: int | None, columns: int | None, bits: int | None, frames: int | None) -> int:
    """Return the size of an instance's pixels, of one sample, before they are compressed."""
    if not rows or not columns or min(rows, columns) < 0:
        return UNKNOWN_BYTES
    return min(rows * columns * max(1, -(-(bits or 16) // 8)) * max(1, frames or 1), LARGEST_BYTES)


def _time_of(row: dict[str, Any]) -> dt.datetime | None:
    """Return StudyDate and StudyTime (0008,0020 and 0030), None where the date is none."""
    time = str(_value(row, _STUDY_TIME) or "")[:6].ljust(6, "0")
    for text in (f"{_value(row, _STUDY_DATE)}{time}", f"{_value(row, _STUDY_DATE)}000000"):
        try:
            return dt.datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=dt.UTC)
        except ValueError:
            continue
    return None

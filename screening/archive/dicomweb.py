"""Requests to a PACS by DICOMweb (PS3.18): where it is, who asks, how long an answer may take, and what a refusal means.

The PyPI package dicomweb-client is not used, because it gives parsed data sets in place of the bytes that are stored, holds an answer of
any size, and waits for one without a limit. What is left to do is three requests, so urllib3 alone makes them.

The user is taken from the environment, never from a URL, because URLs stand in rows and manifests: SCREENING_DICOMWEB_USER and
SCREENING_DICOMWEB_PASSWORD for HTTP basic authentication, or SCREENING_DICOMWEB_TOKEN for a bearer token. Password and token may also
lie in a file, which is read anew for each request, because a token may expire in the middle of a night.
"""

import base64
import contextlib
import errno
import functools
import os
import re
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import urllib3

from screening import storage
from screening.errors import ArchiveError, UsageError

USER_VARIABLE = "SCREENING_DICOMWEB_USER"
PASSWORD_VARIABLE = "SCREENING_DICOMWEB_PASSWORD"
TOKEN_VARIABLE = "SCREENING_DICOMWEB_TOKEN"
FILE_SUFFIX = "_FILE"  # the name of a password's or token's variable, and this, names the variable with the path of its file
CA_FILE_VARIABLE = "SCREENING_DICOMWEB_CA_FILE"

ATTEMPTS = 3  # of a search or a store; the reader of an archive counts its own
FIRST_WAIT_SECONDS = 0.2  # before the second attempt, four times that before the third
SEARCH_SECONDS = 60.0  # of silence: a PACS may open each file of a page for its answer
HELD_CONNECTIONS = 32

_SCHEMES = {"dicomweb": "http", "dicomwebs": "https"}
_RESOURCE = re.compile(r"(?P<root>.*?)(?:/studies/(?P<study>[^/]+)(?:/series/(?P<series>[^/]+)(?:/instances/(?P<instance>[^/]+))?)?)?/*")

Answer = TypeVar("Answer")


class RequestRefused(OSError):
    """The server understood nothing of a request, or does not want it: another attempt would end in the same way."""

    def __init__(self, status: int):
        super().__init__(f"HTTP status {status}")
        self.status = status


class NotDicomweb(RequestRefused):
    """The server answered, but not as PS3.18 says."""


@dataclass(frozen=True)
class Resource:
    """What a URL of a PACS names: the whole service, a study, a series or an instance. UIDs are as the URL has them, or empty."""

    name: str  # host, port and path, without protocol and query; what a filesystem calls a path
    service: str  # http(s) URL of the service root
    study: str
    series: str
    instance: str
    query: str  # attributes that a search is to match (PS3.18 8.3.4.1), e.g. Modality=DX

    @property
    def path(self) -> str:
        """The path below the service root, as WADO-RS and STOW-RS take it; empty for the whole service."""
        levels = (("studies", self.study), ("series", self.series), ("instances", self.instance))
        return "".join(f"/{level}/{uid}" for level, uid in levels if uid)


def resource_of(url: str) -> Resource:
    """Return what a `dicomweb://` or `dicomwebs://` URL names. Raises UsageError for one with a password, or without a host."""
    protocol, rest = storage.split_url(url)
    try:
        parts = urlsplit(f"//{rest}")
        port = parts.port
    except ValueError:
        raise UsageError(f"{protocol}://: the host or the port of this URL is not valid") from None
    if "@" in parts.netloc:
        host = parts.netloc.rpartition("@")[2]
        raise UsageError(
            f"{protocol}://…@{host}: a URL with a user or a password would stand in rows and manifests; leave both out of it and set "
            f"{USER_VARIABLE} and {PASSWORD_VARIABLE}, or {TOKEN_VARIABLE}"
        )
    if not parts.hostname:
        raise UsageError(f"{url} has no host: give e.g. {protocol}://pacs.example.org:8042/dicom-web")
    match = _RESOURCE.fullmatch(parts.path)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    server = host if port in (None, 443 if protocol == "dicomwebs" else 80) else f"{host}:{port}"
    uids = {level: match[level] or "" for level in ("study", "series", "instance")}
    resource = Resource(server, f"{_SCHEMES[protocol]}://{server}{match['root']}", **uids, query=parts.query)
    return Resource(f"{server}{match['root']}{resource.path}", resource.service, **uids, query=parts.query)


@contextlib.contextmanager
def answer_to(
    method: str,
    url: str,
    *,
    accept: str,
    body: bytes | None = None,
    content_type: str = "",
    read_seconds: float = storage.READ_TIMEOUT_S,
    also: tuple[int, ...] = (),
) -> Iterator[urllib3.BaseHTTPResponse]:
    """Give the answer of a server, its body unread.

    Args:
        method: of the request.
        url: http or https.
        accept: media type that the answer shall have.
        body: of a POST.
        content_type: of the body.
        read_seconds: how long the server may be silent.
        also: statuses that are an answer, beside those from 200 to 299.

    Raises FileNotFoundError for 404 and 410, PermissionError for 401 and 403, RequestRefused for other statuses up to 499, and other
    OSErrors, which a later attempt may not meet. A redirection is refused, because another host shall not get the password.
    """
    headers = {"Accept": accept, "Accept-Encoding": "identity"} | _authorization()
    if content_type:
        headers["Content-Type"] = content_type
    timeout = urllib3.Timeout(connect=storage.CONNECT_TIMEOUT_S, read=read_seconds)
    pool = _pool(os.getpid(), os.environ.get(CA_FILE_VARIABLE, ""))
    try:
        response = pool.request(
            method, url, body=body, headers=headers, timeout=timeout, retries=False, redirect=False, preload_content=False,
            decode_content=False,
        )  # fmt: skip
        try:
            if not (200 <= response.status < 300 or response.status in also):
                raise _error_of(response.status)
            yield response
        finally:
            response.close()  # a connection whose answer was read to its end is back in the pool by now
    except urllib3.exceptions.HTTPError as error:
        raise _as_os_error(error) from error


def body_of(response: urllib3.BaseHTTPResponse, max_bytes: int) -> bytes:
    """Return the body of an answer. Raises NotDicomweb where it is longer than `max_bytes`."""
    parts = []
    held = 0
    for part in response.stream(2**16, decode_content=False):
        parts.append(part)
        held += len(part)
        if held > max_bytes:
            raise NotDicomweb(response.status)
    return b"".join(parts)


def attempted(action: Callable[[], Answer]) -> Answer:
    """Return what `action` returns, after at most ATTEMPTS attempts. Raises its last OSError; one that would come again, at once."""
    for attempt in range(ATTEMPTS):
        try:
            return action()
        except (PermissionError, FileNotFoundError, RequestRefused, ssl.SSLError):
            raise
        except OSError:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(FIRST_WAIT_SECONDS * 4**attempt)
    raise AssertionError("unreachable: the last attempt returns or raises")


def archive_error(url: str, error: OSError) -> ArchiveError:
    """Return what a clerk can do about a PACS that cannot be searched, or takes nothing."""
    if isinstance(error, PermissionError):
        what = f"does not let this user in: set {USER_VARIABLE} and {PASSWORD_VARIABLE}, or {TOKEN_VARIABLE}, and check the user's rights"
    elif isinstance(error, FileNotFoundError | RequestRefused):
        status = f" ({error})" if isinstance(error, RequestRefused) else ""
        what = f"has no DICOMweb service under this path{status}: give its root, e.g. dicomweb://pacs.example.org:8042/dicom-web"
    elif isinstance(error, ssl.SSLError):
        what = f"has no certificate that this machine trusts: name the file of your authority in {CA_FILE_VARIABLE}"
    elif isinstance(error, TimeoutError):
        what = "does not answer in time: check that it runs, and how busy it is"
    else:
        what = f"cannot be reached ({error}): check the host, the port and that it runs; dicomwebs:// is for TLS"
    return ArchiveError(f"the PACS {url.partition('?')[0]} {what}")


def _as_os_error(error: urllib3.exceptions.HTTPError) -> OSError:
    if isinstance(error, urllib3.exceptions.SSLError):
        return ssl.SSLError(str(error))
    if isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(error, urllib3.exceptions.NewConnectionError):
        return TimeoutError("no answer in time")
    return ConnectionError("no connection, or it broke off")


def _error_of(status: int) -> OSError:
    if status in (404, 410):
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    if status in (401, 403):
        return PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if status in (408, 429) or status >= 500:
        return ConnectionError(f"HTTP status {status}")
    return RequestRefused(status)


def _authorization() -> dict[str, str]:
    """Return the header that says who asks; none where the environment names nobody."""
    if token := _secret(TOKEN_VARIABLE):
        return {"Authorization": f"Bearer {token}"}
    if user := os.environ.get(USER_VARIABLE):
        return {"Authorization": f"Basic {base64.b64encode(f'{user}:{_secret(PASSWORD_VARIABLE)}'.encode()).decode()}"}
    return {}


def _secret(variable: str) -> str:
    file = os.environ.get(variable + FILE_SUFFIX)
    if not file:
        return os.environ.get(variable, "")
    try:
        return Path(file).read_text().strip()
    except OSError as error:
        raise UsageError(f"{variable}{FILE_SUFFIX}: {file} cannot be read: {error.strerror}") from None


@functools.lru_cache(maxsize=8)
def _pool(pid: int, ca_file: str) -> urllib3.PoolManager:
    """Return the connections of this process, `pid`. Certificates are checked, by the authorities of `ca_file` or those of the system."""
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except OSError:
        raise UsageError(f"{CA_FILE_VARIABLE}: {ca_file} is missing or holds no certificates in PEM form") from None
    return urllib3.PoolManager(num_pools=8, maxsize=HELD_CONNECTIONS, ssl_context=context)

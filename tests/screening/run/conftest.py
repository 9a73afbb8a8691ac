"""What nights need: an archive, a bundle, and a small archive that a test may change."""

from pathlib import Path

import pytest

from screening.benchmark.random_bundle import save_random_bundle
from tests.archives import archive_pixels, phantom_archive, phantom_dicom


@pytest.fixture(scope="package")
def archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A synthetic archive with plain files, containers and unwanted objects. Not to be changed."""
    return phantom_archive(tmp_path_factory.mktemp("archive"), studies=24, seed=3)


@pytest.fixture(scope="package")
def bundle(archive: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Calls half of the archive's images positive, so that some of the others are not drawn for the audit."""
    folder = str(tmp_path_factory.mktemp("bundles") / "a")
    save_random_bundle(folder, archive_pixels(archive))
    return folder


@pytest.fixture
def small_archive(tmp_path: Path) -> Path:
    """Twelve plain files in a folder that a test may change."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for i in range(12):
        (folder / f"{i:02}.dcm").write_bytes(phantom_dicom(i, ("normal", "covid")[i % 2]))
    return folder

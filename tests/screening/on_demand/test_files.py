"""What may be handed over: files under their own names, folders and containers as an archive lists them, bytes without a name."""

import zipfile
from pathlib import Path

import pytest

from screening.archive.reader import ObjectReader
from screening.errors import ArchiveError, ImageRefused
from screening.on_demand.files import files_of

READER = ObjectReader(2**20)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "below").mkdir()
    (tmp_path / "a b.dcm").write_bytes(b"one")
    (tmp_path / "below" / "c.dcm").write_bytes(b"two")
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        archive.writestr("x.dcm", b"three")
        archive.writestr("y.dcm", b"four")
    return tmp_path


def test_a_file_keeps_the_name_it_was_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for name in ("a b.dcm", "below/c.dcm", str(folder / "a b.dcm"), folder / "a b.dcm"):
        [file] = files_of(name)
        assert file.name == str(name)
        assert file.read(READER) in (b"one", b"two")


def test_a_folder_gives_what_an_archive_lists(folder: Path) -> None:
    files = list(files_of(folder))
    assert [file.read(READER) for file in files] == [b"one", b"two", b"three", b"four"]
    assert files[0].name == f"file://{folder}/a b.dcm"
    assert files[2].name == f"zip://x.dcm::file://{folder}/both.zip"


def test_a_container_of_one_is_no_file_itself(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.writestr("x.dcm", b"three")
    [file] = files_of(tmp_path / "one.zip")
    assert (file.name, file.read(READER)) == (f"zip://x.dcm::file://{tmp_path}/one.zip", b"three")


def test_several_and_bytes_keep_their_order(folder: Path) -> None:
    files = list(files_of([b"zero", folder / "below" / "c.dcm", b""]))
    assert [file.read(READER) for file in files] == [b"zero", b"two", b""]
    assert [file.name is None for file in files] == [True, False, True]


def test_what_is_not_there(folder: Path) -> None:
    with pytest.raises(ArchiveError, match="no such folder, file or bucket"):
        list(files_of([folder / "none.dcm"]))
    [file] = files_of(folder / "a b.dcm")
    (folder / "a b.dcm").write_bytes(b"another")
    with pytest.raises(ImageRefused, match="changed"):
        file.read(READER)

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from screening.errors import TrainingError
from tests.train.datasets.folders import radiograph, write_image
from train.datasets.files import SetFiles


def png() -> bytes:
    file = io.BytesIO()
    from PIL import Image

    Image.fromarray(radiograph(0)).save(file, "PNG")
    return file.getvalue()


def test_files_are_found_by_name_in_folders_and_in_zip_files(tmp_path: Path) -> None:
    write_image(tmp_path / "images_001/images/00000001_000.png", radiograph(0))
    with zipfile.ZipFile(tmp_path / "0.zip", "w") as container:
        container.writestr("0/216840_a.png", png())
    files = SetFiles.scan(str(tmp_path))
    assert files.path(files.find("00000001_000.png")) == "images_001/images/00000001_000.png"
    assert files.path(files.find("216840_A.PNG")) == "0.zip/0/216840_a.png"
    assert files.find("216840_a.png").startswith("zip://")
    assert files.find("nothing.png") is None
    assert [files.path(url) for url in files.images()] == ["0.zip/0/216840_a.png", "images_001/images/00000001_000.png"]
    assert files.at("images_001/images/../images/00000001_000.png") == files.find("00000001_000.png")


def test_folders_tell_files_of_one_name_apart(tmp_path: Path) -> None:
    for folder in ("CXR_png", "ManualMask/leftMask", "ManualMask/rightMask"):
        write_image(tmp_path / folder / "a.png", radiograph(0))
    files = SetFiles.scan(str(tmp_path))
    assert "leftMask" in files.find("a.png", within="leftmask")
    assert "CXR_png" in files.find("a.png", outside=("leftMask", "rightMask"))
    with pytest.raises(TrainingError, match=r"3 files called a\.png: CXR_png/a\.png and ManualMask/leftMask/a\.png; keep one"):
        files.find("a.png")


def test_names_that_differ_in_case_alone(tmp_path: Path) -> None:
    for name in ("a.JPG", "a.jpg"):
        write_image(tmp_path / name, radiograph(0))
    files = SetFiles.scan(str(tmp_path))
    assert [files.path(files.find(name)) for name in ("a.JPG", "a.jpg")] == ["a.JPG", "a.jpg"]
    assert len(files.images()) == 2


def test_tables_are_read_in_utf8_or_latin1_plain_or_compressed(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_bytes("\ufeffPatientID , Note\n7,38° fever\n\n8\n".encode())
    (tmp_path / "two.csv").write_bytes("PatientID,Note\n7,38° fever\n".encode("latin-1"))
    (tmp_path / "three.csv.gz").write_bytes(gzip.compress(b'PatientID,Note\n7,"a, ""b""\nc"\n'))
    files = SetFiles.scan(str(tmp_path))
    assert files.table("one.csv", columns=("note",)) == [{"patientid": "7", "note": "38° fever"}, {"patientid": "8", "note": ""}]
    assert files.table("two.csv", columns=()) == [{"patientid": "7", "note": "38° fever"}]
    assert files.table("none.csv", "three.csv", columns=())[0]["note"] == 'a, "b"\nc'


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no data set: no such folder"):
        SetFiles.scan(str(tmp_path / "none"))
    (tmp_path / "metadata.csv").write_text("a,b\n")
    files = SetFiles.scan(str(tmp_path))
    with pytest.raises(TrainingError, match=r"has no data\.csv or other\.csv: is it the folder"):
        files.table("data.csv", "other.csv", columns=())
    with pytest.raises(TrainingError, match=r"metadata\.csv lacks the column c"):
        files.table("metadata.csv", columns=("a", "c"))


def test_a_folder_that_is_named_by_a_link_has_the_same_paths(tmp_path: Path) -> None:
    write_image(tmp_path / "set/images/a.png", radiograph(0))
    (tmp_path / "link").symlink_to(tmp_path / "set")
    for name in ("set", "link"):
        files = SetFiles.scan(str(tmp_path / name))
        assert files.path(files.find("a.png")) == "images/a.png"

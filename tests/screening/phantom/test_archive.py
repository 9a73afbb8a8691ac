"""A synthetic archive holds what its labels, its registry and its list of unwanted objects say, and nothing else."""

import csv
import io
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import fsspec
import numpy as np
import pydicom
import pytest
from PIL import Image

from schemas.sites import TEXT_ATTRIBUTES
from screening.errors import UsageError
from screening.phantom.archive import LABEL_COLUMNS, ArchiveOptions, make_archive, make_training_set
from screening.phantom.people import REGISTRY_COLUMNS
from screening.phantom.unwanted import KINDS, MADE
from tests.told import Told

STUDIES = 40


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def objects_of(archive: Path) -> dict[str, bytes]:
    """Every object of an archive by the path that labels.csv gives it."""
    found = {}
    for path in sorted(archive.rglob("*.*")):
        name = path.relative_to(archive.parent).as_posix()
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as file:
                found |= {f"zip://{member}::{name}": file.read(member) for member in file.namelist()}
        elif ".tar" in path.suffixes:
            with tarfile.open(path) as file:
                found |= {f"tar://{member.name}::{name}": file.extractfile(member).read() for member in file.getmembers()}
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms")
    told = Told()
    summary = make_archive(str(folder), STUDIES, 7, ArchiveOptions(size=160), told)
    assert told.said[0][1] == 0
    [(done, total)] = told.ended.values()
    assert done == total > STUDIES, "what nobody wanted counts too"
    return folder, summary, objects_of(folder / "archive")


def test_every_object_is_listed_once(made):
    folder, summary, objects = made
    labels, unwanted = table(folder / "labels.csv"), table(folder / "unwanted.csv")
    assert tuple(labels[0]) == LABEL_COLUMNS
    assert sorted(row["image"] for row in labels + unwanted) == sorted(objects)
    assert (summary.studies, summary.unwanted, summary.objects) == (STUDIES, len(unwanted), len(objects))
    assert {name.partition("://")[0] for name in objects if "::" in name} == {"zip", "tar"}
    assert {name.rpartition("batch-")[2] for name in objects if "::" in name} == {"0000.zip", "0001.zip", "0000.tar", "0001.tar.gz"}
    assert {path.name for path in folder.iterdir()} == {"archive", "labels.csv", "registry.csv", "sites.csv", "unwanted.csv"}


def test_labels_agree_with_headers(made):
    folder, _, objects = made
    for row in table(folder / "labels.csv"):
        header = pydicom.dcmread(io.BytesIO(objects[row["image"]]), stop_before_pixels=True)
        assert row["SOPInstanceUID"] == header.SOPInstanceUID
        assert (row["patient_id"], row["sex"], row["view"]) == (header.PatientID, header.PatientSex, header.ViewPosition)
        assert f"{int(row['age']):03d}Y" == header.PatientAge
        assert f"/{header.StudyDate[:4]}-{header.StudyDate[4:6]}-{header.StudyDate[6:]}/" in row["image"]
        assert header.StudyDate == header.AcquisitionDate


def test_the_sites_file_lists_every_hospital_and_machine_of_the_headers(made):
    folder, _, objects = made
    listed = {(row["attribute"], row["value"]) for row in table(folder / "sites.csv")}
    for data in objects.values():
        if data[128:132] == b"DICM":
            header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, force=True)
            assert {(keyword, header.get(keyword)) for keyword in TEXT_ATTRIBUTES} <= listed


def test_a_member_opens_through_fsspec(made):
    folder, _, objects = made
    name = next(name for name in objects if name.startswith("zip://"))
    with fsspec.open(name.replace("::", f"::file://{folder}/")) as file:
        assert pydicom.dcmread(file).SOPInstanceUID


def test_registry_speaks_of_people_of_the_archive(made):
    folder, summary, _ = made
    registry, labels = table(folder / "registry.csv"), table(folder / "labels.csv")
    assert tuple(registry[0]) == REGISTRY_COLUMNS
    assert len(registry) == summary.tests
    finding = {row["patient_id"]: row["label"] for row in labels}
    assert {row["PatientID"] for row in registry} < set(finding)
    assert {finding[row["PatientID"]] for row in registry if row["result"] == "positive"} == {"covid"}
    onset = {row["PatientID"]: row["symptom_onset_date"] for row in registry}
    assert all(bool(row["offset_days"]) == bool(onset[row["patient_id"]]) for row in labels if row["patient_id"] in onset)


def test_unwanted_objects_are_what_they_claim(made):
    folder, _, objects = made
    unwanted = table(folder / "unwanted.csv")
    assert Counter(row["kind"] for row in unwanted) == Counter(KINDS)
    data = {row["kind"]: objects[row["image"]] for row in unwanted}
    header = {kind: pydicom.dcmread(io.BytesIO(value), stop_before_pixels=True) for kind, value in data.items() if kind != "text"}
    assert header["lateral"].ViewPosition == "LL"
    assert header["child"].PatientAge == "004Y"
    assert header["foot"].BodyPartExamined == "FOOT"
    assert header["tomography"].Modality == "CT"
    assert header["multi_frame"].NumberOfFrames == 3
    assert np.ptp(pydicom.dcmread(io.BytesIO(data["blank"])).pixel_array) == 0
    assert header["too_small"].Rows < 64
    assert b"DICM" not in data["text"]
    with pytest.raises((ValueError, EOFError)):
        _ = pydicom.dcmread(io.BytesIO(data["truncated"])).pixel_array
    reasons = {row["kind"]: row["reason"] for row in unwanted}
    assert {kind: reasons[kind] for kind in MADE} == {kind: reason or "" for kind, (_, reason) in MADE.items()}


def test_copies_are_copies(made):
    folder, _, objects = made
    by_uid = {row["SOPInstanceUID"]: objects[row["image"]] for row in table(folder / "labels.csv")}
    for row in table(folder / "unwanted.csv"):
        if row["kind"] == "sent_twice":
            assert objects[row["image"]] in by_uid.values()
        if row["kind"] == "sent_under_new_uid":
            copy = pydicom.dcmread(io.BytesIO(objects[row["image"]]))
            assert copy.SOPInstanceUID not in by_uid
            assert any(pydicom.dcmread(io.BytesIO(data)).PixelData == copy.PixelData for data in by_uid.values())


def test_the_same_seed_gives_the_same_bytes(made, tmp_path):
    _, _, objects = made
    make_archive(str(tmp_path), STUDIES, 7, ArchiveOptions(size=160))
    assert objects_of(tmp_path / "archive") == objects
    make_archive(str(tmp_path / "other"), 4, 8, ArchiveOptions(size=96, unwanted_fraction=0))
    assert not set(objects_of(tmp_path / "other" / "archive").values()) & set(objects.values())


def test_training_set_has_masks_and_splits(tmp_path):
    summary = make_training_set(f"file://{tmp_path}", 24, 1, 128)
    labels = table(tmp_path / "labels.csv")
    assert (summary.unwanted, len(labels), min(summary.findings.values()) >= 6) == (0, 24, True)
    splits = {}
    for row in labels:
        mask = np.asarray(Image.open(tmp_path / row["lung_mask"]))
        header = pydicom.dcmread(tmp_path / row["image"])
        assert mask.shape == (header.Rows, header.Columns)
        assert set(np.unique(mask)) == {0, 255}
        assert splits.setdefault(row["patient_id"], row["split"]) == row["split"]


def test_any_filesystem_will_do():
    make_archive("memory://phantoms", 3, 0, ArchiveOptions(size=96, unwanted_fraction=0))
    names = fsspec.filesystem("memory").find("/phantoms")
    assert sum(name.endswith(".dcm") or ".zip" in name for name in names) == 3
    assert "/phantoms/registry.csv" in names


def test_wrong_options(tmp_path):
    with pytest.raises(UsageError):
        ArchiveOptions(size=10)
    with pytest.raises(UsageError):
        ArchiveOptions(unwanted_fraction=2)
    with pytest.raises(UsageError):
        make_archive(str(tmp_path), 0)

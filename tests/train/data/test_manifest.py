import hashlib
from pathlib import Path

import pytest

from screening.errors import TrainingError, UsageError
from tests.real_data import cxr_folder
from tests.train.radiographs import write_manifest
from train.data.manifest import read_manifest

ROW = {"image": "a.png", "label": "normal", "split": "train", "patient_id": "p1"}


def test_paths_are_relative_to_the_manifest(tmp_path: Path) -> None:
    rows = [ROW | {"lung_mask": "a-mask.png"}, ROW | {"image": "s3://bucket/b.dcm", "lung_mask": ""}]
    table = read_manifest(str(write_manifest(tmp_path / "labels.csv", rows))).table
    assert table["image_url"].to_list() == [str(tmp_path / "a.png"), "s3://bucket/b.dcm"]
    assert table["lung_mask_url"].to_list() == [str(tmp_path / "a-mask.png"), None]


def test_paths_beside_a_url(tmp_path: Path) -> None:
    import fsspec

    with fsspec.open("memory://sets/one/labels.csv", "wb") as file:
        file.write(write_manifest(tmp_path / "labels.csv", [ROW]).read_bytes())
    assert read_manifest("memory://sets/one/labels.csv").table["image_url"].to_list() == ["memory://sets/one/a.png"]


def test_a_relative_manifest_gives_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_manifest(tmp_path / "labels.csv", [ROW])
    monkeypatch.chdir(tmp_path)
    assert read_manifest("labels.csv").table["image_url"].to_list() == [str(tmp_path / "a.png")]


def test_what_is_not_said_is_filled_in(tmp_path: Path) -> None:
    rows = [{"image": name, "label": "covid", "split": "test"} for name in ("a.png", "b.png")]
    manifest = read_manifest(str(write_manifest(tmp_path / "labels.csv", rows)))
    assert manifest.table["image_id"].to_list() == ["a.png", "b.png"]
    assert manifest.table["patient_id"].n_unique() == 2


def test_training_data_counts_and_names_the_file(tmp_path: Path) -> None:
    rows = [ROW | {"source": "nih"}, ROW | {"image": "b.png", "label": "covid", "source": "nih"}]
    rows.append({"image": "c.png", "label": "covid", "split": "val", "patient_id": "p2", "source": ""})
    path = write_manifest(tmp_path / "labels.csv", rows)
    assert read_manifest(str(path)).training_data() == {
        "manifest_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "images": {"train": {"covid": 1, "normal": 1}, "val": {"covid": 1}, "test": {}},
        "lung_masks": {},
        "patients": 2,
        "sources": {"nih": 2, "unknown": 1},
    }


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"image": "a.png", "split": "train"}], "lacks the column label"),
        ([ROW | {"label": "COVID-19"}], r"lines 2\): label is not one of normal, pneumonia, covid, tuberculosis"),
        ([ROW | {"split": ""}], "split is not one of"),
        ([ROW | {"image": ""}], "no image"),
        ([ROW, ROW], r"lines 2, 3\): the same image more than once"),
        ([ROW, ROW | {"image": "b.png", "split": "test"}], "a patient in more than one split"),
    ],
)
def test_refuses_what_would_train_on_the_wrong_thing(tmp_path: Path, rows: list[dict], message: str) -> None:
    with pytest.raises(TrainingError, match=message) as refusal:
        read_manifest(str(write_manifest(tmp_path / "labels.csv", rows)))
    assert "p1" not in str(refusal.value)


def test_missing_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be read"):
        read_manifest(str(tmp_path / "nothing.csv"))
    (tmp_path / "header.csv").write_text("image,label,split\n")
    with pytest.raises(TrainingError, match="no rows"):
        read_manifest(str(tmp_path / "header.csv"))
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(TrainingError, match="not a CSV"):
        read_manifest(str(tmp_path / "empty.csv"))


def test_the_real_radiographs() -> None:
    manifest = read_manifest(str(cxr_folder() / "labels.csv"))
    assert manifest.table.height == 1369
    assert manifest.training_data()["images"]["train"] == {"covid": 361, "normal": 323, "pneumonia": 367}


def test_tuberculosis_counts_as_pneumonia_or_is_left_out(tmp_path: Path) -> None:
    listed = [
        ROW,
        ROW | {"image": "b.png", "label": "tuberculosis"},
        ROW | {"image": "c.png", "label": "tuberculosis", "lung_mask": "m.png"},
    ]
    listed = [{"lung_mask": ""} | row for row in listed]
    manifest = read_manifest(str(write_manifest(tmp_path / "labels.csv", listed)))
    assert manifest.table["label"].to_list() == ["normal", "pneumonia", "pneumonia"]
    assert manifest.table["finding"].to_list() == ["normal", "tuberculosis", "tuberculosis"]
    without = manifest.without_tuberculosis()
    assert without.table["label"].to_list() == ["normal", None]
    assert without.digest != manifest.digest


def test_images_of_a_licence_are_left_out(tmp_path: Path) -> None:
    licences = ["CC BY-NC-SA 4.0", "CC0", "", "unstated"]
    listed = [ROW | {"image": f"{i}.png", "license": text} for i, text in enumerate(licences)]
    manifest = read_manifest(str(write_manifest(tmp_path / "labels.csv", listed)))
    assert manifest.without_licenses("nc-|unstated").table["license"].to_list() == ["CC0", None]
    assert manifest.without_licenses("nc-").digest != manifest.without_licenses("unstated").digest
    with pytest.raises(UsageError, match="no regular expression"):
        manifest.without_licenses("(")

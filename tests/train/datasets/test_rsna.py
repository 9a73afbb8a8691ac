from pathlib import Path

import pytest

from screening.errors import TrainingError
from tests.train.datasets.folders import dicom, write_rsna
from train.datasets.files import SetFiles
from train.datasets.rows import Why
from train.datasets.rsna import NO_MAPPING, read

NORMAL, OPACITY, NEITHER = "Normal", "Lung Opacity", "No Lung Opacity / Not Normal"
ROWS = [("0004cfab-14fd", NORMAL, 0, 0), ("00436515-870c", OPACITY, 1, 1), ("00313ee0-9eaa", NEITHER, 0, 2), ("ffff-odd", NORMAL, 1, 3)]


def test_every_image_is_a_row_or_has_a_reason(tmp_path: Path) -> None:
    reading = read(SetFiles.scan(str(write_rsna(tmp_path / "rsna", ROWS))))
    assert [(row.origin, row.patient_id, row.label) for row in reading.rows] == [
        ("stage_2_train_images/0004cfab-14fd.dcm", "rsna-0004cfab-14fd", "normal"),
        ("stage_2_train_images/00436515-870c.dcm", "rsna-00436515-870c", "pneumonia"),
    ]
    assert [(item.item, item.why, item.detail) for item in reading.left_out] == [
        ("00313ee0-9eaa", Why.NO_USABLE_LABEL, "No lung opacity / not normal"),
        ("ffff-odd", Why.CONFLICTING_LABELS, "normal, target 1"),
    ]
    assert reading.notes[NO_MAPPING] == 3


def test_the_mapping_names_the_patients_of_the_nih(tmp_path: Path) -> None:
    mapping = {"0004cfab-14fd": "00000013_005.png", "00436515-870c": "00000013_006.png"}
    reading = read(SetFiles.scan(str(write_rsna(tmp_path / "rsna", ROWS[:3], mapping))))
    assert [row.patient_id for row in reading.rows] == ["nih-00000013", "nih-00000013"]
    assert reading.notes == {}


def test_a_mapping_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = write_rsna(tmp_path / "rsna", ROWS[:2])
    (folder / "pneumonia-challenge-dataset-mappings_2018.json").write_text('[{"img_id": "a"}]')
    with pytest.raises(TrainingError, match="is not the RSNA's list"):
        read(SetFiles.scan(str(folder)))


def test_an_image_without_its_file(tmp_path: Path) -> None:
    folder = write_rsna(tmp_path / "rsna", ROWS[:2])
    (folder / "stage_2_train_images/00436515-870c.dcm").unlink()
    (folder / "stage_2_test_images").mkdir()
    (folder / "stage_2_test_images/0000a175.dcm").write_bytes(dicom(5, "0000a175"))
    reading = read(SetFiles.scan(str(folder)))
    assert [(item.item, item.why) for item in reading.left_out] == [("00436515-870c", Why.IMAGE_MISSING)]

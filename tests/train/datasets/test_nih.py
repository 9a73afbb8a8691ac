from pathlib import Path

import pytest

from tests.train.datasets.folders import write_nih
from train.datasets.files import SetFiles
from train.datasets.nih import read
from train.datasets.rows import DEVELOPMENT, Why

ROWS = [
    ("00000001_000.png", "No Finding", 1, "058Y", 0),
    ("00000001_001.png", "Cardiomegaly|Pneumonia", 1, "411", 1),
    ("00000002_000.png", "Effusion|Infiltration", 2, "81", 2),
    ("00000003_000.png", "No Finding|Pneumonia", 3, "12", 3),
]


def test_every_image_is_a_row_or_has_a_reason(tmp_path: Path) -> None:
    reading = read(SetFiles.scan(str(write_nih(tmp_path, ROWS))))
    assert [(row.origin, row.patient_id, row.label, row.age_years, row.view, row.sex) for row in reading.rows] == [
        ("images_001/images/00000001_000.png", "nih-00000001", "normal", 58, "PA", "F"),
        ("images_002/images/00000001_001.png", "nih-00000001", "pneumonia", None, "PA", "F"),
    ]
    assert [(item.item, item.why) for item in reading.left_out] == [
        ("00000002_000.png", Why.NO_USABLE_LABEL),
        ("00000003_000.png", Why.CONFLICTING_LABELS),
    ]
    assert {row.split for row in reading.rows} == {None}


def test_the_official_test_list_is_kept(tmp_path: Path) -> None:
    rows = [*ROWS[:2], ("00000009_000.png", "Pneumonia", 9, "40", 4)]
    reading = read(SetFiles.scan(str(write_nih(tmp_path, rows, test_images=["00000009_000.png"]))))
    assert [row.split for row in reading.rows] == [DEVELOPMENT, DEVELOPMENT, "test"]


@pytest.mark.parametrize("name", ["Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv.gz"])
def test_the_table_under_its_other_names(tmp_path: Path, name: str) -> None:
    table = write_nih(tmp_path, ROWS) / "Data_Entry_2017.csv"
    if name.endswith(".gz"):
        import gzip

        (tmp_path / name).write_bytes(gzip.compress(table.read_bytes()))
        table.unlink()
    else:
        table.rename(tmp_path / name)
    assert read(SetFiles.scan(str(tmp_path))).listed == 4

import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.train.datasets.folders import PADCHEST, cells, radiograph, write_image, write_table
from train.datasets.files import SetFiles
from train.datasets.padchest import TABLE, read
from train.datasets.rows import Why

ROWS = [
    # name, patient, projection, pediatric, labels
    ("216840_normal.png", "1", "PA", "No", "['normal']"),
    ("216840_pneumonia.png", "2", "AP_horizontal", "No", "['pneumonia', 'alveolar pattern']"),
    ("216840_atypical.png", "3", "AP", "No", "['atypical pneumonia']"),
    ("216840_same.png", "3", "PA", "No", "['normal', 'unchanged']"),
    ("216840_side.png", "1", "L", "No", "['normal']"),
    ("216840_ribs.png", "1", "COSTAL", "No", "['normal']"),
    ("216840_child.png", "4", "PA", "PED", "['normal']"),
    ("216840_both.png", "5", "PA", "No", "['normal', 'pneumonia']"),
    ("216840_other.png", "5", "PA", "No", "['cardiomegaly']"),
    ("216840_excluded.png", "5", "PA", "No", "['exclude']"),
    ("216840_empty.png", "5", "PA", "No", ""),
    ("216840_gone.png", "6", "PA", "No", "['normal']"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table = [
        cells(
            PADCHEST,
            **{"ImageID": name, "ImageDir": 0, "StudyDate_DICOM": "20140915", "PatientID": patient, "PatientBirth": "1950.0"},
            **{"PatientSex_DICOM": "M", "Projection": view, "Pediatric": child, "Labels": labels, "Report": 'torax "normal", sin\ncambios'},
        )
        for name, patient, view, child, labels in ROWS
    ]
    write_table(tmp_path / TABLE, PADCHEST, table)
    for at, row in enumerate(ROWS[:-1]):
        write_image(tmp_path / f"{at % 3}/{row[0]}", radiograph(at).astype(np.uint16) * 257)
    return tmp_path


def test_every_image_is_a_row_or_has_a_reason(folder: Path) -> None:
    reading = read(SetFiles.scan(str(folder)))
    assert [(row.origin, row.patient_id, row.label, row.view) for row in reading.rows] == [
        ("0/216840_normal.png", "padchest-1", "normal", "PA"),
        ("1/216840_pneumonia.png", "padchest-2", "pneumonia", "AP horizontal"),
        ("2/216840_atypical.png", "padchest-3", "pneumonia", "AP"),
        ("0/216840_same.png", "padchest-3", "normal", "PA"),
    ]
    assert reading.rows[1].finding == "alveolar pattern, pneumonia"
    assert (reading.rows[0].age_years, reading.rows[0].sex, reading.rows[0].split) == (64, "M", None)
    assert [(item.item[7:-4], item.why) for item in reading.left_out] == [
        ("side", Why.LATERAL_VIEW),
        ("ribs", Why.OTHER_VIEW),
        ("child", Why.BELOW_AGE_LIMIT),
        ("both", Why.CONFLICTING_LABELS),
        ("other", Why.NO_USABLE_LABEL),
        ("excluded", Why.NO_USABLE_LABEL),
        ("empty", Why.NO_USABLE_LABEL),
        ("gone", Why.IMAGE_MISSING),
    ]
    assert reading.listed == len(ROWS)


def test_the_zip_files_of_the_download_need_not_be_unpacked(folder: Path) -> None:
    with zipfile.ZipFile(folder / "0.zip", "w") as container:
        for file in (folder / "0").iterdir():
            container.write(file, file.name)
            file.unlink()
    rows = read(SetFiles.scan(str(folder))).rows
    assert [row.origin for row in rows][:2] == ["0.zip/216840_normal.png", "1/216840_pneumonia.png"]
    assert rows[0].image_url.startswith("zip://216840_normal.png::")

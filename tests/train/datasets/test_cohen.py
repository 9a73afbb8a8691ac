from pathlib import Path

import pytest

from tests.train.datasets.folders import COHEN, COHEN_COVID, cells, write_cohen, write_images, write_table
from train.datasets.cohen import label_of, read
from train.datasets.files import SetFiles
from train.datasets.rows import Why

ROWS = [
    ("2", COHEN_COVID, "PA", "auntminnie-a.jpeg", 0),
    ("311a", "Pneumonia/Viral/SARS", "AP Supine", "SARS-10.1148rg.242035193.jpeg", 1),
    ("5", "No Finding", "PA", "normal.png", 2),
    ("13", COHEN_COVID, "L", "nejmoa2001191_f1-L.jpeg", 3),
    ("14", "Tuberculosis", "PA", "tb.png", 4),
    ("15", "todo", "PA", "todo.png", 5),
    ("16", COHEN_COVID, "PA", "gone.png", None),
]


def test_every_row_is_used_or_has_a_reason(tmp_path: Path) -> None:
    reading = read(SetFiles.scan(str(write_cohen(tmp_path, ROWS))))
    assert [(row.origin, row.patient_id, row.label, row.view) for row in reading.rows] == [
        ("images/auntminnie-a.jpeg", "cohen-2", "covid", "PA"),
        ("images/SARS-10.1148rg.242035193.jpeg", "cohen-311a", "pneumonia", "AP Supine"),
        ("images/normal.png", "cohen-5", "normal", "PA"),
    ]
    first = reading.rows[0]
    assert (first.sex, first.age_years, first.offset_days, first.license, first.finding) == ("M", 60, "4", "CC BY 4.0", COHEN_COVID)
    assert [(item.item, item.why) for item in reading.left_out] == [
        ("nejmoa2001191_f1-L.jpeg", Why.LATERAL_VIEW),
        ("tb.png", Why.NO_USABLE_LABEL),
        ("todo.png", Why.NO_USABLE_LABEL),
        ("gone.png", Why.IMAGE_MISSING),
    ]


def test_ct_is_no_radiograph_in_old_and_new_tables(tmp_path: Path) -> None:
    new = cells(
        COHEN, patientid=1, finding=COHEN_COVID, view="Axial", modality="CT", folder="volumes", filename="coronacases_org_001.nii.gz"
    )
    write_table(tmp_path / "new/metadata.csv", COHEN, [new])
    assert [item.why for item in read(SetFiles.scan(str(tmp_path / "new"))).left_out] == [Why.NOT_A_RADIOGRAPH]
    columns = ("Patientid", "offset", "sex", "age", "finding", "survival", "view", "date", "location", "filename", "doi", " url", "license")
    rows = [
        cells(columns, Patientid=17, finding="COVID-19, ARDS", view="AP", filename="a.jpg"),
        cells(columns, Patientid=17, finding="COVID-19", view="CT", filename="b.jpg"),
        cells(columns, Patientid=18, finding="Streptococcus", view="PA", filename="c.jpg"),
    ]
    write_table(tmp_path / "old/metadata.csv", columns, rows)
    write_images(tmp_path / "old", {"images/a.jpg": 0, "images/b.jpg": 1, "images/c.jpg": 2})
    old = read(SetFiles.scan(str(tmp_path / "old")))
    assert [(row.origin, row.label) for row in old.rows] == [("images/a.jpg", "covid"), ("images/c.jpg", "pneumonia")]
    assert [(item.item, item.why) for item in old.left_out] == [("b.jpg", Why.NOT_A_RADIOGRAPH)]


@pytest.mark.parametrize(
    ("finding", "label"),
    [
        ("Pneumonia/Bacterial/Streptococcus", "pneumonia"),
        ("Pneumonia/Fungal/Pneumocystis", "pneumonia"),
        ("Pneumonia", "pneumonia"),
        ("Unknown", None),
        ("", None),
        ("ARDS", None),
    ],
)
def test_findings(finding: str, label: str | None) -> None:
    assert label_of(finding) == label

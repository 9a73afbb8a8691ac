from pathlib import Path

import pytest

from screening.errors import UsageError
from tests.train.datasets.folders import COVIDX_TRAIN, COVIDX_UUID, write_covidx
from train.datasets.covidx import read
from train.datasets.files import SetFiles
from train.datasets.rows import DEVELOPMENT, Why


def test_patients_bear_the_names_of_the_sets_they_come_from(tmp_path: Path) -> None:
    reading = read(SetFiles.scan(str(write_covidx(tmp_path))))
    assert [(row.patient_id, row.source, row.label, row.split) for row in reading.rows] == [
        ("cohen-3", "cohen", "pneumonia", DEVELOPMENT),
        ("figure1-COVID-00003", "figure1", "covid", DEVELOPMENT),
        ("actualmed-ANON24", "actualmed", "covid", DEVELOPMENT),
        ("sirm-COVID 119", "sirm", "covid", DEVELOPMENT),
        ("ricord-419639-003251", "ricord", "covid", DEVELOPMENT),
        (f"rsna-{COVIDX_UUID}", "rsna", "normal", "test"),
    ]
    assert [(item.item, item.why) for item in reading.left_out] == [("torn line", Why.UNREADABLE_ROW), ("gone.jpeg", Why.IMAGE_MISSING)]


def test_the_early_versions_do_not_name_the_source(tmp_path: Path) -> None:
    lines = "\n".join(" ".join(line.split()[:-1]) for line in COVIDX_TRAIN.splitlines()[:3])
    reading = read(SetFiles.scan(str(write_covidx(tmp_path, "2", lines, f"{COVIDX_UUID} {COVIDX_UUID}.png normal"))))
    assert [row.patient_id for row in reading.rows] == ["cohen-3", "figure1-COVID-00003", "actualmed-ANON24", f"rsna-{COVIDX_UUID}"]


def test_negative_is_no_label(tmp_path: Path) -> None:
    binary = read(
        SetFiles.scan(str(write_covidx(tmp_path, "8B", "1 a.png positive cohen\n2 b.png negative cohen\n", "3 c.png negative cohen")))
    )
    assert [(row.origin, row.label) for row in binary.rows] == [("data/train/a.png", "covid")]
    assert [item.why for item in binary.left_out] == [Why.NO_USABLE_LABEL] * 2


def test_of_several_versions_one_is_chosen(tmp_path: Path) -> None:
    write_covidx(tmp_path)
    write_covidx(tmp_path, "_CXR-3A", "5 x.png COVID-19 cohen\n", "6 y.png normal cohen\n")
    files = SetFiles.scan(str(tmp_path))
    with pytest.raises(UsageError, match=r"train_covidx8a\.txt, train_covidx_cxr-3a\.txt; choose by --covidx-version"):
        read(files)
    assert read(files, "8A").listed == 8
    assert [row.patient_id for row in read(files, "CXR-3A").rows] == ["cohen-5", "cohen-6"]
    with pytest.raises(UsageError, match="one train_COVIDx file is needed"):
        read(files, "9")

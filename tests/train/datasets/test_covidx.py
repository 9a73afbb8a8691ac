from pathlib import Path

import pytest

from screening.errors import UsageError
from tests.train.datasets.folders import write_images
from train.datasets.covidx import read
from train.datasets.files import SetFiles
from train.datasets.rows import DEVELOPMENT, Why

UUID = "47c78742-4998-4878-aec4-37b11b1354ac"
TRAIN = """\
3 SARS-10.1148rg.242035193-g04mr34g0-Fig8a-day0.jpeg pneumonia cohen
COVID-00003b COVID-00003b.jpg COVID-19 fig1
ANON24 CR.1.2.840.png COVID-19 actmed
COVID 119 COVID(119).png COVID-19 sirm
419639-003251 MIDRC-RICORD-1C-419639-003251-46647-0.png COVID-19 ricord
torn line
7 gone.jpeg pneumonia cohen
"""
TEST = f"{UUID} {UUID}.png normal rsna\n"


def write_covidx(folder: Path, version: str = "8A", train: str = TRAIN, test: str = TEST) -> Path:
    """Write the split files, and an image for every line that names one, but for gone.jpeg."""
    (folder / "labels").mkdir(parents=True, exist_ok=True)
    number = 0
    for part, text in (("train", train), ("test", test)):
        (folder / f"labels/{part}_COVIDx{version}.txt").write_text(text)
        for line in text.splitlines():
            names = [word for word in line.split() if "." in word and word != "gone.jpeg"]
            write_images(folder / "data" / part, {name: (number := number + 1) for name in names})
    return folder


def test_patients_bear_the_names_of_the_sets_they_come_from(tmp_path: Path) -> None:
    reading = read(SetFiles.scan(str(write_covidx(tmp_path))))
    assert [(row.patient_id, row.source, row.label, row.split) for row in reading.rows] == [
        ("cohen-3", "cohen", "pneumonia", DEVELOPMENT),
        ("figure1-COVID-00003", "figure1", "covid", DEVELOPMENT),
        ("actualmed-ANON24", "actualmed", "covid", DEVELOPMENT),
        ("sirm-COVID 119", "sirm", "covid", DEVELOPMENT),
        ("ricord-419639-003251", "ricord", "covid", DEVELOPMENT),
        (f"rsna-{UUID}", "rsna", "normal", "test"),
    ]
    assert [(item.item, item.why) for item in reading.left_out] == [("torn line", Why.UNREADABLE_ROW), ("gone.jpeg", Why.IMAGE_MISSING)]


def test_the_early_versions_do_not_name_the_source(tmp_path: Path) -> None:
    lines = "\n".join(" ".join(line.split()[:-1]) for line in TRAIN.splitlines()[:3])
    reading = read(SetFiles.scan(str(write_covidx(tmp_path, "2", lines, f"{UUID} {UUID}.png normal"))))
    assert [row.patient_id for row in reading.rows] == ["cohen-3", "figure1-COVID-00003", "actualmed-ANON24", f"rsna-{UUID}"]


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

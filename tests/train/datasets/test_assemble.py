import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from screening.errors import TrainingError, UsageError
from tests.real_data import cxr_folder
from tests.train.datasets.folders import (
    COHEN_COVID,
    HANNOVER,
    cells,
    radiograph,
    write_cohen,
    write_image,
    write_montgomery,
    write_nih,
    write_rsna,
    write_table,
)
from train.datasets.assemble import Assembled, ManifestConfig, assemble
from train.datasets.rows import Why

CONFIG = ManifestConfig()


def add_up(assembled: Assembled) -> None:
    """Check that every image listed and every image file is a row or left out."""
    for account in assembled.accounts:
        assert account.listed + account.unlisted == account.kept + len(account.left_out)
        assert sum(account.reasons().values()) == len(account.left_out)
    assert len(assembled.rows) == sum(account.kept for account in assembled.accounts)


def reasons(assembled: Assembled) -> list[dict[str, int]]:
    return [account.reasons() for account in assembled.accounts]


def write_plain(folder: Path, rows: list[tuple[str, str, str, str, int]]) -> Path:
    """Write a labels.csv: rows are image, label, patient, split, number of the radiograph."""
    write_table(folder / "labels.csv", ("image", "label", "patient_id", "split"), [row[:4] for row in rows])
    for name, *_, number in rows:
        write_image(folder / name, radiograph(number))
    return folder


def test_every_set_in_one_manifest(tmp_path: Path) -> None:
    sets = [
        ("cohen", str(write_cohen(tmp_path / "cohen", [("1", COHEN_COVID, "PA", "a.jpg", 0), ("2", "todo", "PA", "b.jpg", 1)]))),
        ("nih", str(write_nih(tmp_path / "nih", [("00000001_000.png", "No Finding", 1, "40", 2)]))),
        ("rsna", str(write_rsna(tmp_path / "rsna", [("u-1", "Lung Opacity", 1, 3)], {"u-1": "00000001_005.png"}))),
        ("montgomery", str(write_montgomery(tmp_path / "montgomery"))),
    ]
    write_image(tmp_path / "cohen/images/nobody-knows.png", radiograph(4))
    told: list[tuple[str, int, int]] = []
    assembled = assemble(sets, CONFIG, on_progress=lambda *what: told.append(what))
    add_up(assembled)
    assert reasons(assembled) == [{"no_usable_label": 1, "not_listed": 1}, {}, {}, {}]
    nih, rsna = assembled.rows[1], assembled.rows[2]
    assert (nih.patient_id, rsna.patient_id) == ("nih-00000001", "nih-00000001")
    assert (rsna.view, rsna.sex, rsna.age_years) == ("PA", "F", 51)  # from the header
    assert assembled.splits[1] == assembled.splits[2]
    assert assembled.groups[1] == assembled.groups[2] == "nih-00000001"
    assert told[-2:] == [("decoding", 5, 5), ("finding images that look the same", 0, 0)]
    assert [row.label for row in assembled.rows] == ["covid", "normal", "pneumonia", "normal", "tuberculosis"]


@pytest.mark.parametrize("key", [f"key {at}" for at in range(12)])
def test_an_image_in_two_sets_keeps_its_patients_together(tmp_path: Path, key: str) -> None:
    cohen = write_cohen(tmp_path / "cohen", [("219", COHEN_COVID, "AP", "b343e657.jpg", 0), ("219", COHEN_COVID, "AP", "other.jpg", 1)])
    hannover = tmp_path / "hannover"
    rows = [cells(HANNOVER, patient_id="042f06a9", image_id=name, modality="CR", projection="ap") for name in ("b343e657", "c9280a30")]
    write_table(hannover / "data.csv", HANNOVER, rows)
    enlarged = Image.fromarray(radiograph(0)).resize((200, 240), Image.Resampling.BICUBIC)
    write_image(hannover / "png/b343e657.png", np.pad(np.asarray(enlarged), 9))
    write_image(hannover / "png/c9280a30.png", radiograph(2))
    assembled = assemble([("cohen", str(cohen)), ("hannover", str(hannover))], replace(CONFIG, split_key=key))
    assert [(one, other) for one, other, _ in assembled.pairs] == [(0, 2)]
    assert len(set(assembled.splits)) == 1
    assert len(set(assembled.groups)) == 1
    assert assembled.crossing() == []


def test_equal_pixels_count_once_and_never_with_two_labels(tmp_path: Path) -> None:
    one = write_plain(
        tmp_path / "one", [("a.png", "normal", "p1", "", 0), ("b.png", "pneumonia", "p2", "", 1), ("c.png", "covid", "p3", "", 2)]
    )
    two = write_plain(
        tmp_path / "two", [("d.png", "normal", "p4", "", 0), ("e.png", "normal", "p5", "", 1), ("f.png", "covid", "p4", "", 3)]
    )
    assembled = assemble([("plain", str(one)), ("plain", str(two))], CONFIG)
    add_up(assembled)
    assert [row.origin for row in assembled.rows] == ["a.png", "c.png", "f.png"]
    assert reasons(assembled) == [{"conflicting_labels": 1}, {"same_image": 1, "conflicting_labels": 1}]
    assert assembled.accounts[0].left_out[0].detail == "as plain e.png, normal there"
    assert assembled.groups[0] == assembled.groups[2]  # p1 and p4 share an image, though only one of its rows is left


def test_an_official_split_is_kept_and_what_crosses_it_is_named(tmp_path: Path) -> None:
    rows = [
        ("a.png", "normal", "p1", "train", 0),
        ("b.jpg", "normal", "p2", "test", 0),  # the same exposure as a.png
        ("c.png", "normal", "p3", "test", 1),
        ("d.png", "normal", "p3", "train", 2),  # a patient on both sides
        ("e.png", "normal", "p1", "", 3),  # follows neither
        ("f.png", "normal", "p3", "", 4),
        ("g.png", "normal", "p9", "val", 5),
        ("h.png", "normal", "p9", "", 6),
    ]
    assembled = assemble([("plain", str(write_plain(tmp_path, rows)))], CONFIG)
    add_up(assembled)
    kept = dict(zip([row.origin for row in assembled.rows], assembled.splits, strict=True))
    assert kept == {"a.png": "train", "b.jpg": "test", "c.png": "test", "g.png": "val", "h.png": "val"}
    assert reasons(assembled) == [{"joins_splits": 2, "patient_crosses": 1}]
    ((one, other, bits),) = assembled.crossing()
    assert (assembled.rows[one].origin, assembled.rows[other].origin) == ("a.png", "b.jpg")
    assert 0 <= bits < 10


def test_of_equal_images_the_one_of_the_official_test_counts(tmp_path: Path) -> None:
    rows = [("a.png", "normal", "p1", "", 0), ("b.png", "normal", "p2", "train", 0), ("c.png", "normal", "p3", "test", 0)]
    assembled = assemble([("plain", f"{write_plain(tmp_path, rows)}/labels.csv")], CONFIG)  # a plain set may be named by its table
    assert [(row.origin, split) for row, split in zip(assembled.rows, assembled.splits, strict=True)] == [("c.png", "test")]


def test_the_young_and_what_the_gate_refuses(tmp_path: Path) -> None:
    nih = write_nih(
        tmp_path / "nih", [(f"0000000{at}_000.png", "No Finding", at, age, at) for at, age in enumerate(("017Y", "018Y", "9", "30"))]
    )
    write_image(nih / "images_002/images/00000003_000.png", np.zeros((200, 200), np.uint8))
    assembled = assemble([("nih", str(nih))], CONFIG)
    add_up(assembled)
    assert reasons(assembled) == [{Why.BELOW_AGE_LIMIT: 2, "gate_blank": 1}]
    assert len(assemble([("nih", str(nih))], replace(CONFIG, min_age_years=0)).rows) == 3


def test_a_set_of_images_in_a_zip_file(tmp_path: Path) -> None:
    write_nih(tmp_path / "nih", [("00000001_000.png", "No Finding", 1, "40", 0)])
    (tmp_path / "sets").mkdir()
    with zipfile.ZipFile(tmp_path / "sets/archive.zip", "w") as container:
        for file in (tmp_path / "nih").rglob("*.*"):
            container.write(file, file.relative_to(tmp_path / "nih"))
    assembled = assemble([("nih", str(tmp_path / "sets"))], CONFIG)
    assert [row.origin for row in assembled.rows] == ["archive.zip/images_001/images/00000001_000.png"]


def test_nothing_left_is_an_error_that_says_why(tmp_path: Path) -> None:
    folder = write_cohen(tmp_path, [("1", "todo", "PA", "a.jpg", 0), ("1", COHEN_COVID, "L", "b.jpg", 1)])
    with pytest.raises(TrainingError, match="nothing is left for a manifest: 1 no_usable_label, 1 lateral_view"):
        assemble([("cohen", str(folder))], CONFIG)
    with pytest.raises(UsageError, match="no data set 'cohn'"):
        assemble([("cohn", str(folder))], CONFIG)


@pytest.mark.slow
def test_the_real_radiographs_keep_their_patients_apart() -> None:
    assembled = assemble([("plain", str(cxr_folder()))], replace(CONFIG, min_age_years=0))
    add_up(assembled)
    assert len(assembled.rows) == 1369  # no patient crosses, nothing is refused, no image is there twice
    assert reasons(assembled) == [{}]
    sides: dict[str, set[str]] = {}
    for row, split in zip(assembled.rows, assembled.splits, strict=True):
        sides.setdefault(row.patient_id, set()).add(split)
    assert all(len(of) == 1 for of in sides.values())
    two_names = [pair for pair in assembled.pairs if assembled.rows[pair[0]].patient_id != assembled.rows[pair[1]].patient_id]
    named = {tuple(sorted(assembled.rows[at].patient_id for at in pair[:2])) for pair in two_names}
    assert named == {("cohen-192", "cohen-196"), ("cohen-79", "figure1-COVID-00001")}  # one man in two case reports; one image in two sets
    crossing = [sorted([assembled.splits[one], assembled.splits[other]]) for one, other, _ in assembled.crossing()]
    assert crossing == [["train", "val"]]  # the former; none is in the test split

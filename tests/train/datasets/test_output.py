import csv
import hashlib
import json
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from screening.errors import TrainingError, UsageError
from screening.ingest.config import IngestConfig
from tests.train.datasets.folders import (
    COHEN_COVID,
    lung_mask,
    radiograph,
    write_cohen,
    write_image,
    write_montgomery,
    write_nih,
    write_table,
)
from train.data.images import decode_rows
from train.data.manifest import read_manifest
from train.datasets.assemble import ManifestConfig, assemble
from train.datasets.output import COLUMNS, image_ids, write_manifest
from train.datasets.rows import Row
from train.stages import STAGES

CONFIG = ManifestConfig(processes=2)


@pytest.fixture
def sets(tmp_path: Path) -> list[tuple[str, str]]:
    cohen = [("1", COHEN_COVID, "PA", "a.jpg", 4), ("1", COHEN_COVID, "L", "l.jpg", 5), ("2", COHEN_COVID, "AP", "a b.png", 6)]
    return [
        ("cohen", str(write_cohen(tmp_path / "sets/cohen", cohen))),
        ("montgomery", str(write_montgomery(tmp_path / "sets/montgomery"))),
    ]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_what_is_written_is_a_manifest(sets: list[tuple[str, str]], tmp_path: Path) -> None:
    output = tmp_path / "sets/all.csv"
    report = write_manifest(assemble(sets, CONFIG), str(output))
    rows = rows_of(output)
    assert tuple(rows[0]) == COLUMNS
    assert [row["image"] for row in rows[:2]] == ["cohen/images/a.jpg", "cohen/images/a b.png"]
    assert [row["image_id"] for row in rows] == ["cohen-a", "cohen-a-b", "montgomery-MCUCXR_0001_0", "montgomery-MCUCXR_0104_1"]
    assert (rows[0]["finding"], rows[0]["age"], rows[0]["sex"], rows[0]["offset_days"]) == (COHEN_COVID, "60", "M", "4")
    manifest = read_manifest(str(output))
    assert manifest.digest == report["manifest_sha256"] == hashlib.sha256(output.read_bytes()).hexdigest()
    assert manifest.table["image_url"].to_list()[0] == str(tmp_path / "sets/cohen/images/a.jpg")
    assert manifest.table["label"].to_list() == ["covid", "covid", "normal", "pneumonia"]
    assert manifest.table["finding"].to_list() == ["covid", "covid", "normal", "tuberculosis"]
    assert manifest.training_data()["tuberculosis_as_pneumonia"] == 1


def test_the_report_counts_and_the_list_names_what_is_left_out(sets: list[tuple[str, str]], tmp_path: Path) -> None:
    write_manifest(assemble(sets, CONFIG), str(tmp_path / "all.csv"))
    report = json.loads((tmp_path / "all.report.json").read_text())
    assert [account["left_out"] for account in report["sets"]] == [{"lateral_view": 1}, {}]
    assert (report["sets"][0]["listed"], report["sets"][0]["kept"]) == (3, 2)
    assert sum(n for counts in report["images"].values() for n in counts.values()) == 4
    assert sum(report["patients"].values()) == 4
    assert (report["split_key"], report["min_age_years"]) == ("chest-screening", 18)
    assert report["near_duplicates"] == {
        **{"pairs": 0, "pairs_of_two_patients": 0, "pairs_of_two_labels": 0, "groups_of_several_patients": 0},
        **{"patients_of_the_largest_group": 1, "crossing": 0, "crossing_pairs": []},
    }
    assert rows_of(tmp_path / "all.left-out.csv") == [{"set": "cohen", "item": "l.jpg", "why": "lateral_view", "detail": "L"}]


def test_masks_in_parts_are_united(sets: list[tuple[str, str]], tmp_path: Path) -> None:
    write_manifest(assemble(sets, CONFIG), str(tmp_path / "all.csv"))
    masks = [row["lung_mask"] for row in rows_of(tmp_path / "all.csv")]
    assert masks == ["", "", "all.lung-masks/montgomery-MCUCXR_0001_0.png", "all.lung-masks/montgomery-MCUCXR_0104_1.png"]
    with Image.open(tmp_path / masks[2]) as image:
        assert image.mode == "1"
        assert np.array_equal(np.asarray(image), lung_mask(0))


def test_stage_1_alone_learns_from_an_image_without_a_label(sets: list[tuple[str, str]], tmp_path: Path) -> None:
    write_manifest(assemble(sets, CONFIG), str(tmp_path / "all.csv"))
    table = read_manifest(str(tmp_path / "all.csv")).without_tuberculosis().table
    decoded = decode_rows({name: table[name].to_numpy() for name in table.columns}, config=IngestConfig())
    assert (decoded["label"][3], decoded["has_mask"][3], decoded["refusal"][3]) == ("", True, "")
    groups = {name: stage.group_of(decoded["label"][3], decoded["has_mask"][3]) for name, stage in STAGES.items()}
    assert groups == {"lungs": "masked", "pneumonia": None, "covid": None}


def test_the_same_folders_give_the_same_bytes(sets: list[tuple[str, str]], tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_manifest(assemble(sets, CONFIG), str(tmp_path / f"{name}/all.csv"))
    assert (tmp_path / "one/all.csv").read_bytes() == (tmp_path / "two/all.csv").read_bytes()


def test_elsewhere_paths_are_absolute_and_stores_are_urls(sets: list[tuple[str, str]], tmp_path: Path) -> None:
    write_manifest(assemble(sets[:1], CONFIG), str(tmp_path / "elsewhere/all.csv"))
    assert rows_of(tmp_path / "elsewhere/all.csv")[0]["image"] == str(tmp_path / "sets/cohen/images/a.jpg")
    write_manifest(assemble(sets[:1], CONFIG), "memory://manifests/all.csv")
    assert read_manifest("memory://manifests/all.csv").table["image_url"][0] == str(tmp_path / "sets/cohen/images/a.jpg")
    fsspec.filesystem("memory").put(str(tmp_path / "sets/cohen"), "/cohen", recursive=True)
    write_manifest(assemble([("cohen", "memory://cohen")], CONFIG), str(tmp_path / "remote.csv"))
    assert rows_of(tmp_path / "remote.csv")[0]["image"] == "memory://cohen/images/a.jpg"


def test_beside_the_images_paths_are_relative_also_where_a_link_leads_there(sets: list[tuple[str, str]], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "sets")
    linked = [(name, folder.replace("/sets/", "/link/")) for name, folder in sets]
    write_manifest(assemble(linked, CONFIG), str(tmp_path / "link/manifest.csv"))
    assert {row["image"].split("/")[0] for row in rows_of(tmp_path / "sets/manifest.csv")} == {"cohen", "montgomery"}


def test_ids_are_told_apart_where_names_are_not() -> None:
    rows = [Row(f"file:///{at}/a.png", "p", "normal", "covidx", origin=f"{at}/a.png") for at in ("train", "test")]
    rows.append(Row("file:///b.png", "p", "normal", "plain", image_id="b"))
    first, second, third = image_ids(rows)
    assert first != second
    assert {first[:9], second[:9]} == {"covidx-a-"}
    assert third == "b"


def test_masks_that_do_not_fit_together_are_named(tmp_path: Path) -> None:
    folder = write_montgomery(tmp_path / "set")
    left = folder / "MontgomerySet/ManualMask/leftMask/MCUCXR_0001_0.png"
    write_image(left, lung_mask(0)[:100])
    with pytest.raises(TrainingError, match=r"lung mask .*MCUCXR_0001_0\.png is .* pixels, the other part"):
        write_manifest(assemble([("montgomery", str(folder))], CONFIG), str(tmp_path / "all.csv"))
    left.write_bytes(b"no image")
    with pytest.raises(TrainingError, match=r"lung mask .*leftMask/MCUCXR_0001_0\.png cannot be read"):
        write_manifest(assemble([("montgomery", str(folder))], CONFIG), str(tmp_path / "all.csv"))
    assert not (tmp_path / "all.csv").exists()


def test_a_manifest_is_a_csv_file(tmp_path: Path) -> None:
    folder = write_nih(tmp_path, [("00000001_000.png", "No Finding", 1, "40", 0)])
    with pytest.raises(UsageError, match=r"a manifest's name ends in \.csv"):
        write_manifest(assemble([("nih", str(folder))], CONFIG), str(tmp_path / "manifest.parquet"))


def test_a_manifest_is_itself_a_set(tmp_path: Path) -> None:
    folder = write_nih(tmp_path / "nih", [(f"0000000{at}_000.png", "No Finding", at, "40", at) for at in range(4)])
    write_manifest(assemble([("nih", str(folder))], CONFIG), str(tmp_path / "labels.csv"))
    before = {row["patient_id"]: row["split"] for row in rows_of(tmp_path / "labels.csv")}
    write_table(
        tmp_path / "more/labels.csv", ("image", "label", "patient_id"), [("x.png", "normal", "nih-00000002"), ("y.png", "normal", "q")]
    )
    for at, name in enumerate("xy"):
        write_image(tmp_path / "more" / f"{name}.png", radiograph(8 + at))
    write_manifest(assemble([("plain", str(tmp_path)), ("plain", str(tmp_path / "more"))], CONFIG), str(tmp_path / "both.csv"))
    after = rows_of(tmp_path / "both.csv")
    assert {row["patient_id"]: row["split"] for row in after[:4]} == before
    assert after[4]["split"] == before["nih-00000002"]

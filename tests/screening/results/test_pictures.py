"""Heatmaps are found where the row says, below a results folder that was moved, and nowhere else."""

import zipfile
from pathlib import Path

import pytest

from schemas.heatmap import URL_COLUMN, HeatmapKind, member_name
from screening.results.layout import ResultsLayout
from screening.results.pictures import read_heatmap
from tests.screening.instance_rows import instance_row

KIND = HeatmapKind.PNEUMONIA


@pytest.fixture
def row(tmp_path: Path) -> dict[str, object]:
    """A row whose pneumonia map says `a map`, in the zip file of its shard."""
    made = instance_row(1)
    file = Path(ResultsLayout(str(tmp_path / "results")).heatmaps(made["bundle_digest"], made["screen_date"], made["shard_id"]))
    file.parent.mkdir(parents=True)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member_name(made["object_id"], KIND), b"a map")
    return made | {URL_COLUMN[KIND]: f"zip://{member_name(made['object_id'], KIND)}::file://{file}"}


def test_where_the_row_says(row: dict[str, object]) -> None:
    assert read_heatmap(row, KIND, None) == b"a map"


def test_below_a_folder_that_was_moved(row: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "results").rename(tmp_path / "moved")
    assert read_heatmap(row, KIND, None) is None
    assert read_heatmap(row, KIND, str(tmp_path / "moved")) == b"a map"


def test_a_map_that_was_not_kept_or_is_damaged(row: dict[str, object], tmp_path: Path) -> None:
    assert read_heatmap(row, HeatmapKind.COVID, str(tmp_path / "results")) is None
    [file] = (tmp_path / "results").rglob("*.zip")
    file.write_bytes(b"no zip file")
    assert read_heatmap(row, KIND, str(tmp_path / "results")) is None

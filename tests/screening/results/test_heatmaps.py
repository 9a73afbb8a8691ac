"""Where a heatmap lies, and how it looks over its radiograph."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from schemas.heatmap import URL_COLUMN, HeatmapKind, member_name
from screening.results.heatmaps import coloured, heatmap_urls, overlaid, read_heatmap
from screening.results.layout import ResultsLayout
from tests.screening.instance_rows import DIGEST, instance_row

KIND = HeatmapKind.PNEUMONIA


def test_a_heatmap_lies_where_its_row_says_or_below_the_folder_that_was_moved() -> None:
    row = instance_row(1)
    assert heatmap_urls(row, HeatmapKind.COVID, "s3://b/results") == []
    assert heatmap_urls(row, HeatmapKind.LUNGS) == [row["lung_mask_url"]]
    pointer, moved = heatmap_urls(row, HeatmapKind.LUNGS, "s3://b/results/")
    assert pointer == row["lung_mask_url"]
    folder = f"s3://b/results/heatmaps/bundle={DIGEST[:12]}/screen_date=2020-03-01"
    assert moved == f"zip://{row['object_id']}.lungs.png::{folder}/{'0' * 16}.zip"


def test_colours_are_those_of_cividis_at_its_ends_and_grow_brighter() -> None:
    colours = coloured(np.arange(256, dtype=np.uint8)[None])[0]
    assert colours[0].tolist() == [0, 34, 78]
    assert colours[255].tolist() == [254, 232, 56]
    luminance = colours @ [0.299, 0.587, 0.114]
    assert (np.diff(luminance) > 0).all()


def test_where_a_map_is_cold_the_radiograph_shows_as_it_is() -> None:
    radiograph = np.full((2, 2), 100, np.uint8)
    picture = overlaid(radiograph, np.array([[0, 0], [255, 255]], np.uint8))
    assert (picture[0] == 100).all()
    assert picture[1, 0].tolist() == [round(0.65 * colour + 0.35 * 100) for colour in (254, 232, 56)]


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

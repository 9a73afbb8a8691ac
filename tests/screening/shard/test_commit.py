"""Committing a shard: rows and heatmaps that open, equal bytes for equal work, replacement of failed rows."""

import io
from datetime import date, timedelta
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from schemas.instance import INSTANCE_SCHEMA
from screening.errors import ResultsError
from screening.results.compaction import compact
from screening.results.layout import ResultsLayout
from screening.results.parts import committed_parts, list_parts, read_part
from screening.results.rows import read_all, rows_to_redrive
from screening.results.snapshot import take
from screening.shard.commit import commit_shard
from tests.screening.results.plans import write_shards
from tests.screening.shard.scored import scored_rows

DIGEST = "d" * 64
NIGHT = date(2020, 3, 1)


@pytest.fixture(params=["file", "s3"])
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> ResultsLayout:
    root = str(tmp_path / "results") if request.param == "file" else request.getfixturevalue("s3_bucket") + "/results"
    return ResultsLayout(root)


def commit(rows: pa.Table, layout: ResultsLayout) -> pa.Table:
    return commit_shard(rows, layout, DIGEST, NIGHT)


def test_every_row_is_written_with_the_schema_and_its_version(layout: ResultsLayout) -> None:
    rows = commit(scored_rows("scored", "rejected", "failed"), layout)
    [part] = list_parts(layout, DIGEST)
    assert part.endswith(f"/instances/bundle={DIGEST[:12]}/night=2020-03-01/part-0123456789abcdef.parquet")
    with fsspec.open(part) as file:
        written = pq.read_table(io.BytesIO(file.read()))
    assert written.schema.equals(INSTANCE_SCHEMA, check_metadata=True)
    assert written.equals(rows)
    assert committed_parts(layout, DIGEST, NIGHT) == {"0123456789abcdef": part}


def test_pointers_open_as_they_are(layout: ResultsLayout) -> None:
    [row] = commit(scored_rows("scored"), layout).to_pylist()
    images = {}
    for column in ("lung_mask_url", "pneumonia_heatmap_url", "covid_heatmap_url", "covid_guided_url"):
        with fsspec.open(row[column]) as file:
            images[column] = np.asarray(Image.open(io.BytesIO(file.read())))
        assert images[column].shape == (512, 512)
        assert images[column].dtype == np.uint8
    assert set(np.unique(images["lung_mask_url"])) == {0, 255}
    assert images["pneumonia_heatmap_url"][0, 0] == 0
    assert images["pneumonia_heatmap_url"][-1, -1] == 255
    assert np.array_equal(images["pneumonia_heatmap_url"].T, images["covid_heatmap_url"])
    assert np.unique(images["covid_guided_url"]) == [128]


def test_no_heatmaps_no_zip_and_null_pointers(layout: ResultsLayout) -> None:
    rows = commit(scored_rows("rejected"), layout)
    assert rows.column("covid_heatmap_url").to_pylist() == [None]
    fs, path = fsspec.core.url_to_fs(layout.root)
    assert [name for name in fs.find(path) if name.endswith(".zip")] == []


def test_a_straggler_writes_the_same_bytes(tmp_path: Path) -> None:
    layout = ResultsLayout(str(tmp_path))
    commit(scored_rows("scored", "failed"), layout)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    commit(scored_rows("scored", "failed"), layout)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    assert len(before) == 2


def test_a_shard_of_a_night_of_the_earlier_name_is_replaced_where_it_lies(tmp_path: Path) -> None:
    layout = ResultsLayout(str(tmp_path))
    commit(scored_rows("scored", "failed"), layout)
    Path(layout.night(DIGEST, NIGHT)).rename(layout.earlier_night(DIGEST, NIGHT))
    commit(scored_rows("rejected", "scored").slice(1), layout)
    [part] = list_parts(layout, DIGEST)
    assert "/screen_date=2020-03-01/" in part
    assert read_part(part).column("outcome").to_pylist() == ["scored", "scored"]


def test_a_redriven_row_takes_the_place_of_the_failed_one(layout: ResultsLayout) -> None:
    commit(scored_rows("scored", "failed"), layout)
    again = scored_rows("rejected", "scored").slice(1)
    commit(again, layout)
    rows = read_part(list_parts(layout, DIGEST)[0])
    assert rows.column("outcome").to_pylist() == ["scored", "scored"]
    for pointer in rows.column("covid_heatmap_url").to_pylist():
        with fsspec.open(pointer) as file:
            assert file.read(4) == b"\x89PNG"
    assert rows_to_redrive(layout, DIGEST) == {}


def test_a_shard_that_was_compacted_is_replaced_by_a_part_and_only_where_something_is_new(tmp_path: Path) -> None:
    layout = ResultsLayout(str(tmp_path))
    shard_id = commit(scored_rows("scored", "failed"), layout).column("shard_id")[0].as_py()
    commit_shard(scored_rows("scored", "failed"), layout, DIGEST, NIGHT + timedelta(1))
    write_shards(layout, "run", shard_id)
    compact(layout)
    assert list_parts(layout, DIGEST) == []
    commit(scored_rows("scored", "failed").slice(1), layout)
    assert list_parts(layout, DIGEST) == [], "what fails again leaves the file alone"
    commit(scored_rows("rejected", "scored").slice(1), layout)
    [part] = list_parts(layout, DIGEST)
    assert read_part(part).column("outcome").to_pylist() == ["scored", "scored"]
    assert read_all(take(layout, DIGEST), ["outcome"])["outcome"].to_pylist() == ["scored", "scored", "scored", "failed"]


def test_rows_of_another_shard_are_not_taken_in(tmp_path: Path) -> None:
    layout = ResultsLayout(str(tmp_path))
    commit(scored_rows("scored"), layout)
    with pytest.raises(ResultsError, match="not in it"):
        commit(scored_rows("scored", "scored"), layout)

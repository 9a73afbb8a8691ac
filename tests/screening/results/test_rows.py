"""Rows by column and by shard, of parts and of compacted files alike."""

from datetime import timedelta
from pathlib import Path

import pytest

from schemas.instance import INSTANCE_SCHEMA
from screening.analytics.views import connect
from screening.errors import ResultsError
from screening.results.check import damage_named
from screening.results.compaction import compact
from screening.results.layout import ResultsLayout
from screening.results.rows import (
    check_all_rows,
    committed_shards,
    read_all,
    read_file,
    read_shards,
    rows_of_shard,
    rows_to_redrive,
)
from screening.results.snapshot import take
from tests.screening.instance_rows import DIGEST, NIGHT
from tests.screening.results.compacted_folder import seen, write_nights

SHARDS = ["000000000000000a", "000000000000000b"]


@pytest.fixture(params=[False, True], ids=["parts", "compacted"])
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> ResultsLayout:
    """Three nights of six rows, as parts or compacted."""
    layout = ResultsLayout(f"{tmp_path}/results")
    write_nights(layout, 3)
    if request.param:
        compact(layout)
    return layout


@pytest.fixture
def compacted(tmp_path: Path) -> tuple[ResultsLayout, Path]:
    """The same results, and the one file with their rows."""
    layout = ResultsLayout(f"{tmp_path}/results")
    write_nights(layout, 3)
    compact(layout)
    [url] = take(layout).compacted
    return layout, Path(url.removeprefix("file://"))


def test_shards_are_committed_wherever_they_lie(layout: ResultsLayout) -> None:
    assert committed_shards(layout, DIGEST, NIGHT) == set(SHARDS)
    assert committed_shards(layout, DIGEST, NIGHT - timedelta(1)) == set()
    assert committed_shards(layout, "c" * 64, NIGHT) == set()


def test_columns_of_all_rows_and_of_some_shards(layout: ResultsLayout) -> None:
    snapshot = take(layout, DIGEST)
    assert sorted(read_all(snapshot, ["object_id"])["object_id"].to_pylist()) == [f"{n:032x}" for n in range(18)]
    assert sum(read_file(snapshot, url, ["outcome"]).num_rows for url in snapshot.urls) == 18
    rows = read_shards(layout, DIGEST, NIGHT, SHARDS[1:], ["object_id"])
    assert rows.column_names == ["object_id"]
    assert rows["object_id"].to_pylist() == [f"{n:032x}" for n in (3, 4, 5)]
    with pytest.raises(ResultsError, match=r"part-none\.parquet is missing; run the same command again to resume"):
        read_shards(layout, DIGEST, NIGHT, [*SHARDS, "none"], ["object_id"])


def test_the_rows_of_a_shard_come_whole(layout: ResultsLayout) -> None:
    rows = rows_of_shard(layout, DIGEST, NIGHT, SHARDS[0], layout.part(DIGEST, NIGHT, SHARDS[0]))
    assert rows.schema.equals(INSTANCE_SCHEMA, check_metadata=True)
    assert rows["object_id"].to_pylist() == [f"{n:032x}" for n in range(3)]
    assert rows_of_shard(layout, DIGEST, NIGHT, "none", layout.part(DIGEST, NIGHT, "none")) is None


def test_failed_rows_are_found_by_the_place_of_their_part(layout: ResultsLayout) -> None:
    chosen = rows_to_redrive(layout, DIGEST, {"read_failed"})
    assert {url.removeprefix("file://") for url in chosen} == {
        layout.part(DIGEST, NIGHT + timedelta(night), f"{night:015x}{half}") for night in range(3) for half in "ab"
    }
    assert [rows.num_rows for rows in chosen.values()] == [1] * 6
    assert rows_to_redrive(layout, DIGEST, {"blank"}) == {}


def test_a_compacted_file_that_is_gone_or_another_one_is_named(compacted: tuple[ResultsLayout, Path]) -> None:
    layout, file = compacted
    kept = file.read_bytes()
    other = ResultsLayout(f"{layout.root}/other")
    write_nights(other, 2)
    compact(other)
    [another] = take(other).compacted
    file.write_bytes(Path(another.removeprefix("file://")).read_bytes())
    with pytest.raises(ResultsError, match="not the 18 instance rows that the list of files names; put it back from a copy"):
        seen(layout)
    file.unlink()
    for read in (lambda: seen(layout), lambda: read_all(take(layout), ["object_id"])):
        with pytest.raises(ResultsError, match=r"rows-[0-9a-f]{16}\.parquet: missing, though the list of files names it; put it back"):
            read()
    file.write_bytes(kept)
    assert seen(layout).num_rows == 18


def test_damage_inside_a_compacted_file_is_found(compacted: tuple[ResultsLayout, Path]) -> None:
    layout, file = compacted
    data = bytearray(file.read_bytes())
    data[4:600] = bytes(596)
    file.write_bytes(data)
    [(url, listed)] = take(layout).compacted.items()
    for read in (lambda: check_all_rows(url, listed), lambda: read_all(take(layout), INSTANCE_SCHEMA.names)):
        with pytest.raises(ResultsError, match=r"rows-.*: damaged, cut or no Parquet file; put it back from a copy"):
            read()
    with pytest.raises(ResultsError, match=r"rows-.*: damaged"), damage_named(layout.root):
        query(layout)


def query(layout: ResultsLayout) -> None:
    with connect(layout.root) as connection:
        connection.sql("select any_value(columns(*)) from instance_rows").fetchall()

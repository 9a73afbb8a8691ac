"""Plans: newest first, cut into named shards, readable one shard at a time."""

from pathlib import Path

import pyarrow as pa
import pytest

from schemas.index import PLAN_SCHEMA
from screening.errors import ResultsError
from screening.run.plan import LEAST_SHARD_ROWS, PlanReader, cut_into_shards, newest_first, shard_sizes, write_plan
from tests.screening.run.plans import index


def cut(objects: pa.Table, sizes: list[int], *, salt: str = "s") -> pa.Table:
    return pa.concat_tables([PLAN_SCHEMA.empty_table(), *cut_into_shards([newest_first(objects)], sizes, salt=salt)])


def test_newest_come_first_and_no_row_is_lost() -> None:
    plan = cut(index(10), [4, 4, 2])
    assert plan.schema.equals(PLAN_SCHEMA, check_metadata=True)
    assert plan.column("object_bytes").to_pylist() == list(range(9, -1, -1))
    assert plan.column("shard_row").to_pylist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert [len(set(plan.column("shard_id").to_pylist()[a:b])) for a, b in ((0, 4), (4, 8), (8, 10))] == [1, 1, 1]
    assert len(set(plan.column("shard_id").to_pylist())) == 3


@pytest.mark.parametrize(
    ("rows", "most", "calls", "first"),
    [
        (0, 256, 1, []),
        (10, 256, 1, [8, 2]),
        (20, 8, 2, [8, 8, 4]),
        (512, 256, 1, [8, 16, 32, 64, 128, 256]),
        (512, 256, 2, [8, 16, 32, 64, 128, 132]),
        (10_000, 256, 2, [8, 16, 32, 64, 128, 256]),
    ],
)
def test_shards_grow_at_the_beginning_and_get_smaller_towards_the_end(rows: int, most: int, calls: int, first: list[int]) -> None:
    sizes = shard_sizes(rows, most, calls)
    assert sizes[:6] == first
    assert sum(sizes) == rows
    largest = sizes.index(max(sizes)) if sizes else 0
    assert sizes[:largest] == sorted(sizes[:largest])
    assert sizes[largest:] == sorted(sizes[largest:], reverse=True)
    assert min(sizes, default=0) <= LEAST_SHARD_ROWS


def test_a_limit_keeps_the_newest() -> None:
    assert cut(index(10), [3]).column("object_bytes").to_pylist() == [9, 8, 7]


def test_a_shard_is_named_by_what_goes_in() -> None:
    first = cut(index(8), [4, 4], salt="bundle a")
    assert first.equals(cut(index(8), [4, 4], salt="bundle a"))
    other_bundle = cut(index(8), [4, 4], salt="bundle b")
    other_objects = cut(index(7), [4, 3], salt="bundle a")
    names = [set(plan.column("shard_id").to_pylist()) for plan in (first, other_bundle, other_objects)]
    assert not names[0] & names[1]
    assert not names[0] & names[2]


def test_a_worker_reads_its_own_shard(tmp_path: Path) -> None:
    plan = list(cut_into_shards([newest_first(index(10))], [4, 4, 2], salt="s"))
    write_plan(plan, str(tmp_path / "plan.parquet"))
    reader = PlanReader(str(tmp_path / "plan.parquet"))
    assert [shard.rows for shard in reader.shards()] == [4, 4, 2]
    assert [reader.read(shard) for shard in reader.shards()] == plan


@pytest.mark.parametrize("piece", [1, 3, 4, 7])
def test_pieces_of_any_length_make_the_same_shards(piece: int) -> None:
    ordered = newest_first(index(10))
    pieces = [ordered.slice(start, piece) for start in range(0, 10, piece)]
    assert pa.concat_tables(cut_into_shards(pieces, [4, 4, 2], salt="s")).equals(cut(index(10), [4, 4, 2]))


def test_an_empty_plan_has_no_shards(tmp_path: Path) -> None:
    write_plan(cut_into_shards([], [], salt="s"), str(tmp_path / "plan.parquet"))
    assert PlanReader(str(tmp_path / "plan.parquet")).shards() == []


def test_a_plan_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"plan\.parquet: missing, damaged or cut; move that run's folder away"):
        PlanReader(str(tmp_path / "plan.parquet"))
    (tmp_path / "plan.parquet").write_bytes(b"")
    with pytest.raises(ResultsError, match=r"plan\.parquet: missing, damaged or cut"):
        PlanReader(str(tmp_path / "plan.parquet"))

"""The proof that nothing was lost, on indexes and parts that were made by hand."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.index import INDEX_SCHEMA
from schemas.reasons import Reason
from schemas.run import RunCounts, RunManifest
from screening.errors import ResultsError
from screening.results.layout import ResultsLayout
from screening.run.accounting import account
from screening.run.plan import PlannedShard
from tests.screening.instance_rows import DIGEST, NIGHT, instance_row, pneumonia_row, refused_row, write_instances

SHARDS = [PlannedShard("a", 0, 2), PlannedShard("b", 1, 2)]


@pytest.fixture
def layout(tmp_path: Path) -> ResultsLayout:
    """The index of a run over the objects 1 to 4."""
    layout = ResultsLayout(str(tmp_path))
    rows = [
        {"object_id": f"{number:032x}", "object_url": f"file:///{number}", "object_bytes": 1, "object_etag": "e", "object_modified": None}
        for number in range(1, 5)
    ]
    Path(layout.index("run")).parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, INDEX_SCHEMA), layout.index("run"))
    return layout


def run(**counts: int) -> RunManifest:
    facts = {"archive_url": "a", "results_url": "r", "bundle_url": "b", "bundle_name": "b", "bundle_digest": DIGEST, "screen_date": NIGHT}
    started = datetime(2020, 3, 1, tzinfo=UTC)
    return RunManifest(run_id="run", configuration={}, started=started, counts=RunCounts(objects=4, **counts), **facts)


def answered(layout: ResultsLayout, *numbers: int, shard_id: str, **columns: object) -> None:
    write_instances(layout.root, [instance_row(number, shard_id=shard_id, **columns) for number in numbers])


def test_counts_are_what_the_committed_parts_hold(layout: ResultsLayout) -> None:
    rows = [pneumonia_row(1, covid=True, shard_id="a"), pneumonia_row(2, shard_id="a")]
    rows += [refused_row(3, Reason.BLANK, shard_id="b"), refused_row(4, Reason.READ_FAILED, shard_id="b")]
    write_instances(layout.root, rows)
    assert account(layout, run(planned=4), SHARDS) == RunCounts(
        objects=4,
        planned=4,
        written=4,
        outcomes={"scored": 2, "rejected": 1, "failed": 1},
        reasons={"blank": 1, "read_failed": 1},
        pneumonia_positive=2,
        covid_positive=1,
    )


def test_a_night_of_the_earlier_name_is_accounted_for(layout: ResultsLayout) -> None:
    answered(layout, 1, 2, shard_id="a")
    Path(layout.night(DIGEST, NIGHT)).rename(layout.earlier_night(DIGEST, NIGHT))
    answered(layout, 3, 4, shard_id="b")
    assert account(layout, run(planned=4), SHARDS).written == 4


def test_earlier_answers_and_those_left_for_later_are_accounted_for(layout: ResultsLayout) -> None:
    answered(layout, 1, shard_id="a")
    answered(layout, 2, shard_id="earlier")
    counts = account(layout, run(planned=1, already_scored=1, left_for_later=2), SHARDS[:1])
    assert (counts.written, counts.already_scored, counts.left_for_later) == (1, 1, 2)


def test_a_night_without_anything_to_plan_is_sound(layout: ResultsLayout) -> None:
    assert account(layout, run(already_scored=4), []).written == 0


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"a": (1, 2), "b": (3,)}, "but 3 have a row of this run and 0 rows are doubled"),
        ({"a": (1, 2), "b": (3, 99)}, "but 3 have a row of this run and 0 rows are doubled"),
        ({"a": (1, 2), "b": (3, 4, 4)}, "but 4 have a row of this run and 1 rows are doubled"),
        ({"a": (1, 2, 3), "b": (3, 4)}, "but 4 have a row of this run and 1 rows are doubled"),
    ],
    ids=["missing", "of another index", "twice in a part", "in two parts"],
)
def test_rows_that_are_missing_or_doubled_fail_the_run(layout: ResultsLayout, parts: dict[str, tuple[int, ...]], said: str) -> None:
    for shard_id, numbers in parts.items():
        answered(layout, *numbers, shard_id=shard_id)
    with pytest.raises(ResultsError, match=f"run run: 4 objects in the index, 0 answered by earlier runs, 0 left for later, {said}"):
        account(layout, run(planned=4), SHARDS)


def test_a_part_that_is_missing_or_a_copy_ends_the_proof_by_its_name(layout: ResultsLayout) -> None:
    answered(layout, 1, 2, shard_id="a")
    with pytest.raises(ResultsError, match=r"part-b\.parquet is missing; run the same command again"):
        account(layout, run(planned=4), SHARDS)
    shutil.copy(layout.part(DIGEST, NIGHT, "a"), layout.part(DIGEST, NIGHT, "b"))
    with pytest.raises(ResultsError, match=r"part-b\.parquet: a copy, or renamed or moved: its rows belong to .*part-a\.parquet"):
        account(layout, run(planned=4), SHARDS)

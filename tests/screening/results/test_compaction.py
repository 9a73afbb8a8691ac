"""Compaction: every row once, at any moment, also where it dies, on a local folder and on S3."""

import contextlib
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as arrow_dataset
import pytest

from screening.analytics.views import connect
from screening.errors import LockedError, ResultsError
from screening.results import compaction
from screening.results.check import damage_named
from screening.results.compaction import compact, merge_redriven
from screening.results.layout import ResultsLayout
from screening.results.parts import part_of
from screening.results.rows import rows_of_shard, rows_to_redrive
from screening.results.snapshot import take
from screening.storage import put_atomic, remove_files
from tests.screening.instance_rows import DIGEST, NIGHT, instance_row, write_instances
from tests.screening.results.compacted_folder import files, seen, write_night, write_nights

NIGHTS = 2


@pytest.fixture(params=["local", "s3"])
def layout(request: pytest.FixtureRequest) -> ResultsLayout:
    """Two nights of two shards on each kind of store."""
    root = request.getfixturevalue("tmp_path") if request.param == "local" else request.getfixturevalue("s3_bucket")
    layout = ResultsLayout(f"{root}/results")
    write_nights(layout, NIGHTS)
    return layout


@pytest.fixture
def local(tmp_path: Path) -> ResultsLayout:
    layout = ResultsLayout(f"{tmp_path}/results")
    write_nights(layout, NIGHTS)
    return layout


def answer_anew(layout: ResultsLayout, night: int) -> None:
    """Let a redrive score the failed row of the first shard of a night, as `commit_shard` puts it."""
    day, shard_id = NIGHT + timedelta(night), f"{night:015x}a"
    rows = [instance_row(6 * night + row, shard_id=shard_id, screen_date=day) for row in range(3)]
    write_instances(layout.root, rows)


def test_every_row_stays_and_a_second_time_does_nothing(layout: ResultsLayout) -> None:
    before = seen(layout)
    [done] = compact(layout)
    assert (done.merged, done.made, done.left, done.rows) == (4, 1, 1, 12)
    assert seen(layout).equals(before)
    [name] = files(layout)
    assert name.startswith("rows-")
    [again] = compact(layout)
    assert (again.merged, again.made, again.left) == (0, 0, 1)
    assert files(layout) == [name]


class Died(Exception):
    """What ends a compaction in these tests, in the place of a kill."""


def dying_after(steps: int) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return a put and a removal that change the store `steps` times together; a removed file counts as one."""
    done = 0

    def step(change: Callable[..., None], *arguments: Any) -> None:
        nonlocal done
        if done == steps:
            raise Died
        done += 1
        change(*arguments)

    def remove(urls: Any) -> None:
        for url in list(urls):
            step(remove_files, [url])

    return (lambda url, data: step(put_atomic, url, data)), remove


@pytest.mark.parametrize("redriven", [False, True], ids=["parts alone", "a redriven shard"])
def test_wherever_it_dies_each_row_is_seen_once_and_the_next_one_ends_it(
    layout: ResultsLayout, monkeypatch: pytest.MonkeyPatch, redriven: bool
) -> None:
    if redriven:
        compact(layout)
        answer_anew(layout, 1)
        write_night(layout, NIGHTS)
    before = seen(layout)
    for steps in range(100):
        put, remove = dying_after(steps)
        with monkeypatch.context() as dying:
            dying.setattr(compaction, "put_atomic", put)
            dying.setattr(compaction, "remove_files", remove)
            try:
                compact(layout)
            except Died:
                assert seen(layout).equals(before), f"after {steps} changes"
                continue
        break
    assert steps > 3
    compact(layout)
    assert seen(layout).equals(before)
    assert len(files(layout)) == 1


def test_a_shard_that_was_redriven_counts_as_it_is_now(layout: ResultsLayout) -> None:
    compact(layout)
    assert len(rows_to_redrive(layout, DIGEST)) == 2 * NIGHTS
    answer_anew(layout, 1)
    after = seen(layout)
    assert after.column("outcome").to_pylist().count("failed") == 2 * NIGHTS - 1
    assert after.num_rows == 6 * NIGHTS
    assert len(rows_to_redrive(layout, DIGEST)) == 2 * NIGHTS - 1
    merge_redriven(layout)
    assert seen(layout).equals(after)
    [name] = files(layout)
    merge_redriven(layout)
    assert files(layout) == [name]


def test_a_reader_meanwhile_sees_each_row_once(layout: ResultsLayout) -> None:
    before, ended, answers = seen(layout), threading.Event(), []

    def read() -> None:
        last = False
        while not last:
            last = ended.is_set()  # nothing changes under the last reading, so it always answers
            with contextlib.suppress(ResultsError), damage_named(layout.root):  # a local file has gone between opening and asking
                answers.append(seen(layout).equals(before))

    reader = threading.Thread(target=read)
    reader.start()
    for night in range(NIGHTS):
        compact(layout)
        write_instances(layout.root, committed(layout, night).to_pylist())  # as a redrive does that answers the same
    compact(layout)
    ended.set()
    reader.join()
    assert answers
    assert all(answers)


def committed(layout: ResultsLayout, night: int) -> pa.Table:
    """Return the rows of the first shard of a night, wherever they lie."""
    shard = NIGHT + timedelta(night), f"{night:015x}a"
    rows = rows_of_shard(layout, DIGEST, *shard, part_of(layout, DIGEST, *shard))
    assert rows is not None
    return rows


def test_files_grow_as_the_digits_of_a_binary_counter(tmp_path: Path) -> None:
    layout = ResultsLayout(f"{tmp_path}/results")
    most = 0
    for night in range(20):
        write_night(layout, night)
        compact(layout)
        most = max(most, len(files(layout)))
    assert most <= 5
    assert seen(layout).num_rows == 120


def test_a_file_of_the_wanted_size_is_left_alone(local: ResultsLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "GROUP_ROWS", 5)
    before = seen(local)
    [done] = compact(local, target_bytes=1)
    assert (done.made, done.left) == (3, 3), "12 rows in groups of five, a file each"
    assert seen(local).equals(before)
    full = set(files(local))
    write_nights(local, 1, first=NIGHTS)
    compact(local, target_bytes=1)
    assert full < set(files(local))


def test_a_part_of_another_folder_stays_a_part(local: ResultsLayout) -> None:
    write_instances(local.root, [instance_row(500, shard_id="from-elsewhere")])
    compact(local)
    assert [name[:5] for name in files(local)] == ["part-", "rows-"]
    write_instances(local.root, [instance_row(0, shard_id="from-elsewhere")])
    with pytest.raises(ResultsError, match=r"more than one row answers object 0+,"):
        seen(local)


def test_who_asks_after_files_have_gone_is_told_to_open_them_again(local: ResultsLayout) -> None:
    with connect(local.root) as connection:
        compact(local)
        with pytest.raises(ResultsError, match=r"files have gone since they were opened, .*open them again"), damage_named(local.root):
            connection.sql("select count(covid_positive) from instance_rows").fetchall()


def test_other_tools_read_the_folder_after_it(local: ResultsLayout) -> None:
    compact(local)
    assert arrow_dataset.dataset(local.all_instances, partitioning="hive").count_rows() == 6 * NIGHTS


def test_who_lost_the_lock_changes_nothing_that_readers_see(local: ResultsLayout) -> None:
    before = files(local)

    def lost() -> None:
        raise LockedError("taken over")

    with pytest.raises(LockedError):
        compact(local, check_lock=lost)
    assert files(local) == before


def test_a_damaged_part_ends_it_before_anything_is_changed(local: ResultsLayout) -> None:
    [first, *_] = take(local, DIGEST).parts
    Path(first.removeprefix("file://")).write_bytes(b"PAR1")
    before = files(local)
    with pytest.raises(ResultsError, match=r"part-.*: damaged"):
        compact(local)
    assert files(local) == before


def test_rows_of_one_shard_stay_in_their_order(local: ResultsLayout) -> None:
    before = committed(local, 1)
    compact(local)
    assert committed(local, 1).equals(before)

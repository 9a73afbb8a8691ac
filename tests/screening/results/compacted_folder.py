"""A results folder of many nights, some rows of which a redrive is to answer, on any store; and what readers see of it."""

from datetime import timedelta

import pyarrow as pa

from schemas.reasons import Reason
from screening.analytics.views import connect
from screening.results.layout import ResultsLayout
from screening.storage import list_files
from tests.screening.instance_rows import DIGEST, NIGHT, instance_row, refused_row, write_instances
from tests.screening.results.plans import write_shards


def write_nights(layout: ResultsLayout, nights: int, *, first: int = 0) -> None:
    """Write two shards a night, of three rows each, one of which has failed; a run of the night has planned them."""
    for night in range(first, first + nights):
        write_night(layout, night)


def write_night(layout: ResultsLayout, night: int) -> None:
    """Write the two shards of one night, and its plan."""
    day, shards = NIGHT + timedelta(night), [f"{night:015x}{half}" for half in "ab"]
    rows = []
    for half, shard_id in enumerate(shards):
        at, place = 6 * night + 3 * half, {"shard_id": shard_id, "screen_date": day}
        rows += [instance_row(at, **place), instance_row(at + 1, **place), refused_row(at + 2, Reason.READ_FAILED, **place)]
    write_instances(layout.root, rows)
    write_shards(layout, f"run-{night:03}", *shards)


def seen(layout: ResultsLayout) -> pa.Table:
    """Return what `screening sql` sees of every row: its object, shard, night and outcome."""
    with connect(layout.root) as connection:
        ((counted,),) = connection.sql("select coalesce(sum(objects), 0)::bigint from bundle_rows").fetchall()
        rows = connection.sql("select object_id, shard_id, screen_date, outcome from instance_rows order by all").to_arrow_table()
    assert counted == rows.num_rows, "the check of the files counts what the view shows"
    return rows


def files(layout: ResultsLayout) -> list[str]:
    """Return the names of every Parquet file with rows."""
    return [url.rpartition("/")[2] for url in list_files(layout.instances(DIGEST), ".parquet")]

"""Many nights open in seconds once they are compacted: 90 nights of 20 parts, opened before and after, with the same answers.

docs/speed.md has the figures of a whole year.
"""

import io
import os
import time
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.instance import INSTANCE_SCHEMA
from screening.analytics.views import connect
from screening.results.compaction import compact
from screening.results.layout import ResultsLayout
from screening.storage import put_atomic
from tests.screening.instance_rows import DIGEST, NIGHT, instance_row, pneumonia_row
from tests.screening.results.compacted_folder import files
from tests.screening.results.plans import write_shards

NIGHTS, PARTS, ROWS = 90, 20, 24
QUESTION = "select screen_date, outcome, count(*), sum(covid_positive::int), avg(pneumonia_score) from instances group by all order by all"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def write_nights(layout: ResultsLayout) -> None:
    """Write the parts and plans of all nights; each part has 24 rows, so that the number of files is what counts."""
    rows = pa.Table.from_pylist([instance_row(n) if n % 3 else pneumonia_row(n) for n in range(ROWS)], INSTANCE_SCHEMA)
    for night in range(NIGHTS):
        shards = [f"{night:08x}{part:08x}" for part in range(PARTS)]
        for part, shard_id in enumerate(shards):
            first = (night * PARTS + part) * ROWS
            ids = [f"{number:032x}" for number in range(first, first + ROWS)]
            put_part(layout, rows, {"screen_date": NIGHT + timedelta(night), "shard_id": shard_id}, ids)
        write_shards(layout, f"{night:04}", *shards)


def put_part(layout: ResultsLayout, rows: pa.Table, place: dict, ids: list[str]) -> None:
    changed = {name: [value] * ROWS for name, value in place.items()} | dict.fromkeys(("object_id", "SOPInstanceUID", "pixel_hash"), ids)
    for name, values in changed.items():
        field = INSTANCE_SCHEMA.field(name)
        rows = rows.set_column(INSTANCE_SCHEMA.get_field_index(name), field, pa.array(values, field.type))
    buffer = io.BytesIO()
    pq.write_table(rows, buffer, compression="zstd", write_page_checksum=True)
    put_atomic(layout.part(DIGEST, *place.values()), buffer.getvalue())


def opened(layout: ResultsLayout) -> tuple[float, float, list]:
    """Return the seconds to open the results, those of one question, and its answer."""
    started = time.perf_counter()
    with connect(layout.root) as connection:
        open_seconds = time.perf_counter() - started
        answer = connection.sql(QUESTION).fetchall()
        return open_seconds, time.perf_counter() - started - open_seconds, answer


def test_many_nights_open_in_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # of 1,800 parts that only this test needs
    layout = ResultsLayout(str(tmp_path))
    write_nights(layout)
    with connect(str(tmp_path / "none")):
        pass  # the views are made once a process
    before = opened(layout)
    started = time.perf_counter()
    [done] = compact(layout)
    took = time.perf_counter() - started
    after = opened(layout)
    print(f"\n{NIGHTS * PARTS} parts: opened in {before[0]:.2f} s, a question {before[1]:.2f} s; compacted in {took:.1f} s")
    print(f"afterwards: opened in {after[0]:.2f} s, a question {after[1]:.2f} s")
    assert after[2] == before[2]
    assert (done.rows, len(files(layout))) == (NIGHTS * PARTS * ROWS, 1)
    assert after[0] < before[0] / 2
    assert after[1] < before[1] / 2

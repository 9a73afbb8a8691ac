"""The benchmark of planning, on a small index: what it makes up is what a run leaves, and what it measures is what a run does."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.index import INDEX_SCHEMA
from screening.benchmark import planning
from screening.benchmark.planning import DIGEST, RUN_ID, generate
from screening.results.layout import ResultsLayout
from screening.results.parts import list_parts, read_part
from screening.run.pending import Pending


@pytest.fixture
def layout(tmp_path: Path) -> ResultsLayout:
    """An index of 3000 objects, of which 2950 have a row."""
    return ResultsLayout(generate(tmp_path, 3000, 2950))


def test_index_and_parts_are_as_a_run_writes_them(layout: ResultsLayout) -> None:
    index = pq.read_table(layout.index(RUN_ID))
    assert index.cast(INDEX_SCHEMA).num_rows == 3000
    parts = list_parts(layout, DIGEST)
    assert len(parts) == planning.NIGHTS
    assert sum(read_part(part).num_rows for part in parts) == 2950


def test_what_has_no_row_is_pending(layout: ResultsLayout) -> None:
    pending = pa.concat_tables(Pending(layout, DIGEST, layout.index(RUN_ID)).newest_first(3000))
    assert {url.rpartition("/")[2] for url in pending["object_url"].to_pylist()} == {f"{number}.dcm" for number in range(2950, 3000)}


@pytest.mark.usefixtures("ray_cluster")
def test_a_night_begins(layout: ResultsLayout) -> None:
    begun = planning.begin(layout.root)
    assert (begun.objects, begun.pending) == (3000, 50)
    assert begun.shards > 1
    assert list(begun.steps) == ["anti-join", "plan", "start of Ray and the first shard"]
    assert begun.peak_bytes > 2**20

"""Views over more rows than fit into memory: what is left goes to disk."""

from pathlib import Path

import pytest

from screening.benchmark.analytics import generate, time_views

pytestmark = pytest.mark.slow

VIEWS = ("instances", "verdicts", "threshold_units", "thresholds", "threshold_pairs", "monitor_scores", "unlinked_judgements")


def test_four_million_rows_within_250_megabytes(tmp_path: Path) -> None:
    results, reference = generate(tmp_path / "data", 4_000_000, 400_000)
    rows = {timing.name: timing.rows for timing in time_views(results, reference, tmp_path / "spill", VIEWS, memory="250MB")}
    assert rows["instances"] == rows["verdicts"] == 4_000_000
    assert 2_000_000 < rows["threshold_units"] < 2_800_000
    assert all(rows[view] for view in VIEWS)

"""The demo from nothing: on studies that it has not seen the cascade really works."""

import time
from pathlib import Path

import pytest

from jobs.run_demo import stage_aurocs
from screening.analytics.views import connect
from tests.programs import screening


@pytest.mark.slow
def test_the_demo_works_with_the_bundle_that_comes_along(tmp_path: Path) -> None:
    screening("demo", str(tmp_path / "demo"), seconds=600)
    with connect(str(tmp_path / "demo/results"), str(tmp_path / "demo/reference.parquet")) as connection:
        aurocs = stage_aurocs(connection, str(tmp_path / "demo/labels.csv"))
    assert all(value > 0.95 and n > 100 for value, n in aurocs.values())
    assert (tmp_path / "demo/report.html").stat().st_size > 100_000
    assert not (tmp_path / "demo/bundle").exists()


@pytest.mark.slow
def test_the_demo_works_on_unseen_studies(tmp_path: Path) -> None:
    started = time.monotonic()
    printed = screening("demo", str(tmp_path / "demo"), "--train", seconds=1400).stdout
    seconds = time.monotonic() - started
    assert "Flow of participants" in printed
    with connect(str(tmp_path / "demo/results"), str(tmp_path / "demo/reference.parquet")) as connection:
        aurocs = stage_aurocs(connection, str(tmp_path / "demo/labels.csv"))
        (pairs,) = connection.execute("select count(*) from accuracy where sensitivity is not null and specificity is not null").fetchone()
    print(f"{seconds:.0f} s", aurocs)
    assert all(value > 0.95 and n > 100 for value, n in aurocs.values())
    assert pairs >= 3
    for name in ("archive", "reference.parquet", "bundle/bundle.json", "results/runs"):
        assert (tmp_path / "demo" / name).exists()

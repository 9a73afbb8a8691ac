"""The live page of `screening status --watch`: what it shows of a night under way, of one that has ended, and on a real terminal."""

import io
import logging
import os
import pty
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from jobs.cli import make_app
from jobs.watch_status import Watched
from schemas.nightly import STEPS, NightRecord, StepRecord
from schemas.run import RunCounts, RunManifest
from screening.errors import UsageError
from screening.results.layout import ResultsLayout
from screening.results.manifests import recorded, write_manifest
from screening.storage import put_atomic
from tests.screening.instance_rows import DIGEST, NIGHT, instance_row, write_instances
from tests.screening.results.plans import write_shards

RUN_ID = "20200301T220000Z-aaaaaa"


@pytest.fixture
def layout(tmp_path: Path) -> ResultsLayout:
    """A night whose run has three shards of one row each, none of which is committed."""
    layout = ResultsLayout(str(tmp_path))
    steps = [StepRecord(name=name, status="waiting") for name in STEPS]
    steps[0].status, steps[0].started = "running", datetime.now(UTC)
    facts = {"archive_url": "a", "results_url": "r", "deadline": datetime(2020, 3, 2, 6, tzinfo=UTC)}
    record = NightRecord(night_id="n", screen_date=NIGHT, started=datetime.now(UTC), steps=steps, **facts)
    put_atomic(layout.night_record("n"), record.model_dump_json().encode())
    write_shards(layout, RUN_ID, "a", "b", "c")
    write_manifest(layout, run("running"))
    return layout


def run(status: str) -> RunManifest:
    facts = {"archive_url": "a", "results_url": "r", "bundle_url": "b", "bundle_name": "n", "bundle_digest": DIGEST, "screen_date": NIGHT}
    counts = RunCounts(objects=3, planned=3)
    return RunManifest(run_id=RUN_ID, status=status, configuration={}, started=datetime(2020, 3, 1, 22, tzinfo=UTC), counts=counts, **facts)


def shown(watched: Watched) -> str:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(watched.page())
    return console.export_text()


def test_a_night_under_way_moves(layout: ResultsLayout) -> None:
    watched = Watched(layout)
    first = shown(watched)
    assert "night of 2020-03-01: running" in first
    assert "scoring stops at" in first
    assert f"run {RUN_ID}: 0 of 3 images answered" in first
    assert "nothing was committed since" in first
    write_instances(layout.root, [instance_row(1, shard_id="a"), instance_row(2, shard_id="elsewhere")])
    second = shown(watched)
    assert "1 of 3 images answered" in second
    assert "images/s since this page was opened" in second


def test_a_run_that_ended_is_a_table_with_its_warnings(layout: ResultsLayout) -> None:
    with recorded(layout, run("running")):
        for number in range(10):
            logging.getLogger("screening.run").warning("warning %d", number)
    page = shown(Watched(layout))
    assert f"run {RUN_ID}: finished" in page
    assert "the last of 10 warnings" in page
    assert "warning 9" in page
    assert "warning 1" not in page


def test_a_folder_without_runs(tmp_path: Path) -> None:
    assert "no runs yet" in shown(Watched(ResultsLayout(str(tmp_path))))


def test_it_needs_a_terminal_of_its_own(layout: ResultsLayout) -> None:
    for options, said in (([], "needs a terminal"), (["--json"], "leave --log and --json out")):
        with pytest.raises(UsageError, match=said):
            CliRunner().invoke(make_app(), ["status", layout.root, "--watch", *options], catch_exceptions=False)


def test_on_a_terminal_it_runs_until_it_is_interrupted(layout: ResultsLayout) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "jobs.show_status", layout.root, "--watch", "--every", "0.5"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "140"})
    os.close(theirs)
    seen, end = b"", time.monotonic() + 60
    while seen.count(b"images answered") < 2 and time.monotonic() < end:
        seen += os.read(ours, 65536)
    process.send_signal(signal.SIGINT)
    while process.poll() is None and time.monotonic() < end:
        try:
            os.read(ours, 65536)
        except OSError:
            break
    os.close(ours)
    assert process.wait(30) == 0
    assert b"0 of 3 images answered" in seen

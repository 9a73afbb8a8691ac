"""`screening retain`: a list first, and removal only where it is asked for."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli import make_app
from screening.results.layout import ResultsLayout
from screening.storage import put_atomic
from tests.screening.instance_rows import DIGEST
from tests.screening.results.compacted_folder import write_nights


@pytest.fixture
def results(tmp_path: Path) -> str:
    """Rows, and heatmaps of ten days ago and of today."""
    layout = ResultsLayout(str(tmp_path))
    write_nights(layout, 1)
    today = datetime.now(UTC).date()
    for days in (0, 10):
        put_atomic(layout.heatmaps(DIGEST, today - timedelta(days), "s"), bytes(2**20))
    return str(tmp_path)


def retain(*arguments: str) -> str:
    answer = CliRunner().invoke(make_app(), ["retain", *arguments], catch_exceptions=False)
    assert answer.exit_code == 0
    return answer.output


def test_a_dry_run_changes_nothing_and_the_second_command_removes(results: str) -> None:
    files = sorted(Path(results).rglob("*"))
    assert "would be removed: 1 heatmap files of 1 nights" in retain(results, "--heatmaps-after", "5")
    assert sorted(Path(results).rglob("*")) == files
    assert "removed: 1 heatmap files of 1 nights" in retain(results, "--heatmaps-after", "5", "--apply")
    assert len(list(Path(results).rglob("*.zip"))) == 1
    assert len(list(Path(results).rglob("retention/*.json"))) == 1
    assert "no heatmap is older than 5 days" in retain(results, "--heatmaps-after", "5")
    said = json.loads(retain(results, "--heatmaps-after", "1", "--json"))
    assert (said["files"], said["removed"], said["record"]) == (0, False, None)

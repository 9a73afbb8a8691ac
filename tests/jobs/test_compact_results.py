"""`screening compact`: what it says, and that it waits for nobody."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli import make_app
from screening.errors import LockedError, UsageError
from screening.results.layout import ResultsLayout
from screening.results.lock import holding
from tests.screening.results.compacted_folder import seen, write_nights


def compact(*arguments: str) -> str:
    answer = CliRunner().invoke(make_app(), ["compact", *arguments], catch_exceptions=False)
    assert answer.exit_code == 0
    return answer.output


def test_what_was_merged_is_said(tmp_path: Path) -> None:
    write_nights(ResultsLayout(str(tmp_path)), 2)
    assert "bundle aaaaaaaaaaaa: 4 files became 1 (12 rows, 0.0 MiB); 1 files hold all rows" in compact(str(tmp_path))
    assert "bundle aaaaaaaaaaaa: nothing to merge, 1 files hold all rows" in compact(str(tmp_path))
    [done] = json.loads(compact(str(tmp_path), "--json"))
    assert (done["merged"], done["left"]) == (0, 1)


def test_nothing_is_done_while_a_night_holds_the_results(tmp_path: Path) -> None:
    layout = ResultsLayout(str(tmp_path))
    write_nights(layout, 2)
    before = sorted(tmp_path.rglob("*.parquet"))
    with holding(layout.root, "screening nightly"), pytest.raises(LockedError, match="held by screening nightly"):
        compact(layout.root)
    assert sorted(tmp_path.rglob("*.parquet")) == before
    assert seen(layout).num_rows == 12


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run has written here"):
        compact(str(tmp_path))

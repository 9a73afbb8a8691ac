"""`screening status`: runs, and the log of one."""

import json
import logging
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli import make_app
from schemas.run import RunManifest
from screening.errors import Fault, UsageError
from screening.results.layout import ResultsLayout
from screening.results.manifests import list_runs, now, recorded, write_manifest
from screening.results.run_log import about

RUN_IDS = ("20200301T230000Z-aaaaaa", "20200302T230000Z-bbbbbb")
log = logging.getLogger("screening.shard.decode")


@pytest.fixture
def results(tmp_path: Path) -> str:
    """Two runs, the second with an entry about an object."""
    layout = ResultsLayout(str(tmp_path))
    for run_id in RUN_IDS:
        facts = {"archive_url": "a", "results_url": "r", "bundle_url": "b", "bundle_name": "n", "bundle_digest": "0" * 64}
        run = RunManifest(run_id=run_id, screen_date=date(2020, 3, 1), configuration={}, versions={}, started=now(), **facts)
        with recorded(layout, run), about("decode", "shard-1"):
            if run_id == RUN_IDS[1]:
                try:
                    {}["a value"]
                except KeyError as error:
                    log.warning("corrupt", extra={"object_id": "0123456789abcdef", "fault": Fault.of(error)})
    return str(tmp_path)


def status(*arguments: str) -> str:
    answer = CliRunner().invoke(make_app(), ["status", *arguments], catch_exceptions=False)
    assert answer.exit_code == 0
    return answer.output


def test_every_run_is_shown(results: str) -> None:
    assert all(f"run {run_id}: finished" in status(results) for run_id in RUN_IDS)


def test_a_reason_that_a_later_version_wrote_is_counted(results: str) -> None:
    layout = ResultsLayout(results)
    run = next(run for run in list_runs(layout) if run.run_id == RUN_IDS[1])
    run.counts.reasons = {"blank": 2, "of_a_later_version": 3}
    write_manifest(layout, run)
    said = [line.split() for line in status(results).splitlines()]
    assert ["blank", "2"] in said
    assert ["of_a_later_version", "(unknown", "to", "this", "version)", "3"] in said


def test_the_log_of_a_run_shows_frames(results: str) -> None:
    said = status(results, "--log", "latest")
    assert "KeyError, raised in" in said
    assert "tests/jobs/test_show_status.py:" in said
    assert "(shard shard-1, log entry 0123456789ab)" in said
    assert "a value" not in said
    assert said == status(results, "--log", "20200302")
    assert "KeyError" not in status(results, "--log", RUN_IDS[0])


def test_one_entry_as_json(results: str) -> None:
    [line] = json.loads(status(results, "--log", "latest", "--entry", "0123456789ab", "--json"))
    assert (line["message"], line["fault"]["type"]) == ("corrupt", "KeyError")
    assert json.loads(status(results, "--log", "latest", "--entry", "ffff", "--json")) == []


@pytest.mark.parametrize(
    ("options", "said"), [(["--log", "2020"], "2 runs begin so"), (["--log", "x"], "0 runs"), (["--entry", "a"], "--log")]
)
def test_what_names_no_run_is_refused(results: str, options: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        CliRunner().invoke(make_app(), ["status", results, *options], catch_exceptions=False)

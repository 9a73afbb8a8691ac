"""The log of a run: JSON lines by run, role and shard, frames without values, nothing lost where the store takes no file."""

import json
import logging
import threading
from pathlib import Path

import pytest

from screening.errors import Fault
from screening.results.layout import ResultsLayout
from screening.results.run_log import about, entry_of, log_to, logging_to, read_log

log = logging.getLogger("screening.shard.decode")
SECRET = "DOE^JANE^19500102"


@pytest.fixture
def layout(tmp_path: Path) -> ResultsLayout:
    return ResultsLayout(str(tmp_path))


def fail() -> None:
    try:
        int(SECRET)
    except ValueError as error:
        raise RuntimeError(f"no age in {SECRET}") from error


def test_lines_name_run_role_shard_and_object(layout: ResultsLayout) -> None:
    with logging_to(layout, "run-1"):
        log.info("begins")
        with about("decode", "shard-7"):
            log.warning("one object", extra={"object_id": "0123456789abcdef"})
    begins, one = read_log(layout, "run-1")
    assert (begins["message"], begins["role"], begins["shard_id"], begins["run_id"]) == ("begins", "driver", None, "run-1")
    assert (one["role"], one["shard_id"], one["level"], one["entry"]) == ("decode", "shard-7", "WARNING", "0123456789ab")
    assert one["entry"] == entry_of("0123456789abcdef")
    assert read_log(layout, "another") == []


def test_an_exception_leaves_its_frames_and_no_value(layout: ResultsLayout) -> None:
    with logging_to(layout, "run-1"):
        try:
            fail()
        except RuntimeError as error:
            log.exception("decoding failed")
            log.warning("handed over", extra={"fault": Fault.of(error)})
    for line in read_log(layout, "run-1"):
        assert line["fault"]["type"] == "RuntimeError from ValueError"
        places = [(frame["file"], frame["function"]) for frame in line["fault"]["frames"]]
        here = "tests/screening/results/test_run_log.py"
        assert places == [(here, "fail"), (here, "test_an_exception_leaves_its_frames_and_no_value"), (here, "fail")]
        assert SECRET not in json.dumps(line)


def test_a_warning_is_written_at_once_and_the_rest_at_the_end(layout: ResultsLayout) -> None:
    with logging_to(layout, "run-1"):
        log.info("first")
        log.info("second")
        assert [line["message"] for line in read_log(layout, "run-1")] == ["first"]
        log.warning("third")
        assert [line["message"] for line in read_log(layout, "run-1")] == ["first", "second", "third"]
        log.info("fourth")
    assert len(read_log(layout, "run-1")) == 4
    log.warning("after the end")
    assert len(read_log(layout, "run-1")) == 4


def test_each_role_of_a_process_shows_itself_at_once(layout: ResultsLayout) -> None:
    with logging_to(layout, "run-1"):
        for role in ("decode", "write", "decode"):
            with about(role, "shard-7"):
                log.info("at work")
        assert [line["role"] for line in read_log(layout, "run-1")] == ["decode", "write"]  # Ray may kill the process from here on


def test_a_process_that_goes_on_with_another_run_leaves_the_first(layout: ResultsLayout) -> None:
    log_to(layout, "run-1")
    log.info("of the first")
    log_to(layout, "run-1")
    log.info("of the first, too")
    with logging_to(layout, "run-2"):
        log.info("of the second")
    assert [line["message"] for line in read_log(layout, "run-1")] == ["of the first", "of the first, too"]
    assert [line["message"] for line in read_log(layout, "run-2")] == ["of the second"]


def test_threads_keep_their_shards_apart(layout: ResultsLayout) -> None:
    def work(shard: str) -> None:
        with about("cascade", shard):
            for _ in range(20):
                log.info(shard)

    with logging_to(layout, "run-1"):
        threads = [threading.Thread(target=work, args=(f"shard-{i}",)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = read_log(layout, "run-1")
    assert len(lines) == 80
    assert all(line["message"] == line["shard_id"] for line in lines)


def test_a_folder_that_fails_sends_the_lines_to_stderr(layout: ResultsLayout, capsys: pytest.CaptureFixture[str]) -> None:
    Path(layout.runs).symlink_to(layout.runs)  # it leads to itself
    with logging_to(layout, "run-1"):
        log.warning("still said")
    said = capsys.readouterr().err
    assert "log of run run-1 cannot be written (" in said
    assert '"message": "still said"' in said


def test_a_folder_that_takes_no_file_gets_the_lines_when_it_takes_them_again(
    layout: ResultsLayout, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(layout.runs).write_text("not a folder")
    with logging_to(layout, "run-1"):
        log.warning("while it is full")
        Path(layout.runs).unlink()
        log.warning("after space was made")
    assert [line["message"] for line in read_log(layout, "run-1")] == ["while it is full", "after space was made"]
    assert capsys.readouterr().err == ""

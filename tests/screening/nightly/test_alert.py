"""Who is told of what, and that a night does not end because nobody can be told."""

import json
import logging
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from schemas.nightly import AlertTo, NightRecord
from screening.nightly import alert
from screening.nightly.alert import tell
from tests.web_hook import web_hook

WRITE_STDIN = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"


@pytest.fixture
def record() -> NightRecord:
    return NightRecord(
        night_id="n", screen_date=date(2020, 3, 1), archive_url="a", results_url="r", started=datetime(2020, 3, 1, 23, tzinfo=UTC), steps=[]
    )


def test_a_program_and_a_web_hook_get_the_same_message(record: NightRecord, tmp_path: Path) -> None:
    file = tmp_path / "told.json"
    with web_hook() as (url, got):
        tell(AlertTo(command=(sys.executable, "-c", WRITE_STDIN, str(file)), url=url), "late", "about 40 images will be left", record)
    [message] = got
    assert json.loads(file.read_text()) == message
    assert (message["event"], message["message"], message["results_url"]) == ("late", "about 40 images will be left", "r")
    assert message["night"]["screen_date"] == "2020-03-01"
    assert record.told == ["late: about 40 images will be left"]


def test_a_good_night_is_told_of_only_where_that_is_asked_for(record: NightRecord) -> None:
    with web_hook() as (url, got):
        tell(AlertTo(url=url), "finished", "all is well", record)
        assert got == []
        tell(AlertTo(url=url, also_good_nights=True), "finished", "all is well", record)
        assert [message["event"] for message in got] == ["finished"]


@pytest.mark.parametrize(
    ("to", "said"),
    [
        (AlertTo(command=("/no/such/program",)), "could not be run: FileNotFoundError"),
        (AlertTo(command=(sys.executable, "-c", "raise SystemExit(3)")), "ended with 3"),
        (AlertTo(command=(sys.executable, "-c", "import time; time.sleep(60)")), "could not be run: TimeoutExpired"),
        (AlertTo(url="http://user:secret@127.0.0.1:9/hook"), "did not take the message"),
    ],
)
def test_what_cannot_be_sent_is_logged(
    to: AlertTo, said: str, record: NightRecord, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert, "SECONDS", 1.0)
    with caplog.at_level(logging.WARNING):
        tell(to, "failed", "the store is down", record)
    assert said in caplog.text
    assert "secret" not in caplog.text

"""Progress in words, on a terminal and in a log."""

import io
import re
import time

import pytest
from rich.console import Console

from jobs import display
from jobs.display import RunDisplay, Step, Steps, facts
from screening.run.progress import Progress
from tests.nights import summary

NOW = 10_000.0  # of the monotonic clock


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands still."""
    monkeypatch.setattr(display, "monotonic", lambda: NOW)


def progress(planned: int = 512, resumed: int = 0) -> Progress:
    return Progress("20200301T000000Z-abcdef", planned, resumed)


def step(done: int, total: int, seconds: float, done_before: int = 0) -> Step:
    return Step("decoding", done, total, done_before=done_before, began=NOW - seconds)


def without_clock(words: str) -> str:
    return re.sub(r"ends about [-\d ]*\d\d:\d\d", "ends about HH:MM", words)


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (step(0, 40, 3), "0 of 40, 0:03 so far"),
        (step(10, 40, 30), "10 of 40, 1:30 left, ends about HH:MM"),
        (step(320, 512, 32, done_before=256), "320 of 512, 1:36 left, ends about HH:MM"),
        (step(64, 20_064, 32), "64 of 20,064, 2:46:40 left, ends about HH:MM"),
        (step(40, 40, 3), "40 of 40"),
        (step(8192, 0, 5), "8,192, 0:05 so far"),
        (step(0, 0, 5), "0:05 so far"),
    ],
)
def test_how_far_a_step_is(shown: Step, words: str) -> None:
    assert without_clock(shown.going_on()) == words


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize(("shown", "words"), [(step(40, 40, 3), "40 of 40 in 0:03"), (step(0, 0, 65), "1:05")])
def test_how_long_a_step_took(shown: Step, words: str) -> None:
    assert shown.ended() == words


@pytest.mark.usefixtures("now")
def test_an_end_on_another_day_has_its_date() -> None:
    assert re.search(r"ends about \d{4}-\d\d-\d\d \d\d:\d\d$", step(1, 1_000_000, 60).going_on())


def test_a_run_says_outcomes_and_speed() -> None:
    shown = progress(resumed=256)
    assert facts(shown) == "rows, 0 scored, 0 rejected, 0 failed"
    shown.add(summary(64))
    shown.started -= 32.0
    assert facts(shown) == "rows, 64 scored, 0 rejected, 0 failed, 2.0 images/s"
    assert (shown.answered, shown.pneumonia_positive, shown.covid_positive) == (320, 3, 1)


def test_a_run_leaves_one_line_in_a_log() -> None:
    log = io.StringIO()
    shown = progress(planned=2)
    with RunDisplay(Console(file=log, width=200)) as runs:
        runs.show(shown)
        shown.add(summary(2))
        shown.started -= 10.0
        runs.show(shown)
        runs.show(shown)
    assert log.getvalue() == "run 20200301T000000Z-abcdef: 2 of 2 rows, 2 scored, 0 rejected, 0 failed, 0.2 images/s in 0:00\n"


def test_a_log_hears_of_a_step_that_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "FIRST_LINE_SECONDS", 0.01)
    monkeypatch.setattr(display, "LOG_EVERY_SECONDS", 0.01)
    log = io.StringIO()
    with Steps(Console(file=log, width=200)) as steps:
        steps.show("intervals", 0, 0)
        until = time.monotonic() + 10
        while "intervals: 0:01 so far" not in log.getvalue() and time.monotonic() < until:
            time.sleep(0.01)
    lines = log.getvalue().splitlines()
    assert "intervals: 0:01 so far" in lines
    assert len(set(lines)) == len(lines), "no line twice"


def test_quick_steps_leave_nothing_and_long_ones_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    with Steps(Console(file=log, width=200)) as steps:
        steps.show("decoding", 0, 2)
        steps.show("decoding", 2, 2)
        assert log.getvalue() == ""
        monkeypatch.setattr(display, "KEPT_SECONDS", 0.0)
        steps.show("judging", 1, 2)
        steps.say("epoch 1/2")
    assert log.getvalue().splitlines() == ["decoding: 2 of 2 in 0:00", "epoch 1/2"], "judging did not come to its end"


def test_a_terminal_has_one_line_that_moves() -> None:
    screen = io.StringIO()
    with Steps(Console(file=screen, width=120, force_terminal=True, color_system=None)) as steps:
        steps.show("decoding", 0, 40)
        steps.show("decoding", 10, 40)
        steps._step.began -= 30
        steps.show("decoding", 10, 40)
        steps._bar.refresh()
    drawn = screen.getvalue()
    assert "starting" in drawn
    assert re.search(r"decoding\b.*10 of 40, 1:\d\d left, ends about", drawn)


def test_a_failure_is_no_end() -> None:
    log = io.StringIO()

    def fail(steps: Steps) -> None:
        with steps:
            steps.show("decoding", 2, 2, "images")
            raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        fail(Steps(Console(file=log)))
    assert log.getvalue() == ""

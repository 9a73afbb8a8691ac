"""Progress in words."""

import io

from rich.console import Console

from jobs.display import RunDisplay, facts
from screening.run.progress import Progress
from tests.nights import summary


def progress(planned: int = 512, resumed: int = 0) -> Progress:
    return Progress("20200301T000000Z-abcdef", planned, resumed)


def test_speed_and_time_left() -> None:
    shown = progress(resumed=256)
    assert facts(shown) == "0 scored, 0 rejected, 0 failed"
    shown.add(summary(64))
    shown.started -= 32.0
    assert facts(shown) == "64 scored, 0 rejected, 0 failed, 2.0 images/s, 1:36 left"
    assert (shown.answered, shown.pneumonia_positive, shown.covid_positive) == (320, 3, 1)


def test_hours_are_written_as_such() -> None:
    shown = progress(planned=20_064)
    shown.add(summary(64))
    shown.started -= 32.0
    assert facts(shown).endswith("2:46:40 left")


def test_a_log_gets_lines_without_repetition() -> None:
    log = io.StringIO()
    shown = progress(planned=2)
    with RunDisplay(Console(file=log, width=200)) as display:
        display.show(shown)
        display.show(shown)
        shown.add(summary(2))
        shown.started -= 10.0
        display.show(shown)
        display.show(shown)
    lines = log.getvalue().strip().splitlines()
    assert lines == [
        "run 20200301T000000Z-abcdef: 0 of 2 rows, 0 scored, 0 rejected, 0 failed",
        "run 20200301T000000Z-abcdef: 2 of 2 rows, 2 scored, 0 rejected, 0 failed, 0.2 images/s",
    ]

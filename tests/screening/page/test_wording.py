"""Numbers in words. Nothing known is a dash, never a zero."""

from collections.abc import Callable
from datetime import date

import pytest

from screening.page.wording import HIDDEN, NOTHING, count, day, interval, plural, score, share, shown_count


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (count(0), "0"),
        (count(1234567), "1,234,567"),
        (shown_count(1200), "1,200"),
        (shown_count(None), HIDDEN),
        (share(0.0), "0.0%"),
        (share(0.24771), "24.8%"),
        (share(1.0), "100.0%"),
        (score(0.98765), "0.988"),
        (day(date(2020, 3, 1)), "2020-03-01"),
        (interval(0.176, 0.336), "17.6 to 33.6%"),
        (plural(1, "image"), "1 image"),
        (plural(0, "image"), "0 images"),
        (plural(1200, "study", "studies"), "1,200 studies"),
    ],
)
def test_what_is_known(said: str, words: str) -> None:
    assert said == words


@pytest.mark.parametrize("say", [count, share, score, day])
def test_what_is_not_known(say: Callable[[None], str]) -> None:
    assert say(None) == NOTHING


@pytest.mark.parametrize(("low", "high"), [(None, None), (0.1, None), (None, 0.9)])
def test_half_an_interval_is_none(low: float | None, high: float | None) -> None:
    assert interval(low, high) == NOTHING

"""The benchmark of a cold start measures the command itself; how long it took is for people to read."""

from pathlib import Path

import pytest

from screening.benchmark.cold_start import cold_start_benchmark
from screening.bundle.released import phantom_bundle
from screening.errors import ScreeningError


def test_the_command_takes_longer_than_a_bundle_that_is_open() -> None:
    told: list[tuple[str, int, int]] = []
    times = cold_start_benchmark(phantom_bundle(), 1, lambda *said: told.append(said))
    assert 0 < times.open_bundle < times.command
    assert times.over_the_model == times.command - times.open_bundle
    assert told[-1][1:] == (1, 1)


def test_a_command_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(ScreeningError, match=r"ended with 1: error: .*bundle\.json"):
        cold_start_benchmark(str(tmp_path), 1)

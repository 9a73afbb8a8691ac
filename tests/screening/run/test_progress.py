"""A run stops when failures point at the store, not at single images."""

import pytest

from screening.errors import ResultsError
from screening.run.progress import Progress
from tests.nights import summary


def counted(failed: int, scored: int) -> Progress:
    progress = Progress("run", failed + scored)
    progress.add(summary(failed, "read_failed"))
    progress.add(summary(scored))
    return progress


@pytest.mark.parametrize(("failed", "scored"), [(0, 100), (49, 0), (100, 100), (200, 800)])
def test_single_bad_images_stop_nothing(failed: int, scored: int) -> None:
    counted(failed, scored).stop_if_the_store_is_down(0.5)


def test_a_store_that_is_down_stops_the_run_and_is_named() -> None:
    with pytest.raises(ResultsError, match=r"101 of 200 objects could not be read \(read_failed 101\).*redrive"):
        counted(101, 99).stop_if_the_store_is_down(0.5)


def test_images_that_cannot_be_decoded_do_not_point_at_the_store() -> None:
    progress = Progress("run", 200)
    progress.add(summary(200, "decoder_died"))
    progress.stop_if_the_store_is_down(0.5)

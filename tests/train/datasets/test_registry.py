import pytest

from screening.errors import UsageError
from train.datasets.registry import SETS, public_set


def test_every_set_has_a_title_and_a_reader() -> None:
    assert len(SETS) == 11
    assert all(found.title and callable(found.read) for found in SETS.values())


def test_an_unknown_set_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no data set 'chexpert'; known are padchest, rsna, nih"):
        public_set("chexpert")

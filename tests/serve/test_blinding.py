"""Blind reading: from whom it withholds what, and that the order of a blind reader's list says nothing."""

import pytest

from schemas.scope import Scope
from serve.blinding import Viewer
from serve.callers import Caller
from tests.readings import reading_of
from tests.screening.instance_rows import pneumonia_row

ROWS = [pneumonia_row(number) for number in range(1, 41)]  # most urgent first


def viewer(name: str = "ann", blind: bool = True, read: tuple[int, ...] = ()) -> Viewer:
    """Return a reader who has read the rows at some places."""
    readings = {ROWS[place]["SOPInstanceUID"]: reading_of(ROWS[place], "covid", name) for place in read}
    return Viewer(Caller(name, frozenset({Scope.REVIEW})), blind, readings)


def test_what_is_withheld_until_it_is_read() -> None:
    ann = viewer(read=(3,))
    assert "until you have recorded your reading" in ann.withheld(ROWS[0])
    assert (ann.withheld(ROWS[3]), ann.finding(ROWS[3]), ann.finding(ROWS[0])) == (None, "covid", None)
    assert viewer(blind=False).withheld(ROWS[0]) is None


def test_who_is_not_blind_gets_the_most_urgent_first() -> None:
    assert viewer(blind=False, read=(3,)).ordered(ROWS) == ROWS


def test_a_blind_reader_gets_unread_ones_by_chance_and_then_read_ones_by_urgency() -> None:
    ordered = viewer(read=(7, 2)).ordered(ROWS)
    assert ordered[-2:] == [ROWS[2], ROWS[7]]
    assert sorted(row["object_id"] for row in ordered) == [row["object_id"] for row in ROWS]
    assert ordered[:-2] != [row for row in ROWS if row not in (ROWS[2], ROWS[7])]


def test_the_order_stays_whatever_the_scores_are_and_differs_between_readers() -> None:
    first = [row["object_id"] for row in viewer().ordered(ROWS)]
    assert [row["object_id"] for row in viewer().ordered(ROWS[::-1])] == first
    assert [row["object_id"] for row in viewer("bo").ordered(ROWS)] != first


@pytest.mark.parametrize("place", [0, 20, 39])
def test_a_reading_moves_no_other_entry(place: int) -> None:
    before = [row["object_id"] for row in viewer().ordered(ROWS)]
    after = [row["object_id"] for row in viewer(read=(place,)).ordered(ROWS)]
    assert after[:-1] == [name for name in before if name != ROWS[place]["object_id"]]

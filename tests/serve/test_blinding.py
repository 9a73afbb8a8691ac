"""Blind reading: from whom it withholds what, and that the order of a blind reader's list says nothing."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.heatmap import HeatmapKind
from schemas.reading import NewReading
from schemas.scope import Scope
from schemas.service import ServiceSettings
from serve.blinding import WITHHELD, Viewer, viewer
from serve.callers import Caller
from serve.problems import Refused
from serve.reading_book import ReadingBook, marks_of
from serve.routes.instances import heatmap
from serve.routes.readings import readings, record
from serve.routes.worklist import worklist
from serve.stored import Stored
from tests.readings import reading_of, shared_uid
from tests.screening.instance_rows import NIGHT, pneumonia_row, write_instances

ROWS = [pneumonia_row(number) for number in range(1, 41)]  # most urgent first


def reader(name: str = "ann", blind: bool = True, read: tuple[int, ...] = ()) -> Viewer:
    """Return a reader who has read the rows at some places."""
    readings = {mark: made for place in read for made in [reading_of(ROWS[place], "covid", name)] for mark in marks_of(vars(made))}
    return Viewer(Caller(name, frozenset({Scope.REVIEW})), blind, readings)


def nights_of_rows(results: Path, *rows: dict[str, Any]) -> SimpleNamespace:
    """Return what the routes use of a gateway that shows nights with these rows, without a server."""
    write_instances(str(results), list(rows))
    settings = ServiceSettings(bundle="of no use here", results=str(results), open=True)
    return SimpleNamespace(settings=settings, stored=Stored(settings), readings=ReadingBook(str(results)))


def test_what_is_withheld_until_it_is_read() -> None:
    ann = reader(read=(3,))
    assert "until you have recorded your reading" in ann.withheld(ROWS[0])
    assert (ann.withheld(ROWS[3]), ann.finding(ROWS[3]), ann.finding(ROWS[0])) == (None, "covid", None)
    assert reader(blind=False).withheld(ROWS[0]) is None


def test_who_is_not_blind_gets_the_most_urgent_first() -> None:
    assert reader(blind=False, read=(3,)).ordered(ROWS) == ROWS


def test_a_blind_reader_gets_unread_ones_by_chance_and_then_read_ones_by_urgency() -> None:
    ordered = reader(read=(7, 2)).ordered(ROWS)
    assert ordered[-2:] == [ROWS[2], ROWS[7]]
    assert sorted(row["object_id"] for row in ordered) == [row["object_id"] for row in ROWS]
    assert ordered[:-2] != [row for row in ROWS if row not in (ROWS[2], ROWS[7])]


def test_the_order_stays_whatever_the_scores_are_and_differs_between_readers() -> None:
    first = [row["object_id"] for row in reader().ordered(ROWS)]
    assert [row["object_id"] for row in reader().ordered(ROWS[::-1])] == first
    assert [row["object_id"] for row in reader("bo").ordered(ROWS)] != first


@pytest.mark.parametrize("place", [0, 20, 39])
def test_a_reading_moves_no_other_entry(place: int) -> None:
    before = [row["object_id"] for row in reader().ordered(ROWS)]
    after = [row["object_id"] for row in reader(read=(place,)).ordered(ROWS)]
    assert after[:-1] == [name for name in before if name != ROWS[place]["object_id"]]


def test_who_has_read_one_of_two_that_share_a_uid_is_blind_to_the_other(tmp_path: Path) -> None:
    """What the routes say: the answer, the heatmaps, the list and the readings of either radiograph, which its object_id names."""
    one, two = shared_uid()
    service = nights_of_rows(tmp_path, one, two)
    ann, request = Caller("ann", frozenset({Scope.REVIEW})), SimpleNamespace(state=SimpleNamespace())

    async def read() -> None:
        made = await record(request, NewReading(instance=one["object_id"], finding="covid"), service, ann)
        assert (made.object_id, made.patient_pseudonym, made.scores_hidden) == (one["object_id"], one["patient_pseudonym"], True)
        looking = await viewer(ann, service)
        rows = [await service.stored.row(row["object_id"]) for row in (one, two)]
        assert [looking.withheld(row) for row in rows] == [None, WITHHELD]
        with pytest.raises(Refused, match="heatmaps are withheld"):
            await heatmap(request, two["object_id"], HeatmapKind.COVID, service, ann)
        listed = await worklist(service, ann, night=NIGHT, site=None, limit=200)
        told = [(entry.object_id, entry.finding, entry.covid_positive, entry.covid_value) for entry in listed.entries]
        assert told == [(two["object_id"], None, None, None), (one["object_id"], "covid", True, pytest.approx(0.73))]
        for row, known in ((one, [made]), (two, [])):
            assert (await readings(request, service, ann, row["object_id"])).readings == known
        other = await record(request, NewReading(instance=two["object_id"], finding="normal"), service, ann)
        assert other.scores_hidden, "the scores of this one were never shown"
        assert (await viewer(ann, service)).finding(rows[0]) == "covid"

    asyncio.run(read())


def test_a_uid_of_two_radiographs_names_neither(tmp_path: Path) -> None:
    one, two = shared_uid()
    service = nights_of_rows(tmp_path, one, two)
    request = SimpleNamespace(state=SimpleNamespace())
    with pytest.raises(Refused, match="give its object_id") as refused:
        asyncio.run(record(request, NewReading(instance="9.9", finding="covid"), service, Caller("ann", frozenset({Scope.REVIEW}))))
    assert refused.value.status == 409
    assert service.readings.all() == []

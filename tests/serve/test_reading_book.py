"""The readings that a gateway knows: its own at once, others' when they appear."""

from pathlib import Path

import pytest

from schemas.reading import NewReading
from screening.results.readings import list_readings, read_readings
from serve import reading_book
from serve.reading_book import ReadingBook, radiograph_of
from tests.readings import reading_of, write_readings
from tests.screening.instance_rows import NIGHT, instance_row

NORMAL = NewReading(instance="1.2.3", finding="normal", comment="")


def test_what_is_recorded_is_known_at_once_and_lies_in_the_folder(tmp_path: Path) -> None:
    book = ReadingBook(str(tmp_path))
    assert book.all() == []
    made = book.record(NORMAL, instance_row(1), "ann", True)
    assert book.all() == [made]
    assert (made.finding, made.comment, made.StudyDate) == ("normal", None, NIGHT)
    assert read_readings(list_readings(str(tmp_path / "readings"))).to_pylist() == [made.model_dump()]


def test_the_latest_of_a_reader_counts(tmp_path: Path) -> None:
    book, one, two = ReadingBook(str(tmp_path)), instance_row(1), instance_row(2, SOPInstanceUID=None)
    book.record(NORMAL, one, "ann", True)
    book.record(NORMAL, one, "bo", True)
    latest = book.record(NORMAL.model_copy(update={"finding": "covid"}), one, "ann", False)
    other = book.record(NORMAL, two, "ann", True)
    assert book.latest("ann") == {one["SOPInstanceUID"]: latest, two["object_id"]: other}
    assert len(book.all(radiograph_of(one))) == 3
    assert book.latest("nobody") == {}


def test_readings_of_another_server_appear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_book, "LOOK_SECONDS", 0.0)
    book, row = ReadingBook(str(tmp_path)), instance_row(1)
    own = book.record(NORMAL, row, "ann", True)
    earlier = reading_of(row, "covid", "bo")
    write_readings(tmp_path, earlier)
    assert book.all(radiograph_of(row)) == [earlier, own], "in the order of time, each once"

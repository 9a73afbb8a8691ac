"""The readings that a gateway knows: its own at once, others' when they appear."""

from pathlib import Path

import pytest

from schemas.reading import NewReading
from schemas.reasons import Reason
from screening.results.readings import list_readings, read_readings
from serve import reading_book
from serve.reading_book import ReadingBook, latest_of
from tests.readings import reading_of, shared_uid, write_readings
from tests.screening.instance_rows import NIGHT, instance_row, person, refused_row

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
    assert [latest_of(book.latest("ann"), row) for row in (one, two)] == [latest, other]
    assert len(book.all(one)) == 3
    assert book.latest("nobody") == {}


def test_readings_of_another_server_appear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_book, "LOOK_SECONDS", 0.0)
    book, row = ReadingBook(str(tmp_path)), instance_row(1)
    own = book.record(NORMAL, row, "ann", True)
    earlier = reading_of(row, "covid", "bo")
    write_readings(tmp_path, earlier)
    assert book.all(row) == [earlier, own], "in the order of time, each once"


def test_a_reading_is_of_one_of_two_radiographs_that_share_a_uid(tmp_path: Path) -> None:
    book, (one, two) = ReadingBook(str(tmp_path)), shared_uid()
    made = book.record(NORMAL, one, "ann", True)
    assert (latest_of(book.latest("ann"), one), latest_of(book.latest("ann"), two)) == (made, None)
    assert (book.all(one), book.all(two)) == ([made], [])
    other = book.record(NORMAL, two, "ann", True)
    assert (latest_of(book.latest("ann"), one), latest_of(book.latest("ann"), two)) == (made, other)


def test_a_reading_is_of_every_copy_of_its_radiograph(tmp_path: Path) -> None:
    book, row = ReadingBook(str(tmp_path)), instance_row(1)
    made = book.record(NORMAL, row, "ann", True)
    in_another_form = instance_row(2, SOPInstanceUID=row["SOPInstanceUID"], patient_pseudonym=person(1))
    under_other_names = instance_row(3, pixel_hash=row["pixel_hash"])
    for copy in (in_another_form, under_other_names):
        assert latest_of(book.latest("ann"), copy) == made
    later = book.record(NORMAL, in_another_form, "ann", False)
    assert latest_of(book.latest("ann"), row) == later


def test_pixels_that_were_rejected_make_no_two_radiographs_one(tmp_path: Path) -> None:
    """Blank images of two persons have the same pixels."""
    book, blank = ReadingBook(str(tmp_path)), {"pixel_hash": "f" * 32}
    book.record(NORMAL, refused_row(1, Reason.BLANK, **blank), "ann", True)
    assert latest_of(book.latest("ann"), refused_row(2, Reason.BLANK, **blank)) is None


def test_an_older_reading_without_a_person_is_of_its_object_alone(tmp_path: Path) -> None:
    one, two = (row | {"patient_pseudonym": None} for row in shared_uid())
    write_readings(tmp_path, reading_of(one, "covid", pixel_hash=None))
    readings = ReadingBook(str(tmp_path)).latest("ann")
    assert latest_of(readings, one) is not None
    assert latest_of(readings, two) is None

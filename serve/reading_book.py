"""The readings of a results folder as a gateway knows them: its own at once, those that others write within seconds."""

import datetime as dt
import threading
import time
import uuid
from collections.abc import Mapping

from schemas.reading import NewReading, Reading
from schemas.reasons import Outcome
from screening.analytics.views import ViewRow
from screening.results.layout import ResultsLayout
from screening.results.readings import list_readings, put_reading, read_readings, reading_id_of

LOOK_SECONDS = 3.0  # at least, between two looks at the folder

Mark = tuple[str, ...]  # which column, and what it holds


def marks_of(row: ViewRow) -> list[Mark]:
    """Return the marks of a row's or a reading's radiograph: what shares one of them is of the same radiograph, as in `duplicates.sql`.

    A SOPInstanceUID is a mark of a known person's images alone, because some machines give one to the images of two persons.
    """
    marks = [("object_id", row["object_id"])]
    if row["pixel_hash"]:
        marks.append(("pixel_hash", row["pixel_hash"]))
    if row["SOPInstanceUID"] and row["patient_pseudonym"]:
        marks.append(("SOPInstanceUID", row["SOPInstanceUID"], row["patient_pseudonym"]))
    return marks


def latest_of(readings: Mapping[Mark, Reading], row: ViewRow) -> Reading | None:
    """Return the latest of some readings, by their marks, that is of a row's radiograph."""
    found = [readings[mark] for mark in marks_of(row) if mark in readings]
    return max(found, key=_order, default=None)


class ReadingBook:
    """Every reading below one results folder. Thread-safe; its methods wait for the store, so call them in a thread."""

    def __init__(self, results_url: str):
        self._layout = ResultsLayout(results_url)
        self._lock = threading.Lock()
        self._readings: dict[str, Reading] = {}  # by reading_id, which is the name of the file
        self._looked = -LOOK_SECONDS

    def latest(self, reader: str) -> dict[Mark, Reading]:
        """Return a reader's readings that count: each mark of a radiograph → the latest of those that bear it."""
        return {mark: reading for reading in self.all() if reading.reader == reader for mark in marks_of(vars(reading))}

    def all(self, row: ViewRow | None = None) -> list[Reading]:
        """Return every reading, or those of a row's radiograph, oldest first. Raises OSError, ReferenceTableError."""
        with self._lock:
            if time.monotonic() - self._looked > LOOK_SECONDS:
                new = [url for url in list_readings(self._layout.readings) if reading_id_of(url) not in self._readings]
                self._readings |= {row["reading_id"]: Reading(**row) for row in read_readings(new).to_pylist()}
                self._looked = time.monotonic()
            readings = sorted(self._readings.values(), key=_order)
        if row is None:
            return readings
        marks = set(marks_of(row))
        return [reading for reading in readings if not marks.isdisjoint(marks_of(vars(reading)))]

    def record(self, new: NewReading, row: ViewRow, reader: str, scores_hidden: bool) -> Reading:
        """Write a reading of an instance row down and return it. Raises OSError where the folder cannot be written to."""
        reading = Reading(
            reading_id=uuid.uuid4().hex,
            reader=reader,
            read_at=dt.datetime.now(dt.UTC),
            finding=new.finding,
            comment=new.comment or None,
            scores_hidden=scores_hidden,
            StudyDate=row["StudyDate"] or row["AcquisitionDate"],
            pixel_hash=row["pixel_hash"] if row["outcome"] == Outcome.SCORED else None,  # two blank images have the same pixels
            **{name: row[name] for name in ("bundle_digest", "object_id", "SOPInstanceUID", "patient_pseudonym")},
        )
        put_reading(self._layout, reading)
        with self._lock:
            self._readings[reading.reading_id] = reading
        return reading


def _order(reading: Reading) -> tuple[dt.datetime, str]:
    return reading.read_at, reading.reading_id

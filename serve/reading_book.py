"""The readings of a results folder as a gateway knows them: its own at once, those that others write within seconds."""

import datetime as dt
import threading
import time
import uuid

from schemas.reading import NewReading, Reading
from screening.analytics.views import ViewRow
from screening.results.layout import ResultsLayout
from screening.results.readings import list_readings, put_reading, read_readings, reading_id_of

LOOK_SECONDS = 3.0  # at least, between two looks at the folder


def radiograph_of(row: ViewRow) -> str:
    """Return what names a radiograph in readings, whichever of its rows somebody saw."""
    return row["SOPInstanceUID"] or row["object_id"]


class ReadingBook:
    """Every reading below one results folder. Thread-safe; its methods wait for the store, so call them in a thread."""

    def __init__(self, results_url: str):
        self._layout = ResultsLayout(results_url)
        self._lock = threading.Lock()
        self._readings: dict[str, Reading] = {}  # by reading_id, which is the name of the file
        self._looked = -LOOK_SECONDS

    def latest(self, reader: str) -> dict[str, Reading]:
        """Return the readings of a reader that count: radiograph → the latest."""
        return {radiograph_of(vars(reading)): reading for reading in self.all() if reading.reader == reader}

    def all(self, radiograph: str | None = None) -> list[Reading]:
        """Return every reading, or those of one radiograph, oldest first. Raises OSError, ReferenceTableError."""
        with self._lock:
            if time.monotonic() - self._looked > LOOK_SECONDS:
                new = [url for url in list_readings(self._layout.readings) if reading_id_of(url) not in self._readings]
                self._readings |= {row["reading_id"]: Reading(**row) for row in read_readings(new).to_pylist()}
                self._looked = time.monotonic()
            readings = sorted(self._readings.values(), key=lambda reading: (reading.read_at, reading.reading_id))
        return [reading for reading in readings if radiograph in (None, radiograph_of(vars(reading)))]

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
            **{name: row[name] for name in ("bundle_digest", "object_id", "SOPInstanceUID", "patient_pseudonym")},
        )
        put_reading(self._layout, reading)
        with self._lock:
            self._readings[reading.reading_id] = reading
        return reading

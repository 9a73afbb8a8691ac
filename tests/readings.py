"""Readings for tests: of instance rows, by readers, in the order in which they are made."""

import datetime as dt
import itertools
from typing import Any

from schemas.reading import Finding, Reading
from screening.results.layout import ResultsLayout
from screening.results.readings import put_reading

START = dt.datetime(2020, 3, 2, 8, 0, tzinfo=dt.UTC)
_numbers = itertools.count()


def reading_of(row: dict[str, Any], finding: str, reader: str = "ann", **columns: Any) -> Reading:
    """Return a reading of an instance row, a minute after the one that was made before."""
    number = next(_numbers)
    same = {name: row[name] for name in ("bundle_digest", "object_id", "SOPInstanceUID", "patient_pseudonym", "StudyDate")}
    made = {"reading_id": f"{number:032x}", "reader": reader, "read_at": START + dt.timedelta(minutes=number), "scores_hidden": True}
    return Reading(finding=Finding(finding), **(same | made | columns))


def write_readings(results: object, *readings: Reading) -> str:
    """Put readings into a results folder and return the URL of the folder of all of them."""
    layout = ResultsLayout(str(results))
    for reading in readings:
        put_reading(layout, reading)
    return layout.readings

"""Readings for tests: of instance rows, by readers, in the order in which they are made."""

import datetime as dt
import itertools
from typing import Any

from schemas.reading import Finding, Reading
from screening.results.layout import ResultsLayout
from screening.results.readings import put_reading
from tests.screening.instance_rows import pneumonia_row

START = dt.datetime(2020, 3, 2, 8, 0, tzinfo=dt.UTC)
_numbers = itertools.count()


def reading_of(row: dict[str, Any], finding: str, reader: str = "ann", **columns: Any) -> Reading:
    """Return a reading of an instance row, a minute after the one made before; with pixel_hash=None as version 1 had it."""
    number = next(_numbers)
    same = {name: row[name] for name in ("bundle_digest", "object_id", "SOPInstanceUID", "patient_pseudonym", "StudyDate", "pixel_hash")}
    made = {"reading_id": f"{number:032x}", "reader": reader, "read_at": START + dt.timedelta(minutes=number), "scores_hidden": True}
    return Reading(finding=Finding(finding), **(same | made | columns))


def write_readings(results: object, *readings: Reading) -> str:
    """Put readings into a results folder and return the URL of the folder of all of them."""
    layout = ResultsLayout(str(results))
    for reading in readings:
        put_reading(layout, reading)
    return layout.readings


def shared_uid() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return rows of two persons' radiographs that bear one SOPInstanceUID; the first is called covid, the other pneumonia."""
    return pneumonia_row(1, covid=True, SOPInstanceUID="9.9"), pneumonia_row(2, SOPInstanceUID="9.9")

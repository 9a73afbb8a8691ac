"""Readings of radiologists as the reference standard: a folder of them takes the place of a table of RT-PCR results."""

import pyarrow as pa

from screening.results.readings import list_readings, read_readings
from screening.storage import exists


def load_readings(url: str) -> pa.Table | None:
    """Return the readings below a folder (READING_SCHEMA), None where `url` is no folder with Parquet files.

    Raises ReferenceTableError where the folder holds other Parquet files than readings.
    """
    if exists(url):
        return None
    files = list_readings(url)
    return read_readings(files) if files else None

"""Readings: what a radiologist recorded of one radiograph, one row each. A corrected reading is a new row; a reader's latest one counts."""

import datetime as dt
from enum import StrEnum

import pyarrow as pa
from pydantic import BaseModel, Field

from schemas.bundle import FrozenModel
from schemas.columns import column, table_schema

MAX_COMMENT = 1000  # characters


class Finding(StrEnum):
    """What a reader sees. All but "unreadable" are the readings of the reference table."""

    NORMAL = "normal"
    PNEUMONIA = "pneumonia"  # pneumonia, and not that of COVID-19
    COVID = "covid"
    UNREADABLE = "unreadable"  # the image does not let one judge: this reading says nothing of the patient


READING_SCHEMA = table_schema(
    "reading",
    2,
    [
        column("reading_id", pa.string(), "32 random hex digits", nullable=False),
        column("reader", pa.string(), "name of the reader's token", nullable=False),
        column("read_at", pa.timestamp("us", "UTC"), "when the server recorded it", nullable=False),
        column("finding", pa.string(), "normal, pneumonia, covid or unreadable", nullable=False),
        column("comment", pa.string(), "what the reader wrote, at most 1000 characters; null where nothing"),
        column("scores_hidden", pa.bool_(), "the server had not shown this reader any score, call or heatmap of the radiograph before", nullable=False),
        column("bundle_digest", pa.string(), "digest of the bundle whose answer the reader saw, or was not shown", nullable=False),
        column("object_id", pa.string(), "key of the instance row", nullable=False),
        column("SOPInstanceUID", pa.string(), "as in the instance row"),
        column("patient_pseudonym", pa.string(), "as in the instance row"),
        column("StudyDate", pa.date32(), "as in the instance row; AcquisitionDate where that has none"),
        column("pixel_hash", pa.string(), "as in the instance row, where that is scored; null in readings of version 1"),
    ],
)  # fmt: skip

ADDED_COLUMNS = ("pixel_hash",)  # which readings of version 1 lack


class NewReading(FrozenModel):
    """A reading as its reader sends it."""

    instance: str = Field(min_length=1, max_length=128, description="SOPInstanceUID or object_id")
    finding: Finding
    comment: str | None = Field(None, max_length=MAX_COMMENT, description="no name or number of a patient: the text is kept as it is")


class Reading(BaseModel):
    """A reading as the server recorded it: the columns of READING_SCHEMA."""

    reading_id: str
    reader: str = Field(description="name of the reader's token")
    read_at: dt.datetime
    finding: Finding
    comment: str | None = None
    scores_hidden: bool = Field(description="the server had not shown this reader any score, call or heatmap of the radiograph before")
    bundle_digest: str
    object_id: str
    SOPInstanceUID: str | None = None
    patient_pseudonym: str | None = None
    StudyDate: dt.date | None = None
    pixel_hash: str | None = None


class Readings(BaseModel):
    """Readings, oldest first."""

    readings: list[Reading]

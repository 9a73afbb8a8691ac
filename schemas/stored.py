"""What a server says of the nights in its results folder: the stored answer to one radiograph, and the list of those to look at."""

import datetime as dt

from pydantic import BaseModel, Field

from schemas.answer import Answer
from schemas.reading import Finding
from schemas.reasons import Stage
from schemas.scope import Scope

# columns from which one could tell what the cascade said of a radiograph that got through ingest
JUDGEMENTS = (
    *("lung_area_fraction", "pneumonia_logit", "pneumonia_score", "pneumonia_probability", "pneumonia_positive", "audit_sample"),
    *("covid_logit", "covid_score", "covid_probability", "covid_positive", "stage_reached"),
)


class StoredAnswer(Answer):
    """The answer of a night. `heatmaps` and `image` are URLs on the server that gave it."""

    object_id: str = Field(description="key of the instance row")
    screen_date: dt.date = Field(description="the night of the run that made the row")
    stage_reached: Stage | None = Field(None, description="the last stage that finished: index, ingest, lungs, pneumonia or covid")
    finding: Finding | None = Field(None, description="the caller's own latest reading")
    withheld: str | None = Field(None, description="why scores, calls and heatmaps are null, where they are withheld from the caller")


class WorklistEntry(BaseModel):
    """One radiograph that the cascade called positive. What is withheld from the caller is null."""

    object_id: str
    SOPInstanceUID: str | None = None
    InstitutionName: str | None = None
    PatientSex: str | None = None
    age_years: float | None = None
    StudyDate: dt.date | None = None
    finding: Finding | None = Field(None, description="the caller's own latest reading; null where there is none")
    covid_positive: bool | None = None
    pneumonia_value: float | None = Field(None, description="stage 2: probability, or score where the bundle has no calibration, in [0, 1]")
    covid_value: float | None = Field(None, description="stage 3: likewise")


class Worklist(BaseModel):
    """The positives of one night, most urgent first: COVID-19 by stage 3's probability, then pneumonia by stage 2's.

    A blind reader gets what they have not read yet first, in an order that has nothing to do with any score.
    """

    night: dt.date | None = Field(description="null where nothing was screened yet")
    site: str | None = Field(description="the one that was asked for; null for all")
    total: int = Field(description="positives of this night and site, of which `entries` are the first")
    blind: bool = Field(description="scores are withheld until the caller has recorded a reading")
    entries: list[WorklistEntry]
    nights: list[dt.date] = Field(description="all there are, the last one first")
    sites: list[str] = Field(description="those with positives in this night")


class Me(BaseModel):
    """What the caller may do here."""

    name: str
    scopes: list[Scope]
    open: bool = Field(description="the server lets everybody in, without a token")
    blind: bool = Field(description="this caller sees scores of stored radiographs only after having recorded a reading")
    results: bool = Field(description="the server has a results folder: there is a worklist")

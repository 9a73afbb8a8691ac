"""The answer to one radiograph that was asked about: on demand, by the API and in the exports. Its fields are columns of instance rows."""

import datetime as dt
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, create_model

from schemas.bundle import BundleManifest
from schemas.columns import description_of, unit_of
from schemas.heatmap import URL_COLUMN, HeatmapKind
from schemas.instance import CASCADE_COLUMNS, IDENTITY_COLUMNS
from schemas.reasons import Outcome, Reason, Stage

_PYTHON_TYPES = {pa.string(): str, pa.float32(): float, pa.bool_(): bool, pa.int32(): int, pa.date32(): dt.date}


def _optional(column: pa.Field) -> tuple[Any, Any]:
    unit = f" [{unit_of(column)}]" if unit_of(column) else ""
    return _PYTHON_TYPES[column.type] | None, Field(None, description=description_of(column) + unit)


_FROM_ROWS = [column for column in (*IDENTITY_COLUMNS, *CASCADE_COLUMNS) if column.name not in URL_COLUMN.values()]
_Columns = create_model("_Columns", __config__=ConfigDict(frozen=True), **{column.name: _optional(column) for column in _FROM_ROWS})


EXAMPLE = {
    "file": "chest.dcm",
    "SOPInstanceUID": "2.25.269311183463984276386220906930010592487",
    "Modality": "CR",
    "ViewPosition": "PA",
    "age_years": 50.0,
    "Rows": 2048,
    "Columns": 2500,
    "bundle_name": "cxr-public-2",
    "bundle_digest": "0e22496ec06a0000000000000000000000000000000000000000000000000000",
    "outcome": "scored",
    "stage_reached": "covid",
    "lung_area_fraction": 0.231,
    "pneumonia_logit": 0.414,
    "pneumonia_score": 0.602,
    "pneumonia_probability": 0.647,
    "pneumonia_threshold": 0.404,
    "pneumonia_positive": True,
    "audit_sample": False,
    "covid_logit": 0.784,
    "covid_score": 0.686,
    "covid_probability": 0.666,
    "covid_threshold": 0.388,
    "covid_positive": True,
}
REFUSED_EXAMPLE = {
    "file": "side.dcm",
    "bundle_name": "cxr-public-2",
    "bundle_digest": "0e22496ec06a0000000000000000000000000000000000000000000000000000",
    "outcome": "rejected",
    "reason": "lateral_view",
    "detail": "ViewPosition (0018,5101) is LL: send the frontal view of the study",
    "stage_reached": "index",
    "pneumonia_threshold": 0.404,
    "covid_threshold": 0.388,
}


class Answer(_Columns):
    """What one bundle says of one radiograph. A value is null where the stage that gives it was not reached.

    `outcome` "scored" has scores; "rejected" and "failed" have a `reason` and, in words with the remedy, a `detail`.
    """

    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [EXAMPLE, REFUSED_EXAMPLE]})

    file: str | None = Field(None, description="the name under which the file was handed over; null where it had none")
    bundle_name: str = Field(description="name of the bundle that answered")
    bundle_digest: str = Field(description="digest of the bundle that answered, 64 hex digits")
    outcome: Outcome = Field(description="scored, rejected or failed")
    reason: Reason | None = Field(None, description="why it was rejected or failed: a code of schemas.reasons.Reason")
    detail: str | None = Field(None, description="the reason in words, with the attribute and the remedy; never a patient identifier")
    stage_reached: Stage = Field(description="the last stage that finished: index, ingest, lungs, pneumonia or covid")
    pneumonia_threshold: float = Field(description="the stage-2 operating point: positive at or above it")
    covid_threshold: float = Field(description="the stage-3 operating point: positive at or above it")
    image: str | None = Field(
        None, description="URL of the image as the cascade saw it, a 512 x 512 8-bit PNG, or the PNG itself as a data URL"
    )
    heatmaps: dict[HeatmapKind, str] = Field(
        default_factory=dict, description="kind → URL of a 512 x 512 8-bit PNG, or the PNG itself as a data URL, as far as it was asked for"
    )

    @classmethod
    def of(cls, columns: dict[str, Any], bundle: BundleManifest, file: str | None = None) -> "Answer":
        """Return the answer that a row's columns give; columns that an answer has not are left out.

        `columns` are an instance row, or the part of one that ingest and the cascade fill; `bundle` is the one that made them.
        """
        known = {name: value for name, value in columns.items() if name in cls.model_fields}
        site = columns.get("InstitutionName")
        thresholds = {f"{stage}_threshold": bundle.point_of(stage, site).threshold for stage in bundle.operating_points}
        return cls(**{**known, **thresholds, "file": file, "bundle_name": bundle.name, "bundle_digest": bundle.digest()})


class Answers(BaseModel):
    """The answers to several radiographs, in the order in which they were handed over."""

    answers: list[Answer]

"""Results without a run: instance rows with defaults, written where `screening run` writes them."""

import io
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.heatmap import HeatmapKind, member_name
from schemas.instance import ADDED_COLUMNS, INSTANCE_SCHEMA
from schemas.reasons import Outcome, Stage
from schemas.reference import REFERENCE_SCHEMA
from screening.results.layout import ResultsLayout
from screening.storage import put_atomic

DIGEST = "a" * 64
NIGHT = date(2020, 3, 1)


def person(number: int) -> str:
    """Return the pseudonym that `instance_row` gives person `number`."""
    return f"{number:032x}"


def instance_row(number: int, **columns: Any) -> dict[str, Any]:
    """Return a scored, pneumonia-negative row of person `number`; `columns` overrides any column of INSTANCE_SCHEMA."""
    object_id = f"{number:032x}"
    row = dict.fromkeys(INSTANCE_SCHEMA.names) | {
        "bundle_digest": DIGEST,
        "screen_date": NIGHT,
        "shard_id": "0" * 16,
        "object_id": object_id,
        "object_url": f"file:///archive/{number:06}.dcm",
        "object_bytes": 1000,
        "object_etag": "e",
        "outcome": Outcome.SCORED,
        "stage_reached": Stage.PNEUMONIA,
        "patient_pseudonym": person(number),
        "StudyInstanceUID": f"1.2.{number}",
        "SOPInstanceUID": f"1.2.{number}.1",
        "StudyDate": NIGHT,
        "pixel_hash": f"{number:032x}",
        "pneumonia_logit": -2.0,
        "pneumonia_score": 0.12,
        "pneumonia_positive": False,
        "audit_sample": False,
        "covid_positive": False,
        "lung_mask_url": f"zip://{member_name(object_id, HeatmapKind.LUNGS)}::file:///results/heatmaps/0.zip",
    }
    unknown = columns.keys() - row.keys()
    assert not unknown, f"no such column: {unknown}"
    return row | columns


def pneumonia_row(number: int, *, covid: bool = False, **columns: Any) -> dict[str, Any]:
    """Return a row that is positive in stage 2, and in stage 3 where `covid` says so."""
    positive = {
        "stage_reached": Stage.COVID,
        "pneumonia_logit": 2.0,
        "pneumonia_score": 0.88,
        "pneumonia_positive": True,
        "covid_logit": 1.0 if covid else -1.0,
        "covid_score": 0.73 if covid else 0.27,
        "covid_positive": covid,
    }
    return instance_row(number, **(positive | columns))


def refused_row(number: int, reason: Any, **columns: Any) -> dict[str, Any]:
    """Return a rejected or failed row, as the reason says, without anything that only the cascade knows."""
    nothing = dict.fromkeys(("pneumonia_logit", "pneumonia_score", "pneumonia_positive", "audit_sample", "covid_positive", "lung_mask_url"))
    end = {"outcome": reason.outcome, "reason": reason, "stage_reached": Stage.INDEX, "pixel_hash": None}
    return instance_row(number, **(nothing | end | columns))


def write_instances(results_url: str, rows: list[dict[str, Any]]) -> None:
    """Write rows as parts, one for each bundle, night and shard."""
    parts: dict[tuple[str, date, str], list[dict[str, Any]]] = {}
    for row in rows:
        parts.setdefault((row["bundle_digest"], row["screen_date"], row["shard_id"]), []).append(row)
    layout = ResultsLayout(results_url)
    for (digest, night, shard_id), members in parts.items():
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(members, INSTANCE_SCHEMA), buffer)
        put_atomic(layout.part(digest, night, shard_id), buffer.getvalue())


def as_earlier_version(part: str) -> None:
    """Write a part of a local folder as version 1 of the instance schema had it."""
    path = part.removeprefix("file://")
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.drop_columns(list(ADDED_COLUMNS)), path)


def reference_of(*tests: tuple[int, str, int | None], reading: str | None = None) -> pa.Table:
    """Return a reference table from (person, result, days from NIGHT to the specimen); results come a day later."""
    rows = [
        {
            "patient_pseudonym": person(number),
            "result": result,
            "specimen_date": None if days is None else NIGHT + timedelta(days),
            "result_date": None if days is None else NIGHT + timedelta(days + 1),
            "reading": reading,
        }
        for number, result, days in tests
    ]
    return pa.Table.from_pylist(rows, REFERENCE_SCHEMA)

"""A small screening with every kind of person, and real files behind one of its radiographs."""

import io
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from PIL import Image

from schemas.heatmap import URL_COLUMN, HeatmapKind, member_name
from schemas.reasons import Reason
from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.views import connect
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest
from tests.screening.instance_rows import NIGHT, instance_row, pneumonia_row, refused_row, write_instances

HOSTILE = '<script>alert("1")</script>'
SITES = ("North", "South")
CHARTS = (  # of a report with every section
    *("flow", "participants", "interval", "roc", "thresholds-covid", "thresholds-pneumonia", "decision", "subgroups"),
    *("calibration-stage_3", "calibration-pneumonia", "sites", "lead-time", "lead-survival", "onset-curve", "timeline", "failures"),
)


def rows_of_people(people: int = 60) -> list[dict[str, Any]]:
    """Return one radiograph a person: of every six, two found, one missed by each stage, two negative; then refused ones."""
    rows = []
    for number in range(1, people + 1):
        share = number / (people + 1)
        common = {"PatientSex": "MF"[number % 2], "age_years": 20.0 + number, "ViewPosition": "PA", "InstitutionName": SITES[number % 2]}
        if number % 6 in (0, 1):
            scores = {"pneumonia_score": 0.9, "covid_score": 0.5 + share / 2, "covid_logit": share}
            row = pneumonia_row(number, covid=True, **scores, **common)
        elif number % 6 == 2:
            row = pneumonia_row(number, covid_score=0.4 * share, covid_logit=-2 + share, **common)
        else:
            row = instance_row(number, pneumonia_score=0.3 * share, pneumonia_logit=-3 + share, **common)
        rows.append(row)
    return [*rows, refused_row(900, Reason.LATERAL_VIEW), refused_row(901, Reason.READ_FAILED)]


def reference_of_people(people: int = 60) -> pa.Table:
    """Return the RT-PCR tests: of every six persons four are confirmed, one of those late; every tenth person was never tested."""
    tests = []
    for number in range(1, people + 1):
        if number % 10 == 0:
            continue
        result = "positive" if number % 6 in (0, 1, 2, 3) and number % 12 != 6 else "negative"
        day = NIGHT + timedelta(number % 7 - 1)
        test = {"patient_pseudonym": f"{number:032x}", "result": result, "specimen_date": day, "result_date": day + timedelta(1)}
        tests.append(test | {"symptom_onset_date": NIGHT - timedelta(number % 5), "reading": "pneumonia" if number % 6 < 3 else "normal"})
    return pa.Table.from_pylist(tests, REFERENCE_SCHEMA)


def open_people(folder: Path, people: int = 60, **columns: Any) -> duckdb.DuckDBPyConnection:
    """Return a connection over these people; `columns` override columns of the first row."""
    rows = rows_of_people(people)
    rows[0] |= columns
    write_instances(str(folder), rows)
    return connect(str(folder), reference_of_people(people))


def write_pictures(folder: Path, row: dict[str, Any]) -> None:
    """Put a PNG radiograph and the maps of `row` into `folder`, and their places into the row."""
    chest = np.tile(np.linspace(20, 235, 600, dtype=np.uint8), (600, 1))
    row["object_url"] = f"file://{folder}/chest.png"
    (folder / "chest.png").write_bytes(_png(chest))
    pixels = ingest((folder / "chest.png").read_bytes(), IngestConfig(), None)
    row["pixel_hash"] = pixels.columns["pixel_hash"]
    heat = np.zeros((512, 512), np.uint8)
    heat[128:256, 128:256] = 255
    kinds = (HeatmapKind.PNEUMONIA, HeatmapKind.COVID, HeatmapKind.GUIDED)
    with zipfile.ZipFile(folder / "maps.zip", "w") as archive:
        for kind in kinds:
            archive.writestr(member_name(row["object_id"], kind), _png(heat))
    for kind in kinds:
        row[URL_COLUMN[kind]] = f"zip://{member_name(row['object_id'], kind)}::file://{folder}/maps.zip"


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()

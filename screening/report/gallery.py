"""The four panels of the paper's example cases: radiograph, two maps and guided activation, read from archive and heatmap files."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from schemas.heatmap import URL_COLUMN, HeatmapKind
from screening.archive.reader import ObjectReader
from screening.errors import ImageRefused, UsageError
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest
from screening.privacy import SEALED, UrlSeal
from screening.report.facts import ViewRow, ViewRows
from screening.results.heatmaps import coloured, overlaid, read_heatmap

PANEL_SIZE = 256  # pixels a side of a panel
COLOURS = 96  # of a panel's palette: a quarter of the bytes, and the eye sees no difference


@dataclass(frozen=True)
class Panel:
    """One picture of a case: a PNG as data URI, or the reason why there is none."""

    title: str
    png: str | None
    note: str = ""


@dataclass(frozen=True)
class Case:
    """One case with its four panels."""

    row: ViewRow
    panels: list[Panel]


def open_cases(rows: ViewRows, results_url: str | None, pseudonym_key: bytes | None = None) -> list[Case]:
    """Return the cases of rows of the view `report_gallery` with their pictures; what cannot be opened says so in its panel.

    Radiographs whose URLs are sealed need the `pseudonym_key` of the run.
    """
    limit = IngestConfig().limits.max_bytes
    with ObjectReader(limit) as reader:
        return [Case(row, _panels(row, reader, results_url, pseudonym_key)) for row in rows]


def _panels(row: ViewRow, reader: ObjectReader, results_url: str | None, pseudonym_key: bytes | None) -> list[Panel]:
    radiograph, note = _radiograph(row, reader, pseudonym_key)
    panels = [Panel("Radiograph", _data_uri(radiograph), note)]
    for kind, title in ((HeatmapKind.PNEUMONIA, "Pneumonia map"), (HeatmapKind.COVID, "COVID-19 map")):
        heat, note = _heatmap(row, kind, results_url)
        panels.append(Panel(title, _data_uri(_overlay(radiograph, heat)), note))
    guided, note = _heatmap(row, HeatmapKind.GUIDED, results_url)
    return [*panels, Panel("Guided activation", _data_uri(guided), note)]


def _radiograph(row: ViewRow, reader: ObjectReader, pseudonym_key: bytes | None) -> tuple[np.ndarray | None, str]:
    """Return (PANEL_SIZE, PANEL_SIZE) uint8 as the cascade saw it, or None and why there is nothing to show."""
    url = row["object_url"]
    if url.startswith(SEALED) and pseudonym_key is None:
        return None, "The names of files are encrypted: --pseudonym-key opens them."
    try:
        ingested = ingest(reader.read(UrlSeal(pseudonym_key).open(url) if pseudonym_key else url), IngestConfig(), None)
    except UsageError:
        return None, "The names of files are encrypted with another pseudonym key."
    except ImageRefused as refusal:
        return None, f"The radiograph cannot be read any more ({refusal.reason.replace('_', ' ')})."
    if ingested.pixels is None:
        return None, "The radiograph cannot be decoded any more."
    if row["pixel_hash"] not in (None, ingested.columns["pixel_hash"]):
        return None, "The archive has another image at this place than the one that was judged."
    return _small(Image.fromarray(ingested.pixels)), ""


def _heatmap(row: ViewRow, kind: HeatmapKind, results_url: str | None) -> tuple[np.ndarray | None, str]:
    """Return (PANEL_SIZE, PANEL_SIZE) uint8, or None and why there is nothing to show."""
    if row[URL_COLUMN[kind]] is None:
        return None, "Stage 3 was not reached." if row["covid_score"] is None and kind is not HeatmapKind.PNEUMONIA else "No map was kept."
    png = read_heatmap(row, kind, results_url)
    if png is None:
        return None, "The map is not where the results say."
    try:
        with Image.open(io.BytesIO(png)) as image:
            return _small(image.convert("L")), ""
    except (OSError, ValueError):
        return None, "The map is damaged."


def _small(image: Image.Image) -> np.ndarray:
    return np.asarray(
        image.resize((PANEL_SIZE, PANEL_SIZE), Image.Resampling.BOX if image.width % PANEL_SIZE == 0 else Image.Resampling.BILINEAR)
    )


def _overlay(radiograph: np.ndarray | None, heat: np.ndarray | None) -> np.ndarray | None:
    """Return the map in colour over the radiograph, (PANEL_SIZE, PANEL_SIZE, 3) uint8; alone where there is no radiograph."""
    if heat is None:
        return None
    return coloured(heat).astype(np.uint8) if radiograph is None else overlaid(radiograph, heat)


def _data_uri(pixels: np.ndarray | None) -> str | None:
    if pixels is None:
        return None
    image = Image.fromarray(pixels)
    buffer = io.BytesIO()
    (image.quantize(COLOURS) if image.mode == "RGB" else image).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()

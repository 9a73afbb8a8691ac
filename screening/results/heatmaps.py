"""The heatmaps of results: where one lies, also after the folder was moved, and how one looks over its radiograph."""

from typing import Any
from zipfile import BadZipFile

import fsspec
import numpy as np

from schemas.heatmap import URL_COLUMN, HeatmapKind
from screening.results.layout import ResultsLayout

_OPACITY = 0.65  # of the hottest place of a map

# cividis (Nuñez, Anderton and Renslow 2018) at 0, 1/8, ... 1: even to the eye, and the same to the colour-blind
_CIVIDIS = np.array([(0, 34, 78), (27, 54, 108), (70, 77, 107), (100, 101, 111), (125, 124, 120), (154, 148, 119), (187, 174, 107),
                     (220, 201, 83), (254, 232, 56)], np.float32)  # fmt: skip


def heatmap_urls(row: dict[str, Any], kind: HeatmapKind, results_url: str | None = None) -> list[str]:
    """Return where the heatmap of an instance row may lie, none where none was kept.

    The first is the row's own pointer. The second is the same file below the results folder, which may have been moved since.
    """
    pointer = row[URL_COLUMN[kind]]
    if pointer is None:
        return []
    if results_url is None:
        return [pointer]
    member = pointer.split("::")[0]
    return [pointer, f"{member}::{ResultsLayout(results_url).heatmaps(row['bundle_digest'], row['screen_date'], row['shard_id'])}"]


def read_heatmap(row: dict[str, Any], kind: HeatmapKind, results_url: str | None = None) -> bytes | None:
    """Return the PNG file of one heatmap of an instance row; None where none was kept, or it is at neither of its places any more."""
    for url in heatmap_urls(row, kind, results_url):
        try:
            with fsspec.open(url) as file:
                return file.read()
        except (OSError, KeyError, ValueError, BadZipFile):
            continue
    return None


def coloured(heat: np.ndarray) -> np.ndarray:
    """Return (h, w, 3) float32 colours in [0, 255] of a heatmap, (h, w) of values from 0 to 255."""
    at = np.linspace(0, 255, len(_CIVIDIS))
    return np.stack([np.interp(heat, at, _CIVIDIS[:, channel]) for channel in range(3)], axis=-1).astype(np.float32)


def overlaid(radiograph: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Return (h, w, 3) uint8: a heatmap in colour over its radiograph, both (h, w) uint8; the hotter a place, the less shows through."""
    opacity = _OPACITY * np.sqrt(heat[..., None].astype(np.float32) / 255)
    return np.rint(opacity * coloured(heat) + (1 - opacity) * radiograph[..., None]).astype(np.uint8)

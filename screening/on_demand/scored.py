"""What one radiograph gave: its answer, the image as the cascade saw it, and its heatmaps. Imports no torch."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.answer import Answer
from schemas.bundle import BundleManifest
from schemas.heatmap import HeatmapKind
from schemas.reasons import Stage
from screening.ingest.ingest import Ingested
from screening.shard.decode import refused
from screening.shard.heatmaps import drawn, maps_of
from screening.shard.score import scores

if TYPE_CHECKING:
    from screening.cascade.cascade import CascadeResult


@dataclass(frozen=True)
class Scored:
    """One radiograph's answer and pictures.

    `pixels` is (512, 512) uint8, what the cascade saw; None where ingest refused the file. `heatmaps` are (512, 512) uint8 each, as the
    PNG files of a night hold them: lungs 0 or 255; pneumonia and covid 0 to 255 for [0, 1]; guided 128 for zero. A map that was not
    computed is not there.
    """

    answer: Answer
    pixels: np.ndarray | None = field(default=None, repr=False)
    heatmaps: dict[HeatmapKind, np.ndarray] = field(default_factory=dict, repr=False)


def refused_answer(ingested: Ingested, bundle: BundleManifest, file: str | None = None) -> Scored:
    """Return what a file gives that ingest refused: its columns, as far as they could be read, and the reason."""
    return Scored(Answer.of(ingested.columns | refused(ingested.refusal, Stage.INDEX), bundle, file))


def scored_answer(
    ingested: Ingested, result: "CascadeResult", i: int, bundle: BundleManifest, file: str | None = None, heatmaps: bool = True
) -> Scored:
    """Return what a file gives whose pixels the cascade has judged, as image `i` of `result`."""
    columns: dict[str, Any] = ingested.columns | {"stage_reached": Stage.INGEST} | scores(result, i)
    pictures = {kind: drawn(kind, values) for kind, values in maps_of(result, i).items()} if heatmaps else {}
    return Scored(Answer.of(columns, bundle, file), ingested.pixels, pictures)

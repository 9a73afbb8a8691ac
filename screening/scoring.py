"""From decoded rows to scored rows: what a cascade actor does with one shard. Imports no torch: the cascade is handed in."""

import hashlib
import time
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from schemas.columns import column
from schemas.heatmap import HeatmapKind
from schemas.instance import CASCADE_COLUMNS
from schemas.reasons import Outcome, Reason, Stage
from screening.decode_task import DECODED_SCHEMA, refused
from screening.errors import ImageRefused
from screening.preprocess import SIZE
from screening.run_config import RunConfig

if TYPE_CHECKING:
    from screening.cascade import Cascade, CascadeResult

MAP_COLUMNS = {kind: f"{kind}_map" for kind in HeatmapKind}
SCORE_COLUMNS = [field for field in CASCADE_COLUMNS if not field.name.endswith("_url")]

SCORED_SCHEMA = pa.schema(
    [
        *(field for field in DECODED_SCHEMA if field.name != "pixels"),
        *SCORE_COLUMNS,
        column("lungs_map", pa.binary(), "the lung mask, packed bits of a square"),
        column("pneumonia_map", pa.binary(), "float32 values of a square class activation map"),
        column("covid_map", pa.binary(), "float32 values of a square Grad-CAM"),
        column("guided_map", pa.binary(), "512 x 512 uint8 Guided Grad-CAM"),
        column("cascade_ms", pa.float32(), "share of the time of its call in the networks", "milliseconds", nullable=False),
    ]
)


def in_audit_sample(object_id: str, fraction: float, seed: int) -> bool:
    """Return whether stage 3 judges this row even when stage 2 calls it negative: the same answer in every run with the same seed."""
    drawn = int.from_bytes(hashlib.sha256(f"{seed}:{object_id}".encode()).digest()[:8], "big") / 2**64
    return drawn < fraction


def score_rows(decoded: pa.Table, cascade: "Cascade", config: RunConfig) -> pa.Table:
    """Return SCORED_SCHEMA: every row of `decoded` (DECODED_SCHEMA), with the cascade's answer where there were pixels to judge.

    The cascade gets `images_a_call` rows at a time, so that what it makes of them does not grow with the shard.
    """
    starts = range(0, len(decoded), cascade.images_a_call)
    parts = [_score_part(decoded.slice(start, cascade.images_a_call), cascade, config) for start in starts]
    return pa.concat_tables([SCORED_SCHEMA.empty_table(), *parts])


def _score_part(decoded: pa.Table, cascade: "Cascade", config: RunConfig) -> pa.Table:
    rows = decoded.drop_columns(["pixels"]).to_pylist()
    ready = [i for i, row in enumerate(rows) if row["outcome"] is None]
    started = time.perf_counter()
    if ready:
        audit = np.array([in_audit_sample(rows[i]["object_id"], config.audit_fraction, config.audit_seed) for i in ready])
        result = cascade(pixels_of(decoded), audit=audit, guided=config.guided and config.heatmaps != "none")
        for position, i in enumerate(ready):
            rows[i] |= scores(result, position) | _maps(result, position, config.heatmaps)
    milliseconds = 1000 * (time.perf_counter() - started) / len(rows)
    for row in rows:
        row["cascade_ms"] = milliseconds
    return pa.Table.from_pylist(rows, schema=SCORED_SCHEMA)


def pixels_of(decoded: pa.Table) -> np.ndarray:
    """Return the pixels of the rows that have them, (K, 1, 512, 512) uint8, without a copy where the table is one chunk."""
    chunks = decoded.column("pixels")
    pixels = chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()  # which copies even a single one
    images = len(pixels) - pixels.null_count  # a null takes no bytes between the others
    values = np.frombuffer(pixels.buffers()[2], np.uint8, count=images * SIZE * SIZE, offset=_first_offset(pixels))
    return values.reshape(images, 1, SIZE, SIZE)


def _first_offset(pixels: pa.LargeBinaryArray) -> int:
    return int(np.frombuffer(pixels.buffers()[1], np.int64)[pixels.offset])


def scores(result: "CascadeResult", i: int) -> dict[str, object]:
    """Return the instance columns that image `i` of a cascade's answer fills: never zero where nothing was computed."""
    answer: dict[str, object] = {"lung_area_fraction": float(result.lung_area_fraction[i])}
    if not result.lungs_found[i]:
        percent = 100 * answer["lung_area_fraction"]
        detail = (
            f"stage 1 marks {percent:.1f} % of the image as lung, outside the plausible range; check that it is a frontal chest radiograph"
        )
        return answer | refused(ImageRefused(Reason.LUNGS_NOT_FOUND, detail), Stage.LUNGS)
    answer |= {
        "outcome": Outcome.SCORED,
        "stage_reached": Stage.PNEUMONIA,
        "pneumonia_positive": bool(result.pneumonia_positive[i]),
        "audit_sample": bool(result.audit_sample[i]),
        "covid_positive": bool(result.covid_positive[i]) and bool(result.pneumonia_positive[i]),
        **{f"pneumonia_{kind}": _number(getattr(result, f"pneumonia_{kind}")[i]) for kind in ("logit", "score", "probability")},
    }
    if result.reached_covid[i]:
        answer["stage_reached"] = Stage.COVID
        answer |= {f"covid_{kind}": _number(getattr(result, f"covid_{kind}")[i]) for kind in ("logit", "score", "probability")}
    return answer


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _maps(result: "CascadeResult", i: int, wanted: str) -> dict[str, bytes]:
    """Return the heatmaps to keep of image `i`."""
    if not result.lungs_found[i] or wanted == "none" or (wanted == "positive" and not result.reached_covid[i]):
        return {}
    maps = {
        "lungs_map": np.packbits(result.lung_mask[i]).tobytes(),
        "pneumonia_map": result.pneumonia_heatmap[i].astype(np.float32).tobytes(),
    }
    if result.reached_covid[i]:
        maps["covid_map"] = result.covid_heatmap[i].astype(np.float32).tobytes()
    if i in result.guided:
        maps["guided_map"] = result.guided[i].tobytes()
    return maps


def unpack_map(kind: HeatmapKind, stored: bytes) -> np.ndarray:
    """Return the values that `score_rows` stored for one heatmap, as `rendering.heatmap_png` takes them."""
    if kind is HeatmapKind.LUNGS:
        return _square(np.unpackbits(np.frombuffer(stored, np.uint8))).astype(bool)
    if kind is HeatmapKind.GUIDED:
        return _square(np.frombuffer(stored, np.uint8))
    return _square(np.frombuffer(stored, np.float32))


def _square(values: np.ndarray) -> np.ndarray:
    side = round(len(values) ** 0.5)
    return values.reshape(side, side)

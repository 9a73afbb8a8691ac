"""From decoded rows to scored rows: what a cascade actor does with one shard. Imports no torch: the cascade is handed in."""

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from schemas.bundle import BundleManifest
from schemas.reasons import Outcome, Reason, Stage
from screening.errors import ImageRefused
from screening.shard.config import RowConfig
from screening.shard.decode import refused
from screening.shard.heatmaps import packed_maps
from screening.shard.pixels import pixels_of
from screening.shard.tables import SCORED_SCHEMA

if TYPE_CHECKING:
    from screening.cascade.cascade import Cascade, CascadeResult


def in_audit_sample(object_id: str, fraction: float, seed: int) -> bool:
    """Return whether stage 3 judges this row even when stage 2 calls it negative: the same answer in every run with the same seed."""
    drawn = int.from_bytes(hashlib.sha256(f"{seed}:{object_id}".encode()).digest()[:8], "big") / 2**64
    return drawn < fraction


def score_rows(decoded: pa.Table, cascade: "Cascade", config: RowConfig, came_on: Callable[[], object] = lambda: None) -> pa.Table:
    """Return SCORED_SCHEMA: every row of `decoded` (DECODED_SCHEMA), with the cascade's answer where there were pixels to judge.

    The cascade gets `images_a_call` rows at a time, so that what it makes of them does not grow with the shard. `came_on` is called after
    each time.
    """
    parts = [SCORED_SCHEMA.empty_table()]
    for start in range(0, len(decoded), cascade.images_a_call):
        parts.append(_score_part(decoded.slice(start, cascade.images_a_call), cascade, config))
        came_on()
    return pa.concat_tables(parts)


def _score_part(decoded: pa.Table, cascade: "Cascade", config: RowConfig) -> pa.Table:
    rows = decoded.drop_columns(["pixels"]).to_pylist()
    ready = [i for i, row in enumerate(rows) if row["outcome"] is None]
    started = time.perf_counter()
    if ready:
        audit = np.array([in_audit_sample(rows[i]["object_id"], config.audit_fraction, config.audit_seed) for i in ready])
        sites = [rows[i]["InstitutionName"] for i in ready]
        result = cascade(pixels_of(decoded), audit=audit, guided=config.guided and config.heatmaps != "none", sites=sites)
        networks = {"network_dtype": str(cascade.dtype).removeprefix("torch."), "network_batch": cascade.batch_size}
        for position, i in enumerate(ready):
            rows[i] |= scores(result, position) | packed_maps(result, position, config.heatmaps)
            rows[i] |= points_of(rows[i], cascade.manifest) | networks
    milliseconds = 1000 * (time.perf_counter() - started) / len(rows)
    for row in rows:
        row["cascade_ms"] = milliseconds
    return pa.Table.from_pylist(rows, schema=SCORED_SCHEMA)


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


def points_of(row: Mapping[str, object], bundle: BundleManifest) -> dict[str, object]:
    """Return the columns that say which operating points judged a row: none for a stage that it did not reach."""
    site = row["InstitutionName"]
    reached = {"pneumonia": row["stage_reached"] in (Stage.PNEUMONIA, Stage.COVID), "covid": row["stage_reached"] == Stage.COVID}
    if not reached["pneumonia"]:
        return {}
    thresholds = {f"{stage}_threshold": bundle.point_of(stage, site).threshold for stage, here in reached.items() if here}
    return {"operating_point": "site" if site in bundle.sites else "bundle", **thresholds}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)

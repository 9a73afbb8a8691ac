"""Scored rows as the cascade's actor hands them to the writer, made without a cascade."""

import numpy as np
import pyarrow as pa

from screening.shard.tables import SCORED_SCHEMA


def scored_rows(*outcomes: str) -> pa.Table:
    """Return one shard (SCORED_SCHEMA) with a row for each outcome; scored ones have heatmaps of every kind."""
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    rows = []
    for i, outcome in enumerate(outcomes):
        row = {
            "shard_id": "0123456789abcdef",
            "object_id": f"{i:032x}",
            "object_url": f"file:///archive/{i}.dcm",
            "object_bytes": 10 + i,
            "object_etag": "e",
            "outcome": outcome,
            "reason": {"scored": None, "rejected": "blank", "failed": "read_failed"}[outcome],
            "stage_reached": "covid" if outcome == "scored" else "index",
            "decode_ms": 1.0,
            "cascade_ms": 1.0,
        }
        if outcome == "scored":
            row |= {"pneumonia_positive": True, "covid_positive": True, "covid_logit": 1.5}
            row |= {"lungs_map": np.packbits(ramp > 0.5).tobytes(), "pneumonia_map": ramp.tobytes(), "covid_map": ramp.T.tobytes()}
            row["guided_map"] = np.full((512, 512), 128, np.uint8).tobytes()
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=SCORED_SCHEMA)

"""The tables that travel between the tasks of a run: decoded rows, and scored rows."""

import pyarrow as pa

from schemas.columns import column
from schemas.index import OBJECT_COLUMNS
from schemas.instance import CASCADE_COLUMNS, IDENTITY_COLUMNS, NETWORK_COLUMNS, POINT_COLUMNS

OUTCOME_COLUMNS = [
    column("outcome", pa.string(), "scored, rejected or failed; null while the row is on its way"),
    column("reason", pa.string(), "why it was rejected or failed"),
    column("detail", pa.string(), "the reason in words"),
    column("stage_reached", pa.string(), "the last stage that finished", nullable=False),
]


DECODED_SCHEMA = pa.schema(
    [
        column("shard_id", pa.string(), "the shard that the row belongs to", nullable=False),
        *OBJECT_COLUMNS,
        *OUTCOME_COLUMNS,
        *IDENTITY_COLUMNS,
        column("pixels", pa.large_binary(), "512 x 512 uint8 in row-major order; null where the row was refused"),
        column("decode_ms", pa.float32(), "reading and decoding", "milliseconds", nullable=False),
    ]
)


SCORE_COLUMNS = [*(field for field in CASCADE_COLUMNS if not field.name.endswith("_url")), *POINT_COLUMNS, *NETWORK_COLUMNS]


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

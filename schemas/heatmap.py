"""Heatmap: one row per heatmap image, as the view `heatmaps` lists them."""

from enum import StrEnum

import pyarrow as pa

from schemas.columns import column, table_schema

HEATMAP_SIZE = 512  # pixels a side of every heatmap image


class HeatmapKind(StrEnum):
    """The images kept for a row, and the middle part of a member's name: `<object_id>.<kind>.png`."""

    LUNGS = "lungs"  # stage-1 mask: 255 inside the lungs
    PNEUMONIA = "pneumonia"  # stage-2 class activation map
    COVID = "covid"  # stage-3 Grad-CAM
    GUIDED = "guided"  # stage-3 Guided Grad-CAM


URL_COLUMN = {
    HeatmapKind.LUNGS: "lung_mask_url",
    HeatmapKind.PNEUMONIA: "pneumonia_heatmap_url",
    HeatmapKind.COVID: "covid_heatmap_url",
    HeatmapKind.GUIDED: "covid_guided_url",
}


def member_name(object_id: str, kind: HeatmapKind) -> str:
    """Return the name of a heatmap inside its shard's zip file."""
    return f"{object_id}.{kind}.png"


HEATMAP_SCHEMA = table_schema(
    "heatmap",
    1,
    [
        column("bundle_digest", pa.string(), "digest of the bundle that made the heatmap", nullable=False),
        column("object_id", pa.string(), "key of the instance row", nullable=False),
        column("kind", pa.string(), "lungs, pneumonia, covid or guided", nullable=False),
        column("heatmap_url", pa.string(), "fsspec URL of a 512 x 512 8-bit PNG: zip://<member>::<zip file>", nullable=False),
    ],
)

"""Heatmaps as files: small float maps become 512 x 512 8-bit PNG images. Needs no torch, so any writer task can do it."""

import io

import numpy as np
from PIL import Image

from schemas.heatmap import HEATMAP_SIZE, HeatmapKind


def heatmap_png(kind: HeatmapKind, values: np.ndarray) -> bytes:
    """Return the PNG of one heatmap.

    Args:
        kind: what the values are.
        values: lungs (h, w) bool; pneumonia and covid (h, w) float32 in [0, 1]; guided (512, 512) uint8, 128 for zero.
    """
    if kind is HeatmapKind.GUIDED:
        return _png(values)
    if kind is HeatmapKind.LUNGS:
        mask = Image.fromarray(values.astype(np.uint8) * 255).resize((HEATMAP_SIZE, HEATMAP_SIZE), Image.Resampling.NEAREST)
        return _png(np.asarray(mask))
    smooth = Image.fromarray(values.astype(np.float32)).resize((HEATMAP_SIZE, HEATMAP_SIZE), Image.Resampling.BILINEAR)
    return _png(np.round(np.clip(np.asarray(smooth), 0, 1) * 255).astype(np.uint8))


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()

"""The heatmaps of a shard: packed into columns by the cascade's actor, unpacked and drawn as PNG files by the writer. Needs no torch."""

from typing import TYPE_CHECKING

import numpy as np

from schemas.heatmap import HeatmapKind

if TYPE_CHECKING:
    from screening.cascade.cascade import CascadeResult

import io

from PIL import Image

from schemas.heatmap import HEATMAP_SIZE


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


MAP_COLUMNS = {kind: f"{kind}_map" for kind in HeatmapKind}


def packed_maps(result: "CascadeResult", i: int, wanted: str) -> dict[str, bytes]:
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
    """Return the values that `score_rows` stored for one heatmap, as `heatmap_png` takes them."""
    if kind is HeatmapKind.LUNGS:
        return _square(np.unpackbits(np.frombuffer(stored, np.uint8))).astype(bool)
    if kind is HeatmapKind.GUIDED:
        return _square(np.frombuffer(stored, np.uint8))
    return _square(np.frombuffer(stored, np.float32))


def _square(values: np.ndarray) -> np.ndarray:
    side = round(len(values) ** 0.5)
    return values.reshape(side, side)

"""The heatmaps of a shard: packed into columns by the cascade's actor, unpacked and drawn as PNG files by the writer. Needs no torch."""

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from schemas.heatmap import HEATMAP_SIZE, HeatmapKind

if TYPE_CHECKING:
    from screening.cascade.cascade import CascadeResult

MAP_COLUMNS = {kind: f"{kind}_map" for kind in HeatmapKind}


def drawn(kind: HeatmapKind, values: np.ndarray) -> np.ndarray:
    """Return one heatmap as a picture, (512, 512) uint8.

    Args:
        kind: what the values are.
        values: lungs (h, w) bool; pneumonia and covid (h, w) float32 in [0, 1]; guided (512, 512) uint8, 128 for zero.
    """
    if kind is HeatmapKind.GUIDED:
        return values
    if kind is HeatmapKind.LUNGS:
        mask = Image.fromarray(values.astype(np.uint8) * 255).resize((HEATMAP_SIZE, HEATMAP_SIZE), Image.Resampling.NEAREST)
        return np.asarray(mask)
    smooth = Image.fromarray(values.astype(np.float32)).resize((HEATMAP_SIZE, HEATMAP_SIZE), Image.Resampling.BILINEAR)
    return np.round(np.clip(np.asarray(smooth), 0, 1) * 255).astype(np.uint8)


def heatmap_png(kind: HeatmapKind, values: np.ndarray) -> bytes:
    """Return the PNG of one heatmap, whose values are as `drawn` takes them."""
    return png_of(drawn(kind, values))


def png_of(pixels: np.ndarray) -> bytes:
    """Return (h, w) uint8 as an 8-bit grey PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def maps_of(result: "CascadeResult", i: int) -> dict[HeatmapKind, np.ndarray]:
    """Return the values of every heatmap that image `i` has, as `drawn` takes them: none where no lungs were found."""
    if not result.lungs_found[i]:
        return {}
    maps = {HeatmapKind.LUNGS: result.lung_mask[i], HeatmapKind.PNEUMONIA: result.pneumonia_heatmap[i]}
    if result.reached_covid[i]:
        maps[HeatmapKind.COVID] = result.covid_heatmap[i]
    if i in result.guided:
        maps[HeatmapKind.GUIDED] = result.guided[i]
    return maps


def packed_maps(result: "CascadeResult", i: int, wanted: str) -> dict[str, bytes]:
    """Return the heatmaps to keep of image `i`."""
    if wanted == "none" or (wanted == "positive" and not result.reached_covid[i]):
        return {}
    return {MAP_COLUMNS[kind]: _packed(kind, values) for kind, values in maps_of(result, i).items()}


def _packed(kind: HeatmapKind, values: np.ndarray) -> bytes:
    if kind is HeatmapKind.LUNGS:
        return np.packbits(values).tobytes()
    return values.tobytes() if kind is HeatmapKind.GUIDED else values.astype(np.float32).tobytes()


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

"""Heatmaps: which are kept, how they are packed, and the PNG images that they become."""

import io

import numpy as np
import pytest
from PIL import Image

from schemas.heatmap import HEATMAP_SIZE, HeatmapKind
from screening.cascade.result import CascadeResult
from screening.shard.heatmaps import MAP_COLUMNS, heatmap_png, packed_maps, unpack_map

RAMP = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)


def result() -> CascadeResult:
    """Return the answer for four images: no lungs, negative, drawn for the audit, and positive with a guided map."""
    reached, images = np.array([False, False, True, True]), 4
    maps = np.stack([RAMP * (i + 1) / images for i in range(images)])
    kinds = ("logit", "score", "probability")
    numbers = {f"{stage}_{kind}": np.zeros(images, np.float32) for stage in ("pneumonia", "covid") for kind in kinds}
    return CascadeResult(
        lungs_found=np.array([False, True, True, True]),
        lung_area_fraction=np.full(images, 0.3, np.float32),
        lung_mask=maps > 0.2,
        pneumonia_positive=np.array([False, False, False, True]),
        pneumonia_heatmap=maps,
        reached_covid=reached,
        audit_sample=np.array([False, False, True, False]),
        covid_positive=np.array([False, False, False, True]),
        covid_heatmap=maps.transpose(0, 2, 1),
        guided={3: np.full((HEATMAP_SIZE, HEATMAP_SIZE), 77, np.uint8)},
        **numbers,
    )


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ("none", ["", "", "", ""]),
        ("positive", ["", "", "lungs pneumonia covid", "lungs pneumonia covid guided"]),
        ("all", ["", "lungs pneumonia", "lungs pneumonia covid", "lungs pneumonia covid guided"]),
    ],
)
def test_heatmaps_are_kept_as_asked(wanted: str, kept: list[str]) -> None:
    for i, kinds in enumerate(kept):
        assert list(packed_maps(result(), i, wanted)) == [f"{kind}_map" for kind in kinds.split()]


def test_what_is_packed_comes_back() -> None:
    answer = result()
    maps = packed_maps(answer, 3, "all")
    assert maps.keys() == set(MAP_COLUMNS.values())
    for kind, expected in (
        (HeatmapKind.LUNGS, answer.lung_mask[3]),
        (HeatmapKind.PNEUMONIA, answer.pneumonia_heatmap[3]),
        (HeatmapKind.COVID, answer.covid_heatmap[3]),
        (HeatmapKind.GUIDED, answer.guided[3]),
    ):
        unpacked = unpack_map(kind, maps[MAP_COLUMNS[kind]])
        assert unpacked.dtype == expected.dtype
        assert np.array_equal(unpacked, expected)


def opened(kind: HeatmapKind, values: np.ndarray) -> np.ndarray:
    with Image.open(io.BytesIO(heatmap_png(kind, values))) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "L", (HEATMAP_SIZE, HEATMAP_SIZE))
        return np.asarray(image)


def test_a_map_of_four_places_is_interpolated() -> None:
    shown = opened(HeatmapKind.PNEUMONIA, np.array([[0.0, 0.0], [1.0, 1.0]], np.float32))
    assert (shown[:128] == 0).all()
    assert (shown[-128:] == 255).all()
    assert shown[256, 0] == pytest.approx(128, abs=1)
    assert (np.diff(shown[:, 0].astype(int)) >= 0).all()


def test_values_are_rounded_and_held_within_a_byte() -> None:
    for value, grey in ((-0.5, 0), (0.0, 0), (0.499, 127), (0.5, 128), (1.0, 255), (1.5, 255)):
        assert np.unique(opened(HeatmapKind.COVID, np.full((16, 16), value, np.float32))).tolist() == [grey]


def test_a_mask_stays_black_and_white() -> None:
    mask = np.zeros((64, 64), bool)
    mask[10:20, 30:40] = True
    shown = opened(HeatmapKind.LUNGS, mask)
    assert np.array_equal(shown, np.kron(mask, np.ones((8, 8))) * 255)


def test_guided_pixels_stay_as_they_are() -> None:
    guided = np.random.default_rng(0).integers(0, 256, (HEATMAP_SIZE, HEATMAP_SIZE), np.uint8)
    assert np.array_equal(opened(HeatmapKind.GUIDED, guided), guided)

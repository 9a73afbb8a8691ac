"""The Secondary Capture: valid, and with heatmap and words in its pixels."""

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest

from schemas.heatmap import HeatmapKind
from screening.errors import OutputRefused
from screening.on_demand.scored import Scored
from serve.outputs.secondary_capture import burnt_in, secondary_capture
from serve.outputs.source import read_source
from tests.serve.outputs.answers import BUNDLE, WHEN, dicom_file, faults, heatmaps, scored

LANDSCAPE = (200, 300)


def test_dciodvfy_finds_no_fault_and_the_object_says_that_words_are_burnt_in(tmp_path: Path) -> None:
    for shape in ((300, 200), LANDSCAPE):
        file = secondary_capture(read_source(dicom_file(shape)), scored(dicom_file(shape), shape=shape), BUNDLE, WHEN)
        assert faults(file, tmp_path) == []
        built = pydicom.dcmread(io.BytesIO(file))
        assert (built.BurnedInAnnotation, built.Modality, built.PhotometricInterpretation) == ("YES", "OT", "RGB")
        assert "research use, not a diagnosis" in built.SeriesDescription
        assert built.pixel_array.shape == (built.Rows, built.Columns, 3)


def test_the_picture_shows_the_image_without_its_black_borders() -> None:
    picture = burnt_in(scored(dicom_file(LANDSCAPE)), BUNDLE, HeatmapKind.COVID, LANDSCAPE)
    height = 2 * round(512 * 200 / 300)
    assert picture.shape[1] == 1024
    assert picture[:height].min(axis=(1, 2)).max() > 0
    saturation = np.ptp(picture[:height].astype(int), axis=2)
    assert saturation.mean() > 10, "the heatmap is in colour"


def test_the_label_changes_with_the_words_and_fills_lines_of_its_own() -> None:
    shape = (300, 200)
    positive = burnt_in(scored(), BUNDLE, HeatmapKind.COVID, shape)
    negative = burnt_in(scored(covid_positive=False), BUNDLE, HeatmapKind.COVID, shape)
    assert positive.shape == negative.shape
    different = np.flatnonzero((positive != negative).any(axis=(1, 2)))
    assert different.min() > 1024, "only the label differs"
    assert different.max() - different.min() < 30, "in one line"
    white = (positive[1024:] == 255).all(axis=2)
    assert 5 <= np.count_nonzero(np.diff(white.any(axis=1).astype(int)) == 1) <= 9
    assert not white[:, -10:].any(), "no line runs out of the picture"


def test_it_shows_the_heatmap_that_was_asked_for() -> None:
    source = read_source(dicom_file())
    both = {kind: secondary_capture(source, scored(), BUNDLE, WHEN, kind) for kind in (HeatmapKind.COVID, HeatmapKind.PNEUMONIA)}
    assert secondary_capture(source, scored(), BUNDLE, WHEN) == both[HeatmapKind.COVID]
    uids = {pydicom.dcmread(io.BytesIO(file)).SOPInstanceUID for file in both.values()}
    assert len(uids) == 2
    del (answered := scored()).heatmaps[HeatmapKind.COVID]
    assert secondary_capture(source, answered, BUNDLE, WHEN) == both[HeatmapKind.PNEUMONIA]


def test_without_heatmap_or_pixels_there_is_nothing_to_show() -> None:
    source, answer = read_source(dicom_file()), scored().answer
    for answered in (Scored(answer, scored().pixels, {}), Scored(answer, None, heatmaps())):
        with pytest.raises(OutputRefused, match="--heatmaps all"):
            secondary_capture(source, answered, BUNDLE, WHEN)

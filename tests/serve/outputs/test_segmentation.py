"""The DICOM SEG: valid, in the geometry of the source, and of the same pixels as the mask."""

import io
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest

from schemas.heatmap import HeatmapKind
from screening.errors import OutputRefused
from screening.ingest.preprocess import fit_mask
from screening.on_demand.scored import Scored
from serve.outputs.segmentation import segmentation
from serve.outputs.source import read_source
from tests.serve.outputs.answers import BUNDLE, WHEN, dicom_file, faults, scored


def mask_in(file: bytes) -> np.ndarray:
    """Return (rows, columns) bool of the only segment."""
    built = hd.seg.segread(io.BytesIO(file))
    assert list(built.segment_numbers) == [1]
    return built.get_pixels_by_source_instance([built.SourceImageSequence[0].ReferencedSOPInstanceUID])[0, ..., 0].astype(bool)


@pytest.mark.parametrize("shape", [(300, 420), (420, 300), (900, 700), (256, 256)], ids=str)
def test_the_mask_lies_on_the_pixels_that_it_was_made_from(shape: tuple[int, int], tmp_path: Path) -> None:
    rows, columns = shape
    drawn = np.zeros(shape, bool)  # in the source: one lung that reaches the top, another that reaches the right border
    drawn[: rows // 3, columns // 8 : columns // 4] = drawn[rows // 2 : rows // 2 + 90, -columns // 5 :] = True
    answered = scored(dicom_file(shape), shape=shape)
    answered.heatmaps[HeatmapKind.LUNGS] = fit_mask(drawn).astype(np.uint8) * 255
    file = segmentation(read_source(dicom_file(shape)), answered, BUNDLE, WHEN)
    assert faults(file, tmp_path) == []
    found = mask_in(file)
    assert found.shape == shape
    border = 2 * max(shape) / 512 + 1  # a pixel of the mask, on either side
    wrong = np.argwhere(found != drawn)
    edges = np.argwhere(drawn != np.roll(drawn, 1, 0)), np.argwhere(drawn != np.roll(drawn, 1, 1))
    assert all(any(np.abs(edge - at).max(1).min() <= border for edge in edges if len(edge)) for at in wrong)
    assert len(wrong) < 0.06 * drawn.sum()


def test_what_it_is_of() -> None:
    source = read_source(dicom_file())
    built = hd.seg.segread(io.BytesIO(segmentation(source, scored(), BUNDLE, WHEN)))
    description = built.get_segment_description(1)
    assert description.segmented_property_type.value == "39607008"
    assert description.algorithm_type is hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC
    assert (built.SegmentationType, built.Rows, built.Columns) == ("BINARY", 300, 200)
    assert built.SourceImageSequence[0].ReferencedSOPInstanceUID == source.uids["SOPInstanceUID"]


def test_what_it_cannot_be_made_of() -> None:
    source = read_source(dicom_file())
    without = Scored(scored().answer, None, {})
    empty = Scored(scored().answer, None, {HeatmapKind.LUNGS: np.zeros((512, 512), np.uint8)})
    for answered, message in ((without, "--heatmaps all"), (empty, "empty"), (scored(Rows=301), "the file that was judged")):
        with pytest.raises(OutputRefused, match=message):
            segmentation(source, answered, BUNDLE, WHEN)

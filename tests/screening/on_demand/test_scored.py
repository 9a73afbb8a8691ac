"""What one radiograph gave, of a refused file and of image i of a call."""

import numpy as np

from schemas.heatmap import HeatmapKind
from schemas.reasons import Reason, Stage
from screening.bundle.checks import load_manifest
from screening.bundle.released import phantom_bundle
from screening.cascade.result import CascadeResult
from screening.errors import ImageRefused
from screening.ingest.ingest import Ingested
from screening.on_demand.scored import refused_answer, scored_answer

BUNDLE = load_manifest(phantom_bundle())
NAN = np.float32("nan")


def result() -> CascadeResult:
    """Three images: without lungs, negative, and positive in both stages."""
    pneumonia, covid = np.array([NAN, 0.25, 0.75], np.float32), np.array([NAN, NAN, 0.5], np.float32)
    positive = np.array([False, False, True])
    return CascadeResult(
        lungs_found=np.array([False, True, True]),
        lung_area_fraction=np.array([0.01, 0.25, 0.5], np.float32),
        lung_mask=np.ones((3, 8, 8), bool),
        **{f"pneumonia_{kind}": pneumonia for kind in ("logit", "score", "probability")},
        pneumonia_positive=positive,
        pneumonia_heatmap=np.ones((3, 4, 4), np.float32),
        reached_covid=positive,
        audit_sample=np.zeros(3, bool),
        **{f"covid_{kind}": covid for kind in ("logit", "score", "probability")},
        covid_positive=positive,
        covid_heatmap=np.full((3, 4, 4), 0.5, np.float32),
    )


def test_of_a_refused_file() -> None:
    scored = refused_answer(Ingested({"Rows": 8}, refusal=ImageRefused(Reason.TOO_SMALL, "8 rows")), BUNDLE, "a")
    assert (scored.answer.file, scored.answer.Rows, scored.answer.reason, scored.answer.detail) == ("a", 8, Reason.TOO_SMALL, "8 rows")
    assert (scored.answer.stage_reached, scored.pixels, scored.heatmaps) == (Stage.INDEX, None, {})


def test_of_each_image_of_a_call() -> None:
    ingested = Ingested({"Rows": 512}, np.zeros((512, 512), np.uint8))
    without_lungs, negative, positive = (scored_answer(ingested, result(), i, BUNDLE) for i in range(3))
    assert (without_lungs.answer.reason, without_lungs.answer.stage_reached) == (Reason.LUNGS_NOT_FOUND, Stage.LUNGS)
    assert (without_lungs.heatmaps, without_lungs.pixels.shape) == ({}, (512, 512))
    assert (negative.answer.pneumonia_score, negative.answer.covid_score, negative.answer.stage_reached) == (0.25, None, Stage.PNEUMONIA)
    assert negative.heatmaps.keys() == {HeatmapKind.LUNGS, HeatmapKind.PNEUMONIA}
    assert (positive.answer.covid_positive, positive.answer.stage_reached) == (True, Stage.COVID)
    assert set(np.unique(positive.heatmaps[HeatmapKind.COVID])) == {128}
    assert np.unique(positive.heatmaps[HeatmapKind.LUNGS]).tolist() == [255]
    assert scored_answer(ingested, result(), 2, BUNDLE, heatmaps=False).heatmaps == {}

"""The shortcut audit: what a bundle may have learnt instead of disease. Part of every evaluation."""

from typing import Any

import numpy as np

from schemas.progress import OnProgress, unwatched
from train.data.images import ImageCache
from train.evaluation.comparison import areas_compared
from train.evaluation.figures import question_of
from train.evaluation.intervals import Resampling, area, mean
from train.evaluation.probe import source_probes
from train.evaluation.randomisation import randomised
from train.evaluation.scores import Scores, Traces

STAGES = ("pneumonia", "covid")


def audit(
    bundle_url: str,
    images: ImageCache,
    split: str,
    lungs_only: Scores,
    lungs_erased: Scores,
    traces: Traces,
    how: Resampling,
    *,
    with_randomisation: bool = True,
    use_gpu: bool = False,
    on_progress: OnProgress = unwatched,
) -> dict[str, Any]:
    """Return the audit of one split, plain JSON values; `randomisation` is null where it is not asked for.

    `lungs_only` and `lungs_erased` are answers for the same images in the same order, `traces` those of the first.
    """
    on_progress("audit with the lungs erased", 0, 0)
    found: dict[str, Any] = {"lungs_erased": {stage: erased_figures(lungs_only, lungs_erased, stage, how) for stage in STAGES}}
    on_progress("audit of the source", 0, 0)
    found["source_probe"] = source_probes(lungs_only, traces.features, how)
    found["energy"] = {stage: _energy(lungs_only, traces, stage, how) for stage in STAGES}
    found["randomisation"] = None
    if with_randomisation:
        options = {"use_gpu": use_gpu, "on_progress": on_progress}
        found["randomisation"] = randomised(bundle_url, images, split, lungs_only, how, **options)
    return found


def erased_figures(lungs_only: Scores, lungs_erased: Scores, stage: str, how: Resampling) -> dict[str, Any]:
    """Return the AUROC of a stage with everything but the lungs erased, with the lungs erased, and the paired difference."""
    shown = {}
    for name, scores in (("lungs_only", lungs_only), ("lungs_erased", lungs_erased)):
        labels, values, _, patients = question_of(scores, stage)
        shown[name] = area(labels, values, patients, how).to_json()
    return shown | {"difference": areas_compared(lungs_only, lungs_erased, stage, how)}


def _energy(scores: Scores, traces: Traces, stage: str, how: Resampling) -> dict[str, Any]:
    """Return the share of a stage's heatmap inside the lung mask, the mask's share of the image, and the first less the second."""
    inside = getattr(traces, f"{stage}_energy")
    known = ~np.isnan(inside)
    patients = scores.patient_id[known]
    return {
        "share": mean(inside[known], patients, how).to_json(),
        "area": mean(traces.lung_area[known], patients, how).to_json(),
        "difference": mean((inside - traces.lung_area)[known], patients, how).to_json(),
    }

"""What an evaluation gives, of made-up scores."""

import dataclasses
import functools
from typing import Any

import numpy as np

from tests.train.evaluation.made_scores import bundle, scores
from train.evaluation.audit import erased_figures
from train.evaluation.comparison import compared
from train.evaluation.figures import split_figures
from train.evaluation.intervals import Resampling
from train.evaluation.probe import source_probes
from train.evaluation.randomisation import LEVELS, METHODS

HOW = Resampling(replicates=40)


@functools.cache
def made_metrics() -> dict[str, Any]:
    """Return the metrics of one split; a collection's name tries to be markup. They are shared, so change a copy."""
    found = scores(bundle=bundle())
    found = dataclasses.replace(found, source=np.where(found.source == "here", "<b>here|", found.source))
    other = scores(seed=1, bundle=bundle(name="the other"))
    estimate = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 12, "patients": 6}
    similar = {level: {"rank_correlation": estimate, "ssim": estimate} for level in LEVELS}
    figures = split_figures(found, HOW) | {"refused": {"blank": 2}, "comparisons": [compared(found, other, "the other", HOW)]}
    figures["audit"] = {
        "lungs_erased": {stage: erased_figures(found, other, stage, HOW) for stage in ("pneumonia", "covid")},
        "source_probe": source_probes(found, np.random.default_rng(0).normal(size=(90, 4)), HOW),
        "energy": {stage: {"share": estimate, "area": estimate, "difference": estimate} for stage in ("pneumonia", "covid")},
        "randomisation": {"images": 12, "methods": dict.fromkeys(METHODS, similar), "guided_energy": estimate, "area": estimate},
    }
    return {
        "bundle": {"name": "made", "digest": found.bundle.digest()},
        "manifest": {"file": "labels.csv", "sha256": "0" * 64},
        "unit": "image",
        "bootstrap": {"replicates": 40, "seed": 0},
        "splits": {"test": figures},
    }

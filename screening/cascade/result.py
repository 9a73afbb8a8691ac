"""What the cascade says of a batch of images. Numpy only."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from schemas.bundle import BundleManifest, Calibration


@dataclass
class Judgement:
    """One stage's answer for each image of a batch; not computed is NaN, and never positive."""

    logit: np.ndarray  # (B,) float32
    score: np.ndarray  # (B,) float32 in [0, 1]: sigmoid of the logit
    probability: np.ndarray  # (B,) float32 in [0, 1]: after calibration; NaN where the bundle has none
    positive: np.ndarray  # (B,) bool: probability, or score where there is none, at or above the operating point


@dataclass
class CascadeResult:
    """The cascade's answer, one entry an image in the order of the input. Not computed is NaN; what is not reached is never positive."""

    lungs_found: np.ndarray  # (B,) bool: lung_area_fraction is within the bundle's limits
    lung_area_fraction: np.ndarray  # (B,) float32 in [0, 1]
    lung_mask: np.ndarray  # (B, m, m) bool at stage 1's input size

    pneumonia_logit: np.ndarray  # (B,) float32, and so on as in Judgement
    pneumonia_score: np.ndarray
    pneumonia_probability: np.ndarray
    pneumonia_positive: np.ndarray
    pneumonia_heatmap: np.ndarray  # (B, h, w) float32 in [0, 1]: H²

    reached_covid: np.ndarray  # (B,) bool: stage 3 judged the image
    audit_sample: np.ndarray  # (B,) bool: it did so although stage 2 called the image negative
    covid_logit: np.ndarray
    covid_score: np.ndarray
    covid_probability: np.ndarray
    covid_positive: np.ndarray  # (B,) bool: the answer of the cascade; never true for an audit sample
    covid_heatmap: np.ndarray  # (B, h, w) float32 in [0, 1]: H³, Grad-CAM

    guided: dict[int, np.ndarray] = field(default_factory=dict)  # image → (512, 512) uint8 Guided Grad-CAM, 128 is zero

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.lungs_found)


def judgement_of(logit: np.ndarray, threshold: float, calibration: Calibration | None) -> Judgement:
    """Return scores, probabilities and calls for logits (B,) float32, NaN where a stage did not run.

    Computed in float64 and rounded once; calls are made on the rounded values, which are what is stored.
    """
    score = _sigmoid(logit)
    if calibration is None:
        probability = np.full_like(score, np.nan)
        decisive = score
    else:
        probability = decisive = _sigmoid(calibration.slope * logit.astype(np.float64) + calibration.intercept)
    return Judgement(logit, score, probability, decisive.astype(np.float64) >= threshold)


def judgement_by_site(logit: np.ndarray, stage: str, bundle: BundleManifest, sites: Sequence[str | None]) -> Judgement:
    """Return the judgement of a stage on logits (B,) float32, each by what judges its site; `sites` has one entry an image, or none."""
    judged = judgement_of(logit, bundle.operating_points[stage].threshold, bundle.calibration.get(stage))
    for site in set(sites) & bundle.sites.keys():
        here = np.array([named == site for named in sites])
        own = judgement_of(logit[here], bundle.point_of(stage, site).threshold, bundle.calibration_of(stage, site))
        judged.probability[here], judged.positive[here] = own.probability, own.positive
    return judged


def _sigmoid(logit: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # of NaN, which stays NaN
        return np.exp(-np.logaddexp(0, -logit.astype(np.float64))).astype(np.float32)

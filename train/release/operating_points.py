"""Thresholds chosen on the tuning split by a rule that can be read again later."""

import re

import numpy as np

from schemas.bundle import OperatingPoint
from screening.errors import TrainingError, UsageError

YOUDEN = "youden"
_SENSITIVITY = re.compile(r"^sensitivity>=(0?\.\d+|1(?:\.0+)?)$")


def choose_operating_point(labels: np.ndarray, scores: np.ndarray, rule: str, data: str) -> OperatingPoint:
    """Return the threshold that `rule` picks among the scores.

    `labels` (N,) in {0, 1}, `scores` (N,) in [0, 1]. Rules: "youden", the greatest sensitivity + specificity - 1, and
    "sensitivity>=0.90" (or another share in (0, 1]), the highest threshold that keeps it. A threshold lies midway between two
    neighbouring scores, so that rounding in another precision does not flip the image it was read from. Of equally good
    thresholds "youden" takes the one in the widest gap. Raises UsageError for a rule that it does not know and TrainingError
    where one of the two classes is absent.
    """
    labels, scores = np.asarray(labels, bool), np.asarray(scores, float)
    if labels.all() or not labels.any():
        raise TrainingError(f"{data}: an operating point needs both classes, there are {labels.sum()} positive of {labels.size}")
    thresholds, gaps = _candidates(scores)
    sensitivity = np.array([(scores[labels] >= threshold).mean() for threshold in thresholds])
    specificity = np.array([(scores[~labels] < threshold).mean() for threshold in thresholds])
    best = _pick(rule, sensitivity, specificity, gaps)
    return OperatingPoint(
        threshold=float(thresholds[best]), rule=rule, data=data, sensitivity=float(sensitivity[best]), specificity=float(specificity[best])
    )


def check_rule(rule: str) -> None:
    """Raise UsageError unless `rule` is one that `choose_operating_point` knows."""
    if rule != YOUDEN and not _SENSITIVITY.match(rule):
        raise UsageError(f"unknown rule {rule!r} for an operating point: use {YOUDEN!r} or e.g. 'sensitivity>=0.90'")


def _candidates(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the thresholds, ascending, and the width of the gap each lies in: half the lowest score, then between all neighbours."""
    edges = np.concatenate([[0.0], np.unique(scores)])
    return (edges[:-1] + edges[1:]) / 2, np.diff(edges)


def _pick(rule: str, sensitivity: np.ndarray, specificity: np.ndarray, gaps: np.ndarray) -> int:
    check_rule(rule)
    if rule == YOUDEN:
        youden = sensitivity + specificity
        return int(np.argmax(np.where(youden >= youden.max() - 1e-12, gaps, -1.0)))
    kept = sensitivity >= float(_SENSITIVITY.match(rule).group(1)) - 1e-12
    return int(np.flatnonzero(kept)[-1])

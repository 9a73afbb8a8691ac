"""Platt scaling: the line through a stage's logits that makes them probabilities, fitted on the tuning split."""

import numpy as np

from schemas.bundle import Calibration
from screening.errors import TrainingError

LEAST_SLOPE = 1e-3  # flatter, or falling: the stage does not rank this data, and no line through its logits is a probability
_STEPS, _TOLERANCE = 100, 1e-10


def fit_platt(labels: np.ndarray, logits: np.ndarray, data: str) -> Calibration | None:
    """Return slope and intercept that maximise the likelihood of labels (N,) bool given logits (N,), all finite; `data` says what they are.

    The targets are Platt's (1999): (N+ + 1) / (N+ + 2) and 1 / (N- + 2) instead of 1 and 0, so that classes that lie wholly apart get a
    finite slope. None where the slope comes out below LEAST_SLOPE, so that a probability always rises with its logit. Probabilities hold
    at the share of positives that the labels have. Raises TrainingError where one of the two classes is absent.
    """
    labels, logits = np.asarray(labels, bool), np.asarray(logits, np.float64)
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if not positives or not negatives:
        raise TrainingError(f"{data}: calibration needs both classes, there are {positives} positive of {labels.size}")
    targets = np.where(labels, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    slope, intercept = _newton(targets, logits)
    return Calibration(slope=slope, intercept=intercept, data=data) if slope >= LEAST_SLOPE else None


def _newton(targets: np.ndarray, logits: np.ndarray) -> tuple[float, float]:
    """Return slope and intercept of the least cross-entropy, by Newton's method with halved steps (Lin, Lin and Weng 2007)."""
    design = np.stack([logits, np.ones_like(logits)], axis=1)
    line = np.array([0.0, np.log(targets.mean() / (1 - targets.mean()))])
    loss = _cross_entropy(targets, design @ line)
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-(design @ line)))
        gradient = design.T @ (chance - targets)
        if np.abs(gradient).max() < _TOLERANCE * targets.size:
            break
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + 1e-12 * np.eye(2)
        step, size = np.linalg.solve(curvature, gradient), 1.0
        while (found := _cross_entropy(targets, design @ (line - size * step))) > loss and size > 1e-10:
            size /= 2
        line, loss = line - size * step, min(found, loss)
    return float(line[0]), float(line[1])


def _cross_entropy(targets: np.ndarray, margin: np.ndarray) -> float:
    return float((np.logaddexp(0, margin) - targets * margin).sum())

"""Platt scaling: the line through a stage's logits that makes them probabilities, fitted on the tuning split."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from schemas.bundle import Calibration
from screening.errors import TrainingError

LEAST_SLOPE = 1e-3  # flatter, or falling: the stage does not rank this data, and no line through its logits is a probability


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
    slope, intercept = _line_through(targets, logits)
    return Calibration(slope=slope, intercept=intercept, data=data) if slope >= LEAST_SLOPE else None


def _line_through(targets: np.ndarray, logits: np.ndarray) -> tuple[float, float]:
    """Return slope and intercept of the least mean cross-entropy, which is convex: Newton's method in a trust region finds it."""
    design = np.stack([logits, np.ones_like(logits)], axis=1)

    def loss(line: np.ndarray) -> float:
        margin = design @ line
        return np.mean(np.logaddexp(0, margin) - targets * margin)

    def gradient(line: np.ndarray) -> np.ndarray:
        return design.T @ (expit(design @ line) - targets) / targets.size

    def curvature(line: np.ndarray) -> np.ndarray:
        chance = expit(design @ line)
        return (design.T * (chance * (1 - chance))) @ design / targets.size

    flat = [0.0, logit(targets.mean())]
    # rounding may end the search before the gradient is that small, which scipy calls a failure; the line is then as good as float64 allows
    slope, intercept = minimize(loss, flat, jac=gradient, hess=curvature, method="trust-exact", options={"gtol": 1e-10}).x
    return float(slope), float(intercept)

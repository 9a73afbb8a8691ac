"""Logistic regression by maximum likelihood, and what is made of it: recalibration, and a share that changes smoothly with the days."""

from dataclasses import dataclass

import numpy as np

from screening.metrics import Z_95

MOST_STEPS = 50
LARGEST_LOGIT = 30.0  # a fit beyond is on its way to infinity: the positives and the negatives are apart
CUT = 1e-6  # probabilities are taken as at least that far from 0 and from 1, because these have no logit
BINS = 10  # of the expected calibration error, as in the view calibration
Z_ONE_SIDED_95 = 1.6448536269514722  # 95 of 100 normal deviates are below it
PER_COEFFICIENT = 10  # a coefficient needs so many units of the rarer answer (Peduzzi 1996)
KNOTS = (0.1, 0.5, 0.9)  # quantiles of a spline with three knots (Harrell, Regression Modeling Strategies, table 2.3)


@dataclass(frozen=True)
class LogisticFit:
    """Coefficients, (P,), and their covariance, (P, P)."""

    coefficients: np.ndarray
    covariance: np.ndarray

    def logits(self, design: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the logit of each row of a design matrix, (N, P), and its standard error."""
        variance = np.einsum("np,pq,nq->n", design, self.covariance, design)
        return design @ self.coefficients, np.sqrt(np.maximum(variance, 0))


def fit_logistic(
    design: np.ndarray, positive: np.ndarray, offset: np.ndarray | None = None, clusters: np.ndarray | None = None
) -> LogisticFit | None:
    """Return the fit of logit P(positive) = design @ coefficients + offset, or None where there is no finite one.

    design: (N, P) float. positive: (N,) bool. offset: (N,) logits. clusters: (N,), equal for units that belong together. With clusters the
    covariance is the sandwich over them (Liang and Zeger 1986) times m / (m - 1) for m of them; it needs two.
    """
    positive = np.asarray(positive, np.float64)
    offset = np.zeros(positive.size) if offset is None else offset
    coefficients = np.zeros(design.shape[1])
    for _ in range(MOST_STEPS):
        logits = design @ coefficients + offset
        if np.abs(logits - offset).max(initial=0) > LARGEST_LOGIT:
            return None
        expected = 1 / (1 + np.exp(-logits))
        information = design.T @ (design * (expected * (1 - expected))[:, None])
        if np.linalg.matrix_rank(information) < design.shape[1]:
            return None
        step = np.linalg.solve(information, design.T @ (positive - expected))
        coefficients = coefficients + step
        if np.abs(step).max() < 1e-10:
            inverse = np.linalg.inv(information)
            return LogisticFit(coefficients, inverse if clusters is None else _sandwich(inverse, design, positive - expected, clusters))
    return None


def _sandwich(inverse: np.ndarray, design: np.ndarray, residuals: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    _, cluster = np.unique(clusters, return_inverse=True)
    count = int(cluster.max()) + 1
    if count < 2:
        return np.full_like(inverse, np.nan)
    scores = np.stack([np.bincount(cluster, column * residuals, count) for column in design.T], axis=1)
    return count / (count - 1) * inverse @ (scores.T @ scores) @ inverse


@dataclass(frozen=True)
class Calibration:
    """How predicted and observed probabilities agree; None where that cannot be told. Limits are those of 95 % intervals."""

    n: int
    positives: int
    slope: float | None  # 1 is right; below 1 the predictions are too extreme
    slope_low: float | None
    slope_high: float | None
    intercept: float | None  # 0 is right; above 0 the predictions are too low (in logits, with the slope held at 1)
    intercept_low: float | None
    intercept_high: float | None
    ece: float | None  # expected calibration error, in [0, 1]
    ece_by_chance: float | None  # what it would be on average if every prediction were right
    ece_by_chance_high: float | None  # and at most, in 95 of 100 samples


def calibration(probability: np.ndarray, positive: np.ndarray, clusters: np.ndarray | None = None) -> Calibration:
    """Return the logistic recalibration of predictions (Cox 1958; Van Calster et al. 2019), and their expected calibration error.

    The slope is that of logit P(positive) = a + slope * logit(probability). The intercept, or calibration in the large, is a where the
    slope is held at 1. probability: (N,), in [0, 1]; cut to at least CUT from either end. positive: (N,) bool. clusters: as in
    `fit_logistic`.
    """
    probability, positive = np.asarray(probability, np.float64), np.asarray(positive, bool)
    cut = np.clip(probability, CUT, 1 - CUT)
    logits, ones = np.log(cut / (1 - cut)), np.ones((cut.size, 1))
    sloped = fit_logistic(np.column_stack([ones, logits]), positive, clusters=clusters) if cut.size else None
    moved = fit_logistic(ones, positive, logits, clusters) if cut.size else None
    errors = (expected_calibration_error(probability, positive), *calibration_error_by_chance(probability)) if cut.size else (None,) * 3
    return Calibration(positive.size, int(positive.sum()), *_with_limits(sloped, 1), *_with_limits(moved, 0), *errors)


def _with_limits(fit: LogisticFit | None, place: int) -> tuple[float | None, float | None, float | None]:
    """Return a coefficient and its Wald limits."""
    if fit is None or np.isnan(fit.covariance).any():
        return (None if fit is None else float(fit.coefficients[place])), None, None
    value, half = float(fit.coefficients[place]), Z_95 * float(fit.covariance[place, place]) ** 0.5
    return value, value - half, value + half


def expected_calibration_error(probability: np.ndarray, positive: np.ndarray) -> float:
    """Return the mean distance of the observed share from the mean prediction, over BINS equal steps, weighted by their units.

    Naeini, Cooper and Hauskrecht (2015); 1 belongs to the last step. Chance alone raises it where a step has few units.
    probability: (N,), in [0, 1]. positive: (N,) bool.
    """
    return float(np.abs(np.bincount(step_of(probability), positive - probability, BINS)).sum() / probability.size)


def calibration_error_by_chance(probability: np.ndarray) -> tuple[float, float]:
    """Return the mean of the expected calibration error, and its 95th percentile, over samples for which each prediction is right.

    An error within these limits is no sign that predictions are wrong. Where Bröcker and Smith (2007) draw such samples, the distance in a
    step is taken here for the size of a normal deviate of the variance sum p (1 - p). Units are taken as independent; several of one
    person are not, and raise both figures. probability: (N,), in [0, 1], N > 0.
    """
    probability = np.asarray(probability, np.float64)
    variance = np.bincount(step_of(probability), probability * (1 - probability), BINS)
    mean = (2 / np.pi) ** 0.5 * np.sqrt(variance).sum() / probability.size
    deviation = ((1 - 2 / np.pi) * variance.sum()) ** 0.5 / probability.size
    return float(mean), float(mean + Z_ONE_SIDED_95 * deviation)


def step_of(probability: np.ndarray) -> np.ndarray:
    """Return which of BINS equal steps each probability is in, (N,) int in [0, BINS); 1 belongs to the last."""
    return np.minimum(np.floor(probability * BINS), BINS - 1).astype(int)


@dataclass(frozen=True)
class ShareByDay:
    """A share as a smooth curve over days, with its pointwise 95 % band; each (D,) and in [0, 1]."""

    days: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    knots: tuple[float, ...]  # days; empty where the logit is a straight line


def share_by_day(days: np.ndarray, positive: np.ndarray, clusters: np.ndarray, at: np.ndarray) -> ShareByDay | None:
    """Return how a share changes with the days, or None where there are too few of the rarer answer.

    The logit of the share is a restricted cubic spline of the days with knots at their quantiles KNOTS, where the rarer answer has
    2 * PER_COEFFICIENT units; a straight line where it has PER_COEFFICIENT. The band is of the logit, by the sandwich over clusters.
    days: (N,). positive: (N,) bool. clusters: (N,), as in `fit_logistic`. at: (D,), the days of the curve.
    """
    rarer = min(int(positive.sum()), int((~positive).sum()))
    if rarer < PER_COEFFICIENT or np.unique(days).size < 2 or np.unique(clusters).size < 2:
        return None
    knots = tuple(float(knot) for knot in np.quantile(days, KNOTS)) if rarer >= 2 * PER_COEFFICIENT else ()
    if len(set(knots)) < len(knots):
        knots = ()
    fit = fit_logistic(spline(days, knots), positive, clusters=clusters)
    if fit is None:
        return None
    logits, errors = fit.logits(spline(at, knots))
    share, low, high = (1 / (1 + np.exp(-(logits + side * Z_95 * errors))) for side in (0, -1, 1))
    return ShareByDay(at, share, low, high, knots)


def spline(values: np.ndarray, knots: tuple[float, ...]) -> np.ndarray:
    """Return the columns of a restricted cubic spline with three knots: (N, 3), or (N, 2) for the straight line that no knots are.

    The last column is Harrell's (Regression Modeling Strategies, equation 2.25): a cubic between the outer knots, a line beyond them.
    """
    values = np.asarray(values, np.float64)
    line = [np.ones(values.size), values]
    if not knots:
        return np.column_stack(line)
    first, middle, last = knots

    def cube(knot: float) -> np.ndarray:
        return np.maximum(values - knot, 0) ** 3

    bent = cube(first) - cube(middle) * (last - first) / (last - middle) + cube(last) * (middle - first) / (last - middle)
    return np.column_stack([*line, bent / (last - first) ** 2])

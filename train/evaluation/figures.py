"""Every figure of one split as plain JSON values: ROC areas, accuracy at the operating points, Dice, three classes, calibration."""

from typing import Any

import numpy as np

from screening.statistics.logistic import BINS, calibration_error_by_chance, step_of
from train.data.manifest import GROUPS
from train.evaluation.intervals import Resampling, area, mean, statistic
from train.evaluation.scores import Scores
from train.stages import STAGES

SMALL_CELL = 10  # figures that rest on fewer images of a class are flagged
CASCADE = "cascade"  # the whole: COVID-19 against everything else, positive in stage 2 and in stage 3
QUESTIONS = ("pneumonia", "covid", CASCADE)
CURVE_POINTS = 200
LOBE = 0.1  # of the lungs: the smallest of their five lobes is about as large
NOT_JUDGED = "not judged"  # no lungs found: a wrong answer, whatever the truth
RULES = {
    "operating_points": "normal where stage 2 is negative at its operating point, else COVID-19 or pneumonia as stage 3 is at its own",
    "most_probable": "the greatest of 1 - p2, p2 (1 - p3) and p2 p3 for normal, pneumonia and COVID-19, with the stages' probabilities",
}
_QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}


def split_figures(scores: Scores, how: Resampling) -> dict[str, Any]:
    """Return all figures of a split: unit of analysis is the image, intervals draw patients. Without a label only the Dice counts."""
    labelled = scores.labelled()
    return {
        "images": int(scores.label.size),
        "patients": int(np.unique(scores.patient_id).size),
        "labels": {label: int((scores.label == label).sum()) for label in GROUPS},
        "lungs_not_found": int((~scores.lungs_found).sum()),
        "dice": dice_figures(scores, how),
        "stages": {question: stage_figures(labelled, question, how) for question in QUESTIONS},
        "three_class": {rule: three_class(labelled, rule, how) for rule in RULES},
        "by": {column: subgroups(labelled, column, how) for column in ("source", "view", "finding")},
    }


def dice_figures(scores: Scores, how: Resampling) -> dict[str, Any]:
    """Return the mean Dice coefficient with its interval, and quantiles over images; null without masks to compare with.

    `lobe_missed`: the share of chests whose mask leaves out a piece larger than LOBE. Two people who outline the same lungs agree at a Dice
    of 0.947, so that above it Dice says little, and this says more.
    """
    compared = ~np.isnan(scores.dice)
    values = scores.dice[compared]
    figures: dict[str, Any] = {"mean": mean(values, scores.patient_id[compared], how).to_json()}
    figures["lobe_missed"] = mean(scores.missed[compared] > LOBE, scores.patient_id[compared], how).to_json()
    figures["least"] = float(values.min()) if values.size else None
    return figures | {name: float(np.quantile(values, at)) if values.size else None for name, at in _QUANTILES.items()}


def question_of(scores: Scores, question: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return labels (M,) bool, values (M,) in [0, 1], calls (M,) bool and patients (M,) of the images that a question is about."""
    if question == CASCADE:
        calls = scores.judged("pneumonia").positive & scores.judged("covid").positive
        return scores.label == "covid", scores.value("pneumonia") * scores.value("covid"), calls, scores.patient_id
    chosen = scores.in_stage(question)
    labels, values = scores.of_stage(question)
    return labels, values, scores.judged(question).positive[chosen], scores.patient_id[chosen]


def accuracy_of(scores: Scores, question: str, how: Resampling) -> dict[str, Any]:
    """Return n, AUROC, sensitivity and specificity of a question; `small` where a class has fewer than SMALL_CELL images."""
    labels, values, calls, patients = question_of(scores, question)
    positives = int(labels.sum())
    return {
        "positives": positives,
        "negatives": labels.size - positives,
        "small": bool(min(positives, labels.size - positives) < SMALL_CELL),
        "auroc": area(labels, values, patients, how).to_json(),
        "sensitivity": mean(calls[labels], patients[labels], how).to_json(),
        "specificity": mean(~calls[~labels], patients[~labels], how).to_json(),
    }


def stage_figures(scores: Scores, question: str, how: Resampling) -> dict[str, Any]:
    """Return `accuracy_of` a stage or of the whole cascade; operating point and calibration too, of a stage."""
    figures = accuracy_of(scores, question, how)
    if question == CASCADE:
        return figures
    labels, values, _, _ = question_of(scores, question)
    point = scores.bundle.operating_points[question].model_dump()
    return figures | {"roc": roc_points(labels, values), "operating_point": point, "calibration": calibration(scores, question, how)}


def roc_points(labels: np.ndarray, values: np.ndarray) -> list[tuple[float, float]]:
    """Return 1 - specificity and sensitivity at every threshold from the highest, at most about CURVE_POINTS; none without both classes."""
    if labels.all() or not labels.any():
        return []
    thresholds = np.unique(values)[::-1]
    thresholds = thresholds[:: -(-thresholds.size // CURVE_POINTS)]
    rates = [(float((values[~labels] >= at).mean()), float((values[labels] >= at).mean())) for at in thresholds]
    return [(0.0, 0.0), *rates, (1.0, 1.0)]


def calibration(scores: Scores, stage: str, how: Resampling) -> dict[str, Any]:
    """Return Brier score and expected calibration error of the score ("before") and the probability ("after"; null without one).

    Over the images that a stage judged: an image without lungs has no probability.
    """
    chosen = scores.in_stage(stage) & scores.lungs_found
    judged = scores.judged(stage)
    labels, patients = np.isin(scores.label[chosen], list(STAGES[stage].positive)), scores.patient_id[chosen]
    after = _reliability(labels, judged.probability[chosen], patients, how) if stage in scores.bundle.calibration else None
    return {"before": _reliability(labels, judged.score[chosen], patients, how), "after": after}


def _reliability(labels: np.ndarray, values: np.ndarray, patients: np.ndarray, how: Resampling) -> dict[str, Any]:
    values = values.astype(np.float64)
    place = step_of(values)
    bins = [
        {
            "low": number / BINS,
            "n": int((place == number).sum()),
            "k": int(labels[place == number].sum()),
            "predicted": float(values[place == number].mean()),
        }
        for number in np.unique(place)
    ]
    return {
        "brier": mean((values - labels) ** 2, patients, how).to_json(),
        "ece": statistic(lambda weights: expected_calibration_error(labels, values, weights), patients, how).to_json(),
        "ece_by_chance": dict(zip(("mean", "high"), calibration_error_by_chance(values), strict=True)) if values.size else None,
        "bins": bins,
    }


def expected_calibration_error(labels: np.ndarray, values: np.ndarray, weights: np.ndarray) -> float | None:
    """Return the mean gap between observed share and mean value over equally wide bins, each by its weight (Naeini et al. 2015)."""
    if not weights.sum():
        return None
    gap = np.bincount(step_of(values), weights * (labels - values), minlength=BINS)
    return float(np.abs(gap).sum() / weights.sum())


def calls_of(scores: Scores, rule: str) -> np.ndarray:
    """Return what a rule of RULES calls each image: one of GROUPS or NOT_JUDGED, (N,) str."""
    if rule == "operating_points":
        infected, covid = scores.judged("pneumonia").positive, scores.judged("covid").positive
        called = np.where(infected, np.where(covid, "covid", "pneumonia"), "normal")
    else:
        second, third = scores.value("pneumonia").astype(np.float64), scores.value("covid").astype(np.float64)
        called = np.array(GROUPS)[np.argmax([1 - second, second * (1 - third), second * third], axis=0)]
    return np.where(scores.lungs_found, called, NOT_JUDGED)


def three_class(scores: Scores, rule: str, how: Resampling) -> dict[str, Any]:
    """Return the share of images called what they are, each class's own, and how often each class was called each."""
    calls = calls_of(scores, rule)
    right = calls == scores.label
    columns = (*GROUPS, NOT_JUDGED)
    return {
        "rule": RULES[rule],
        "accuracy": mean(right, scores.patient_id, how).to_json(),
        "recall": {label: mean(right[scores.label == label], scores.patient_id[scores.label == label], how).to_json() for label in GROUPS},
        "called": columns,
        "confusion": {label: [int(((scores.label == label) & (calls == call)).sum()) for call in columns] for label in GROUPS},
    }


def subgroups(scores: Scores, column: str, how: Resampling) -> list[dict[str, Any]]:
    """Return the figures of each value of "source", "view" or "finding", most images first."""
    values = np.where(getattr(scores, column) == "", "unknown", getattr(scores, column))
    names, counts = np.unique(values, return_counts=True)
    return [_subgroup(scores.take(values == names[i]), str(names[i]), how) for i in np.argsort(-counts, kind="stable")]


def _subgroup(scores: Scores, value: str, how: Resampling) -> dict[str, Any]:
    right = calls_of(scores, "operating_points") == scores.label
    return {
        "value": value,
        "images": int(scores.label.size),
        "patients": int(np.unique(scores.patient_id).size),
        "small": bool(scores.label.size < SMALL_CELL),
        "lungs_not_found": int((~scores.lungs_found).sum()),
        "dice": dice_figures(scores, how)["mean"],
        "stages": {question: accuracy_of(scores, question, how) for question in QUESTIONS},
        "accuracy": mean(right, scores.patient_id, how).to_json(),
    }

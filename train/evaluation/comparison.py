"""Two sets of answers for the same images, pair by pair: is one better, and by how much at least?"""

from dataclasses import asdict
from typing import Any

import numpy as np

from screening.errors import UsageError
from screening.metrics import clustered_bootstrap_paired, delong_paired
from train.evaluation.figures import QUESTIONS, calls_of, question_of
from train.evaluation.intervals import Resampling, mean
from train.evaluation.scores import Scores


def compared(first: Scores, second: Scores, name: str, how: Resampling) -> dict[str, Any]:
    """Return the first's figures less the second's over the images that both have, with DeLong's and the bootstrap's intervals.

    `name` says what the second is. AUROC by question, null where a class is absent; mean Dice; three-class accuracy.
    """
    first, second = aligned(first, second)
    both = ~np.isnan(first.dice) & ~np.isnan(second.dice)
    dice = mean((first.dice - second.dice)[both], first.patient_id[both], how).to_json()
    first, second = first.labelled(), second.labelled()
    patients = first.patient_id
    right = [(calls_of(each, "operating_points") == each.label).astype(float) for each in (first, second)]
    return {
        "second": name,
        "second_digest": second.bundle.digest(),
        "images": int(patients.size),
        "auroc": {question: areas_compared(first, second, question, how) for question in QUESTIONS},
        "dice": dice,
        "accuracy": {
            **{name: float(each.mean()) if each.size else None for name, each in zip(("first", "second"), right, strict=True)},
            "difference": mean(right[0] - right[1], patients, how).to_json(),
        },
    }


def aligned(first: Scores, second: Scores) -> tuple[Scores, Scores]:
    """Return both over the images that both have, in one order. Raises UsageError where there are none."""
    _, here, there = np.intersect1d(first.image_id, second.image_id, return_indices=True)
    if not here.size:
        raise UsageError("two evaluations have no image in common: compare bundles on one manifest")
    return first.take(here), second.take(there)


def areas_compared(first: Scores, second: Scores, question: str, how: Resampling) -> dict[str, Any] | None:
    """Return the first AUROC less the second, with DeLong's and the bootstrap's limits; None where a class is absent. Both as `aligned`."""
    labels, values, _, patients = question_of(first, question)
    others = question_of(second, question)[1]
    if labels.all() or not labels.any():
        return None
    by_patient = clustered_bootstrap_paired(labels, values, others, patients, how.replicates, how.seed)
    return asdict(delong_paired(labels, values, others)) | {"bootstrap_low": by_patient[0], "bootstrap_high": by_patient[1]}

"""How well the source of an image can be told from what stage 3 makes of it, among images of one label.

Within a label the source says nothing of the disease. What a simple classifier still reads of it in the features, stage 3 could use.
"""

from typing import Any

import numpy as np

from train.data.manifest import GROUPS
from train.evaluation.intervals import Resampling, statistic
from train.evaluation.scores import Scores

FEWEST_PATIENTS = 3  # a source with fewer is left out: every fold needs one to test on and one to learn from
FOLDS = 5
REGULARISATION = 1.0  # scikit-learn's C: the cross-entropy weighs so much against half the squared coefficients
MAX_STEPS = 1000


def source_probes(scores: Scores, features: np.ndarray, how: Resampling) -> list[dict[str, Any]]:
    """Return for each label how well its sources are told apart from features (N, C), balanced accuracy against chance.

    `balanced_accuracy` is null where a label has fewer than two sources of FEWEST_PATIENTS.
    """
    probes = []
    for label in GROUPS:
        chosen = np.flatnonzero((scores.label == label) & scores.lungs_found)
        sources, patients = scores.source[chosen], scores.patient_id[chosen]
        known = [str(name) for name in np.unique(sources) if name and np.unique(patients[sources == name]).size >= FEWEST_PATIENTS]
        counts = {name: int((sources == name).sum()) for name in known}
        probe: dict[str, Any] = {"label": label, "sources": counts, "chance": None, "balanced_accuracy": None}
        if len(known) > 1:
            kept = np.isin(sources, known)
            found = told_apart(features[chosen[kept]], sources[kept], patients[kept], how)
            probe |= {"chance": 1 / len(known), "balanced_accuracy": found}
        probes.append(probe)
    return probes


def told_apart(features: np.ndarray, groups: np.ndarray, patients: np.ndarray, how: Resampling) -> dict[str, Any]:
    """Return the balanced accuracy of cross-validated logistic regression: features (N, C) to groups (N,), no patient in two folds.

    Features are standardised on the images learnt from, and each group weighs the same. Every group has two patients or more.
    """
    # seconds to import, which who only reads FEWEST_PATIENTS need not wait for
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    names, group = np.unique(groups, return_inverse=True)
    fewest = min(np.unique(patients[group == each]).size for each in range(names.size))
    folds = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=how.seed)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=REGULARISATION, class_weight="balanced", max_iter=MAX_STEPS))
    right = cross_val_predict(classifier, features.astype(np.float64), group, groups=patients, cv=folds) == group

    def balanced(weights: np.ndarray) -> float | None:
        """Return the mean recall; scikit-learn's would leave out a group that was not drawn."""
        totals = np.bincount(group, weights, minlength=names.size)
        return float((np.bincount(group, weights * right, minlength=names.size) / totals).mean()) if totals.all() else None

    return statistic(balanced, patients, how).to_json()

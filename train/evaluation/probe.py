"""How well the source of an image can be told from what stage 3 makes of it, among images of one label.

Within a label the source says nothing of the disease. What a simple classifier still reads of it in the features, stage 3 could use.
"""

from typing import Any

import numpy as np
import torch

from train.data.manifest import GROUPS
from train.evaluation.intervals import Resampling, statistic
from train.evaluation.scores import Scores

FEWEST_PATIENTS = 3  # a source with fewer is left out: every fold needs one to test on and one to learn from
FOLDS = 5
PENALTY = 1.0  # of the squared weights, on standardised features: scikit-learn's C = 1
_STEPS = 200


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
    """Return the balanced accuracy of cross-validated logistic regression: features (N, C) to groups (N,), no patient in two folds."""
    names, group = np.unique(groups, return_inverse=True)
    fold = _folds(group, patients, how.seed)
    called = np.empty_like(group)
    for held_out in np.unique(fold):
        test = fold == held_out
        centre, spread = features[~test].mean(0), features[~test].std(0)
        scaled = (features - centre) / np.where(spread > 0, spread, 1)
        weights = fit_logistic(scaled[~test], group[~test], len(names))
        called[test] = np.argmax(np.c_[scaled[test], np.ones(test.sum())] @ weights, axis=1)
    right = called == group

    def balanced(weights: np.ndarray) -> float | None:
        totals = np.bincount(group, weights, minlength=len(names))
        return float((np.bincount(group, weights * right, minlength=len(names)) / totals).mean()) if totals.all() else None

    return statistic(balanced, patients, how).to_json()


def fit_logistic(features: np.ndarray, group: np.ndarray, classes: int) -> np.ndarray:
    """Return weights (C + 1, classes), the last row the intercepts, of multinomial logistic regression.

    Least sum of cross-entropies, each class weighing the same, plus half of PENALTY times the squared weights. The weights lie in the span
    of the images, of which there are fewer than features, so it is solved there.
    """
    _, singular, basis = np.linalg.svd(features, full_matrices=False)
    basis = basis[singular > singular.max(initial=0) * 1e-10]
    x = torch.from_numpy(np.c_[features @ basis.T, np.ones(len(features))].astype(np.float64))
    y = torch.from_numpy(group)
    counts = torch.bincount(y, minlength=classes)
    balance = (len(y) / (classes * counts))[y].double()
    weights = torch.zeros((x.shape[1], classes), dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([weights], max_iter=_STEPS, tolerance_grad=1e-9, tolerance_change=1e-12, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        solver.zero_grad()
        value = (balance * torch.nn.functional.cross_entropy(x @ weights, y, reduction="none")).sum() + PENALTY * (
            weights[:-1] ** 2
        ).sum() / 2
        value.backward()
        return value

    solver.step(loss)
    found = weights.detach().numpy()
    return np.r_[basis.T @ found[:-1], found[-1:]]


def _folds(group: np.ndarray, patients: np.ndarray, seed: int) -> np.ndarray:
    """Return a fold for each image, (N,) int: those of a patient in one, and the patients of a group spread evenly."""
    random = np.random.default_rng(seed)
    people, patient = np.unique(patients, return_inverse=True)
    own = group[np.unique(patient, return_index=True)[1]]  # a person of two groups counts with the first
    folds = min(FOLDS, *np.bincount(own, minlength=group.max() + 1).clip(min=2))
    fold = np.empty(people.size, int)
    for each in range(group.max() + 1):
        members = random.permutation(np.flatnonzero(own == each))
        fold[members] = np.arange(members.size) % folds
    return fold[patient]

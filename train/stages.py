"""What sets the three stages apart in training: the groups their batches come from, the targets, the loss and the figure to watch."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from screening.metrics import auroc
from train.config import OLD_GROUPS
from train.losses import cross_entropy, segmentation_loss

TUNING = "tuning"  # name of the data set that no worker trains on
OLD_TUNING = "old tuning"  # and of that of the old data, where they have a manifest of their own
MASKED = "masked"  # the one group of stage 1: every image that has a lung mask, whatever its label


@dataclass(frozen=True)
class Stage:
    """One stage of the cascade as a thing to train.

    `groups`: the labels that batches are drawn evenly from. `positive`: the labels whose target is 1.
    `loss`: logits and targets of one shape to one value an image. `figure`: name of the tuning metric beside the loss.
    `old_groups`: the groups that an earlier model of this stage knew, the old data of Eq. 2; none where the paper has no such step.
    """

    name: str
    groups: tuple[str, ...]
    positive: frozenset[str]
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    figure: str
    old_groups: tuple[str, ...] = ()

    def group_of(self, label: str, has_mask: bool) -> str | None:
        """Return the group that an image belongs to, or None where the stage has no use for it."""
        if self.groups == (MASKED,):
            return MASKED if has_mask else None
        return label if label in self.groups else None

    def performance(self, targets: np.ndarray, logits: np.ndarray) -> float | None:
        """Return the figure over N images: mean Dice for the lungs, (N, 1, S, S) both, else the AUROC, (N, 1) both.

        None where all targets are alike.
        """
        if self.name == "lungs":
            return float(dice(targets > 0, logits >= 0).mean())
        labels = targets.ravel() > 0
        return float(auroc(labels, logits.ravel())) if 0 < labels.sum() < labels.size else None


STAGES = {
    "lungs": Stage("lungs", (MASKED,), frozenset(), segmentation_loss, "dice"),
    # any pneumonia is positive, and COVID-19 has a third of every batch, so that the rare disease is not drowned by the common one
    "pneumonia": Stage(
        "pneumonia", ("normal", "pneumonia", "covid"), frozenset({"pneumonia", "covid"}), cross_entropy, "auroc", OLD_GROUPS["pneumonia"]
    ),
    "covid": Stage("covid", ("pneumonia", "covid"), frozenset({"covid"}), cross_entropy, "auroc"),
}


def dice(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the Dice coefficient of each pair of masks, (N, ...) bool both, (N,) in [0, 1]; 1 where both are empty."""
    truth, predicted = truth.reshape(len(truth), -1), predicted.reshape(len(predicted), -1)
    both = truth.sum(1) + predicted.sum(1)
    return np.where(both == 0, 1.0, 2 * (truth & predicted).sum(1) / np.maximum(both, 1))

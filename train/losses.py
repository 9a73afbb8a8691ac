"""Losses of the three stages: logits in, one value an image out."""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits


def dice_loss(logit: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return 1 minus the soft Dice of each image, (B,) in [0, 1].

    `logit` (B, 1, H, W), `target` (B, 1, H, W) in [0, 1]. One pixel is added above and below, so that an empty mask met by an empty
    answer costs nothing.
    """
    score = logit.sigmoid().flatten(1)
    target = target.flatten(1)
    overlap = (score * target).sum(1)
    return 1 - (2 * overlap + 1) / (score.sum(1) + target.sum(1) + 1)


def cross_entropy(logit: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the binary cross-entropy of each image, averaged over its pixels where it has many: (B,) in nats. Targets in [0, 1]."""
    return binary_cross_entropy_with_logits(logit, target, reduction="none").flatten(1).mean(1)


def segmentation_loss(logit: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the loss of stage 1, Dice plus cross-entropy, (B,): one weighs the outline, one every pixel. (B, 1, H, W) both."""
    return dice_loss(logit, target) + cross_entropy(logit, target)


def distillation_loss(logit: torch.Tensor, earlier_logit: torch.Tensor) -> torch.Tensor:
    """Return how far the model has moved from the frozen earlier one: cross-entropy against the earlier model's scores, (B,).

    `logit` and `earlier_logit` (B, 1). The second term of Eq. 2, over the old data D_o. Its least value is the entropy of the earlier
    scores, reached where both models agree.
    """
    return cross_entropy(logit, earlier_logit.detach().sigmoid())


def incremental_loss(
    logit: torch.Tensor, target: torch.Tensor, old_logit: torch.Tensor, earlier_logit: torch.Tensor, weight: float
) -> torch.Tensor:
    """Return Eq. 2, a scalar: mean cross-entropy over the data D plus `weight` (lambda) times mean distillation over the old data D_o.

    `logit`, `target` (B, 1) over D; `old_logit` of the model in training and `earlier_logit` of the frozen one, (B_o, 1), over D_o.
    With a weight of 0 D_o may be empty.
    """
    loss = cross_entropy(logit, target).mean()
    return loss if weight == 0 else loss + weight * distillation_loss(old_logit, earlier_logit).mean()

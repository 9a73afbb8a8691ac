"""What a stage is judged by after an epoch: loss and figure on the tuning split, from what each worker saw of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from train.loop.objective import Objective
from train.stages import Stage

GroupLoss = tuple[str, float]  # of one image: the group it is from, its loss


@dataclass
class Judged:
    """One worker's share of the tuning split, image by image."""

    losses: list[GroupLoss] = field(default_factory=list)  # the stage's own, over D
    distilled: list[GroupLoss] = field(default_factory=list)  # the second term of Eq. 2, over D_o
    targets: list[np.ndarray] = field(default_factory=list)
    logits: list[np.ndarray] = field(default_factory=list)

    def see(self, objective: Objective, groups: np.ndarray, logit: torch.Tensor, target: torch.Tensor) -> None:
        """Add a batch of D: groups (B,) of str, logits and targets (B, ...) float32."""
        self.losses += zip(groups, objective.by_image(logit, target), strict=True)
        self.targets.append(target.cpu().numpy())
        self.logits.append(logit.cpu().numpy())

    def see_old(self, objective: Objective, stage: Stage, groups: np.ndarray, x: torch.Tensor, logit: torch.Tensor) -> None:
        """Add those images of a batch that are old data: groups (B,), inputs (B, 1, S, S), logits (B, 1)."""
        old = np.isin(groups.astype(str), stage.old_groups)
        if old.any():
            chosen = torch.from_numpy(old).to(x.device)
            self.distilled += zip(groups[old], objective.distilled(x[chosen], logit[chosen]), strict=True)


def figures(parts: Sequence[Judged], objective: Objective) -> dict[str, Any]:
    """Return the tuning columns of an epoch line from all workers' shares.

    Groups weigh the same, as in training; the tuning loss is what training minimises, so that the best epoch is the best by Eq. 2.
    """
    loss = _mean_of_groups([pair for part in parts for pair in part.losses])
    distilled = _mean_of_groups([pair for part in parts for pair in part.distilled]) if objective.old else None
    targets, logits = (np.concatenate([array for part in parts for array in getattr(part, name)]) for name in ("targets", "logits"))
    line = {"tuning_loss": objective.total(loss, distilled), f"tuning_{objective.figure}": objective.performance(targets, logits)}
    return line if distilled is None else line | {"tuning_distillation": distilled}


def _mean_of_groups(losses: list[GroupLoss]) -> float:
    groups = sorted({group for group, _ in losses})
    return float(np.mean([np.mean([loss for name, loss in losses if name == group]) for group in groups]))

"""What a stage's training minimises: its own loss, or Eq. 2 of the paper where a frozen earlier model holds it to the old data.

The data D are the groups of the manifest. The old data D_o are what the earlier model knew: the groups "normal" and "pneumonia" of D, or
those of a manifest of their own, which then stand beside D in every batch. The earlier model judges each old image as it is augmented for
this step, in the worker: logits computed once from the plain images would ask the new model to score a turned and darkened
image as the earlier one scored another.
"""

from contextlib import AbstractContextManager

import numpy as np
import ray
import torch
from torch import nn

from screening.cascade.device import computes_bf16
from train.loop.job import Job
from train.losses import distillation_loss, incremental_loss
from train.stages import STAGES


class Objective:
    """The loss of one stage's batches, and of its tuning split.

    `sources`: the data sets that a batch is drawn evenly from, D's groups first. `old`: those of them that are D_o, none without an
    earlier model. `figure`: name of what is judged beside the loss.
    """

    def __init__(self, job: Job, device: torch.device):
        self._stage = STAGES[job.stage]
        self._loss, self.figure = self._stage.loss, self._stage.figure
        self._device = device
        self._groups = tuple(job.shares)
        self._weight, self.old, self._teacher = 0.0, (), None
        if job.distillation is not None:
            self._weight, self.old = job.distillation.weight, job.distillation.sources
            self._teacher = _frozen(ray.get(job.distillation.earlier).module(), device)
        self.sources: tuple[str, ...] = (*self._groups, *(name for name in self.old if name not in self._groups))

    def __call__(self, x: torch.Tensor, logit: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch, a scalar.

        `x` (B, 1, S, S); `logit` and `target` (B, ...), B / len(sources) rows of each source, in their order.
        """
        if self._teacher is None:
            return self._loss(logit, target).mean()
        new = len(x) // len(self.sources) * len(self._groups)
        old = self.is_old(len(x)).to(x.device)
        return incremental_loss(logit[:new], target[:new], logit[old], self._earlier_logit(x[old]), self._weight)

    def performance(self, targets: np.ndarray, logits: np.ndarray) -> float | None:
        """Return the figure of the stage over N images, see train.stages."""
        return self._stage.performance(targets, logits)

    def is_old(self, size: int) -> torch.Tensor:
        """Return which rows of a batch of that size are of D_o, (size,) bool."""
        if not self.old:
            return torch.zeros(size, dtype=torch.bool)  # data sets of D alone may have shares that differ
        return torch.from_numpy(np.repeat([name in self.old for name in self.sources], size // len(self.sources)))

    def by_image(self, logit: torch.Tensor, target: torch.Tensor) -> list[float]:
        """Return the stage's own loss of each image."""
        return self._loss(logit, target).tolist()

    def distilled(self, x: torch.Tensor, logit: torch.Tensor) -> list[float]:
        """Return the second term of Eq. 2, unweighted, for each image of D_o: `x` (B, 1, S, S), `logit` (B, 1)."""
        return distillation_loss(logit, self._earlier_logit(x)).tolist()

    def total(self, loss: float, distilled: float | None) -> float:
        """Return the objective of mean losses over D and D_o; None where there is no D_o."""
        return loss if distilled is None else loss + self._weight * distilled

    @torch.no_grad()
    def _earlier_logit(self, x: torch.Tensor) -> torch.Tensor:
        with autocast(self._device):
            return self._teacher(x).float()


def autocast(device: torch.device) -> AbstractContextManager:
    """Compute in bf16 where the device does, in float32 elsewhere. Losses are taken in float32 either way."""
    return torch.autocast(device.type, torch.bfloat16, enabled=computes_bf16(device))


def _frozen(module: nn.Module, device: torch.device) -> nn.Module:
    return module.to(device, memory_format=torch.channels_last).requires_grad_(False).eval()

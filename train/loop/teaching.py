"""A stage that learns what a teacher's features are before any label: see train.teacher."""

import numpy as np
import ray
import torch
from torch import nn

from train.loop.job import Job
from train.teacher import as_photographs

NETWORK = "network."  # prefix of the names of the weights that are the stage's own


class Pupil(nn.Module):
    """A DenseNet and a linear map from what its last layer is given to the teacher's features: (B, 1, S, S) to (B, F).

    The last layer itself takes no part.
    """

    def __init__(self, network: nn.Module, width: int):
        super().__init__()
        self.network = network
        network.head.requires_grad_(False)
        self.map = nn.Linear(network.head.in_features, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.map(self.network.features_of(x).mean(dim=(2, 3)))


class Teaching:
    """The mean squared difference to a teacher's features, in the place of an `Objective` of train.loop.objective.

    The teacher sees each image as it is augmented for this step, lungs alone.
    """

    figure = "explained"
    old: tuple[str, ...] = ()

    def __init__(self, job: Job, device: torch.device):
        teacher = ray.get(job.teacher)
        self.sources: tuple[str, ...] = tuple(job.shares)
        self.width = teacher.width
        self._features = teacher.features(device)
        self._preprocessing = job.config.preprocessing

    def __call__(self, x: torch.Tensor, answer: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch, a scalar: `x` (B, 1, S, S), `answer` (B, F); the label is not looked at."""
        return (answer - self.target(x, target)).square().mean()

    @torch.no_grad()
    def target(self, x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the teacher's features of a batch, (B, F) float32."""
        return self._features(as_photographs(x, self._preprocessing)).float()

    def is_old(self, size: int) -> torch.Tensor:
        """Return which rows of a batch of that size are old data, (size,) bool: none."""
        return torch.zeros(size, dtype=torch.bool)

    def by_image(self, answer: torch.Tensor, target: torch.Tensor) -> list[float]:
        """Return the loss of each image."""
        return (answer - target).square().mean(dim=1).tolist()

    def total(self, loss: float, distilled: float | None) -> float:
        """Return the objective of a mean loss."""
        return loss

    def performance(self, targets: np.ndarray, answers: np.ndarray) -> float | None:
        """Return the share of the features' variance over N images that the answers explain, (N, F) both; None where they do not vary."""
        spread = np.square(targets - targets.mean(axis=0)).sum()
        return float(1 - np.square(targets - answers).sum() / spread) if spread > 0 else None


def network_of(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights of a `Pupil`'s network alone."""
    return {name.removeprefix(NETWORK): tensor for name, tensor in state.items() if name.startswith(NETWORK)}

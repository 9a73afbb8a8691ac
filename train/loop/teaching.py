"""A stage that learns what a teacher's features are before any label: see train.teacher."""

import numpy as np
import ray
import torch
from torch import nn

from train.loop.job import Job
from train.loop.objective import Objective
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


class Teaching(Objective):
    """The mean squared difference to a teacher's features, in the place of the loss against labels.

    The teacher sees each image as it is augmented for this step, lungs alone.
    """

    def __init__(self, job: Job, device: torch.device):
        super().__init__(job, device)
        teacher = ray.get(job.teacher)
        self.figure, self.width = "explained", teacher.width
        self._loss = _squared_difference
        self._features = teacher.features(device)
        self._preprocessing = job.config.preprocessing

    def __call__(self, x: torch.Tensor, answer: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch, a scalar: `x` (B, 1, S, S), `answer` (B, F); the label is not looked at."""
        return self._loss(answer, self.target(x, target)).mean()

    @torch.no_grad()
    def target(self, x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the teacher's features of a batch, (B, F) float32."""
        return self._features(as_photographs(x, self._preprocessing)).float()

    def performance(self, targets: np.ndarray, answers: np.ndarray) -> float | None:
        """Return the share of the features' variance over N images that the answers explain, (N, F) both; None where they do not vary."""
        spread = np.square(targets - targets.mean(axis=0)).sum()
        return float(1 - np.square(targets - answers).sum() / spread) if spread > 0 else None


def network_of(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights of a `Pupil`'s network alone."""
    return {name.removeprefix(NETWORK): tensor for name, tensor in state.items() if name.startswith(NETWORK)}


def _squared_difference(answer: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean squared difference of each of B images, (B, F) both."""
    return (answer - target).square().mean(dim=1)

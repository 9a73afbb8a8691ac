"""Stages 2 and 3: DenseNet (Huang et al. 2017) for one-channel images and one logit, from torchvision's layers."""

from collections.abc import Sequence

import torch
import torchvision
from torch import nn

MAX_GROWTH_RATE = 128  # with the limits below: above every published DenseNet, below what fills a machine's memory
MAX_BLOCK_LAYERS = 64


class DenseNet(nn.Module):
    """One channel in, one logit out: (B, 1, S, S) to (B, 1). The defaults are DenseNet-121's.

    torchvision's own `forward` ends in an in-place ReLU, which breaks backward hooks on the feature maps
    (torchvision issue 4164), so the layers are torchvision's and the end is ours. Raises ValueError for sizes that make no network.
    """

    def __init__(
        self,
        growth_rate: int = 32,
        block_config: Sequence[int] = (6, 12, 24, 16),
        num_init_features: int = 64,
        drop_rate: float = 0.0,
    ):
        super().__init__()
        if not 1 <= growth_rate <= MAX_GROWTH_RATE or not 1 <= num_init_features <= 4 * MAX_GROWTH_RATE:
            raise ValueError(f"growth_rate must be 1 to {MAX_GROWTH_RATE}, num_init_features 1 to {4 * MAX_GROWTH_RATE}")
        if not 1 <= len(block_config) <= 4 or not all(1 <= layers <= MAX_BLOCK_LAYERS for layers in block_config):
            raise ValueError(f"block_config must hold 1 to 4 numbers of layers, each 1 to {MAX_BLOCK_LAYERS}")
        layers = torchvision.models.DenseNet(growth_rate, tuple(block_config), num_init_features, drop_rate=drop_rate, num_classes=1)
        self.features = layers.features
        self.features.conv0 = nn.Conv2d(1, num_init_features, kernel_size=7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.features.conv0.weight)  # as torchvision does for its own three channels
        self.relu = nn.ReLU(inplace=False)
        self.head = layers.classifier

    def features_of(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last feature maps after their ReLU, (B, C, h, w), h = w = S / 32 with four blocks; C is 1,024 for DenseNet-121."""
        return self.relu(self.features(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logit of the positive class, (B, 1): global average pooling, then one linear layer."""
        return self.head(self.features_of(x).mean(dim=(2, 3)))

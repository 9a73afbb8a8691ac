"""Stages 2 and 3: DenseNet (Huang et al. 2017) for one-channel images and one logit, from torchvision's layers."""

from collections.abc import Sequence

import torch
import torchvision
from torch import nn

from screening.models.architectures import check_densenet


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
        check_densenet(growth_rate, block_config, num_init_features)
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

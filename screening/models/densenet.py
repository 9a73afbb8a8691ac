"""Stages 2 and 3: DenseNet with bottlenecks and compression (DenseNet-BC, Huang et al. 2017) for one-channel images and one logit.

Layers and their names are those of torchvision's `densenet121`, so that weights go from one to the other. It is written out here because to
import torchvision takes a second of every process that scores.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from screening.models.architectures import BOTTLENECK, check_densenet
from screening.models.first_weights import draw_first_weights


class DenseNet(nn.Module):
    """One channel in, one logit out: (B, 1, S, S) to (B, 1). The defaults are DenseNet-121's.

    The last ReLU is a module of its own and not in place, as backward hooks on the feature maps need it. Raises ValueError for sizes that
    make no network.
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
        self.features = nn.Sequential()
        self.features.conv0 = nn.Conv2d(1, num_init_features, kernel_size=7, stride=2, padding=3, bias=False)
        self.features.norm0 = nn.BatchNorm2d(num_init_features)
        self.features.relu0 = nn.ReLU(inplace=True)
        self.features.pool0 = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        channels = num_init_features
        for index, layers in enumerate(block_config, start=1):
            if index > 1:
                self.features.add_module(f"transition{index - 1}", _Transition(channels))
                channels //= 2
            self.features.add_module(f"denseblock{index}", _DenseBlock(channels, layers, growth_rate, drop_rate))
            channels += layers * growth_rate
        self.features.norm5 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=False)
        self.head = nn.Linear(channels, 1)
        nn.init.zeros_(self.head.bias)
        draw_first_weights(self)

    @property
    def last_block(self) -> tuple[str, ...]:
        """Prefixes of the names of the last layers below the head."""
        last = max(name for name, _ in self.features.named_children() if name.startswith("denseblock"))
        return (f"features.{last}.", "features.norm5.")

    def features_of(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last feature maps after their ReLU, (B, C, h, w), h = w = S / 32 with four blocks; C is 1,024 for DenseNet-121."""
        return self.relu(self.features(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logit of the positive class, (B, 1): global average pooling, then one linear layer."""
        return self.head(self.features_of(x).mean(dim=(2, 3)))


class _DenseLayer(nn.Module):
    """Normalisation, ReLU and convolution, twice: (B, C, H, W) to the `growth_rate` new maps, (B, growth_rate, H, W)."""

    def __init__(self, channels: int, growth_rate: int, drop_rate: float):
        super().__init__()
        between = BOTTLENECK * growth_rate
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(channels, between, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(between)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(between, growth_rate, kernel_size=3, padding=1, bias=False)
        self.drop_rate = drop_rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv1(self.relu1(self.norm1(x)))
        x = self.conv2(self.relu2(self.norm2(x)))
        return F.dropout(x, self.drop_rate, self.training) if self.drop_rate else x


class _DenseBlock(nn.ModuleDict):
    """Layers, each of which sees the incoming maps and those of all before it: (B, C, H, W) to (B, C + layers * growth_rate, H, W)."""

    def __init__(self, channels: int, layers: int, growth_rate: int, drop_rate: float):
        super().__init__()
        for i in range(layers):
            self[f"denselayer{i + 1}"] = _DenseLayer(channels + i * growth_rate, growth_rate, drop_rate)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = [x]
        for layer in self.values():
            maps.append(layer(torch.cat(maps, 1)))
        return torch.cat(maps, 1)


class _Transition(nn.Sequential):
    """Half the maps at half the size."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(channels, channels // 2, kernel_size=1, bias=False)
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)

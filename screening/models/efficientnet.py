"""Stages 2 and 3 as a network of photographs: EfficientNet-Lite (Tan and Le 2019; Liu 2020) for one-channel images and one logit.

Its convolutions stay as photographs taught them; a linear layer is fitted to what all of its stages see inside the lungs. Layers and their
names are those of timm's `tf_efficientnet_lite*`, so that weights go from one to the other.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import nn

from screening.models.architectures import LITE_HEAD, LITE_STAGES, LITE_STEM, check_lite, lite_features, lite_stages
from screening.models.first_weights import draw_first_weights

REDUCTION = 16  # pixels a side, of the smallest size in which the image is shown, for one place of a feature map
_EPS = 1e-3  # of batch normalisation, as TensorFlow's networks were trained


class EfficientNetLite(nn.Module):
    """One channel in, one logit out: (B, 1, S, S) to (B, 1), with S a multiple of `architectures.size_step`.

    `width` and `depth` scale channels and layers, `resolution` is the size of the photographs that taught it, which its borders are like:
    1.0, 1.0 and 224 for Lite0, 1.0, 1.1 and 240 for Lite1, 1.1, 1.2 and 260 for Lite2. The network is shown the image in `octaves` sizes,
    each half of the one before, and the last layer is given what it sees in all of them. Lungs are where the input is not 0, and features
    are averaged over them alone. `centre` is subtracted from the features, so that a heatmap is 0 where a lung is like the mean of those
    that the last layer was fitted to. Raises ValueError for sizes that make no network.
    """

    def __init__(self, width: float = 1.0, depth: float = 1.0, resolution: int = 224, octaves: int = 1):
        super().__init__()
        check_lite(width, depth, resolution, octaves)
        self.octaves, self.reduction = octaves, REDUCTION << (octaves - 1)
        self.act = nn.ReLU6()
        self.conv_stem = nn.Conv2d(1, LITE_STEM, kernel_size=3, stride=2, bias=False)
        self.bn1 = nn.BatchNorm2d(LITE_STEM, eps=_EPS)
        self.blocks = nn.ModuleList()
        given, side = LITE_STEM, -(-resolution // 2)
        self.border = _border(3, resolution)
        for (kernel, stride, expansion, _, _), (channels, repeats) in zip(LITE_STAGES, lite_stages(width, depth), strict=True):
            stage = nn.Sequential()
            for i in range(repeats):
                border = _border(kernel, side) if stride == 2 and i == 0 else None
                stage.append(_Block(given, channels, kernel, expansion, border))
                given = channels
            side = -(-side // stride)
            self.blocks.append(stage)
        self.conv_head = nn.Conv2d(given, LITE_HEAD, kernel_size=1, bias=False)
        self.bn2 = nn.BatchNorm2d(LITE_HEAD, eps=_EPS)
        self.register_buffer("centre", torch.zeros(octaves * lite_features(width, depth)))
        self.head = nn.Linear(len(self.centre), 1)
        nn.init.zeros_(self.head.bias)
        draw_first_weights(self)

    @property
    def last_block(self) -> tuple[str, ...]:
        """Prefixes of the names of the last layers below the head."""
        return (f"blocks.{len(self.blocks) - 1}.", "conv_head.", "bn2.")

    def features_of(self, x: torch.Tensor) -> torch.Tensor:
        """Return what every stage sees inside the lungs, (B, C, h, h) float32, h = S / reduction: a map's mean is the mean over the lungs.

        C is 2,168 an octave for Lite2: the maps of the stem, of each stage and of the last convolution.
        """
        side = x.shape[-1] // self.reduction
        seen = []
        for octave, centre in enumerate(self.centre.chunk(self.octaves)):
            if octave:
                x = F.avg_pool2d(x, 2)
            seen.append(self._inside(x, side, centre))
        return torch.cat(seen, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logit of the positive class, (B, 1): average pooling over the lungs, then one linear layer."""
        return self.head(self.features_of(x).mean(dim=(2, 3)))

    def _inside(self, x: torch.Tensor, side: int, centre: torch.Tensor) -> torch.Tensor:
        """Return the features of one octave on a grid of `side` places a side."""
        lungs = (x != 0).float()
        seen = torch.cat([_on_grid(maps.float(), lungs, side) for maps in self._maps(x)], 1)
        share = F.adaptive_avg_pool2d(lungs, side)
        return (seen - centre.view(1, -1, 1, 1) * share) / share.mean((2, 3), keepdim=True).clamp_min(1e-6)

    def _maps(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the maps after the stem, after each stage and after the last convolution."""
        x = self.act(self.bn1(self.conv_stem(F.pad(x, self.border))))
        yield x
        for stage in self.blocks:
            x = stage(x)
            yield x
        yield self.act(self.bn2(self.conv_head(x)))


class _Block(nn.Module):
    """Expansion, depthwise convolution and projection (MBConv of Tan and Le 2019), without squeeze and excitation.

    With a `border`, (left, right, top, bottom) of zeros, the convolution has stride 2.
    """

    def __init__(self, given: int, channels: int, kernel: int, expansion: int, border: tuple[int, int, int, int] | None):
        super().__init__()
        wide = given * expansion
        self.border, self.skips = border, border is None and given == channels
        self.act = nn.ReLU6()
        stride, padding = (1, kernel // 2) if border is None else (2, 0)
        depthwise = nn.Conv2d(wide, wide, kernel, stride, padding, groups=wide, bias=False)
        layers = [("conv_dw", depthwise), ("conv_pw" if expansion == 1 else "conv_pwl", nn.Conv2d(wide, channels, 1, bias=False))]
        if expansion > 1:
            layers.insert(0, ("conv_pw", nn.Conv2d(given, wide, 1, bias=False)))
        self.order = [(name, f"bn{i}") for i, (name, _) in enumerate(layers, start=1)]
        for (name, norm), (_, conv) in zip(self.order, layers, strict=True):
            self.add_module(name, conv)
            self.add_module(norm, nn.BatchNorm2d(conv.out_channels, eps=_EPS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        incoming = x
        for conv, norm in self.order:
            if conv == "conv_dw" and self.border is not None:
                x = F.pad(x, self.border)
            x = getattr(self, norm)(getattr(self, conv)(x))
            if (conv, norm) != self.order[-1]:  # the projection is linear
                x = self.act(x)
        return x + incoming if self.skips else x


def _border(kernel: int, side: int) -> tuple[int, int, int, int]:
    """Return the zeros around maps before a convolution of stride 2, as TensorFlow's "same" has it for maps of `side` places a side.

    An even side has one more at the end. Whatever the size of our maps, every filter then looks where it looked when it was taught.
    """
    total = kernel - 2 + side % 2
    before = total // 2
    return (before, total - before, before, total - before)


def _on_grid(maps: torch.Tensor, lungs: torch.Tensor, side: int) -> torch.Tensor:
    """Return maps (B, C, n, n), 0 outside the lungs (B, 1, S, S), on a grid of `side` places a side. It keeps each map's mean."""
    inside = maps * F.adaptive_avg_pool2d(lungs, maps.shape[-1])
    if maps.shape[-1] < side:
        return F.interpolate(inside, size=(side, side), mode="nearest")
    return F.adaptive_avg_pool2d(inside, side)

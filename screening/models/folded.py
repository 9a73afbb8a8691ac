"""The same networks rewritten for inference: batch normalisation folded into the convolutions, weights fixed to one precision.

On a CPU this takes a fifth off a float32 pass, and makes one image at a time as fast as a batch in bf16, where autocast converts
every weight again at every call. The answers are those of the network that was folded, up to rounding.
"""

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from screening.models.densenet import DenseNet
from screening.models.efficientnet import EfficientNetLite
from screening.models.unet import DoubleConv, UNet

_NEVER_REACHED = 1e30  # a kink so far out that no activation passes it: the channel is constant


def fold(network: nn.Module, dtype: torch.dtype) -> "FoldedUNet | FoldedDenseNet | EfficientNetLite":
    """Return `network` for inference with convolutions in `dtype`, on the CPU. It shares no memory with the original.

    An EfficientNet-Lite stays in float32: it takes a fraction of a DenseNet's time, and its answer does not depend on `dtype`.
    """
    if isinstance(network, EfficientNetLite):
        return folded_efficientnet(network)
    return FoldedUNet(network, dtype) if isinstance(network, UNet) else FoldedDenseNet(network, dtype)


class FoldedUNet(nn.Module):
    """A U-Net without batch normalisation: (B, 1, S, S) float to (B, 1, S, S) float32 logits."""

    def __init__(self, network: UNet, dtype: torch.dtype):
        super().__init__()
        self.dtype = dtype
        self.encoders = nn.ModuleList(_folded_double_conv(encoder, dtype) for encoder in network.encoders)
        self.bottom = _folded_double_conv(network.bottom, dtype)
        self.ups = nn.ModuleList(_transposed(up, dtype) for up in network.ups)
        self.decoders = nn.ModuleList(_folded_double_conv(decoder, dtype) for decoder in network.decoders)
        self.head = FixedConv(network.head.weight, network.head.bias, dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the lung logit of every pixel."""
        x = x.to(self.dtype)
        skipped = []
        for encoder in self.encoders:
            x = encoder(x)
            skipped.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bottom(x)
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            x = decoder(torch.cat([skipped.pop(), up(x)], dim=1))
        return self.head(x).float()


class FoldedDenseNet(nn.Module):
    """A DenseNet up to its last feature maps. The other one copies all earlier maps of a block at every layer; this one writes once."""

    def __init__(self, network: DenseNet, dtype: torch.dtype):
        super().__init__()
        self.dtype = dtype
        features = dict(network.features.named_children())
        self.stem = FixedConv(*_fused(features["conv0"].weight, features["norm0"]), dtype, stride=2, padding=3)
        blocks = [layer for name, layer in features.items() if name.startswith("denseblock")]
        transitions = [layer for name, layer in features.items() if name.startswith("transition")]
        closing = [*(transition.norm for transition in transitions), features["norm5"]]
        centres = [norm.running_mean.to(dtype).double() for norm in closing]
        self.blocks = nn.ModuleList(FoldedBlock(block, centre, dtype) for block, centre in zip(blocks, centres, strict=True))
        self.transitions = nn.ModuleList(
            ClampedConv(transition.norm, centre, transition.conv.weight, None, dtype)
            for transition, centre in zip(transitions, centres[:-1], strict=True)
        )
        self.reduction = 2 ** (len(self.blocks) + 1)  # input pixels a side for one of the last feature maps
        scale, shift = _scale_and_shift(features["norm5"], centres[-1])
        self.register_buffer("scale", scale.float().view(1, -1, 1, 1))
        self.register_buffer("shift", shift.float().view(1, -1, 1, 1))

    def features_of(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last feature maps after their ReLU, (B, C, h, w) float32, as `DenseNet.features_of` does."""
        x = F.max_pool2d(torch.relu_(self.stem(x.to(self.dtype))), kernel_size=3, stride=2, padding=1)
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index < len(self.transitions):
                transition = self.transitions[index]
                # averaging before the 1 x 1 convolution is the same sum, for a quarter of the work
                x = transition.conv(F.avg_pool2d(transition.clamp(x), 2))
        return torch.relu_(torch.addcmul(self.shift, x.float(), self.scale))


def folded_efficientnet(network: EfficientNetLite) -> EfficientNetLite:
    """Return a copy whose convolutions have taken in the normalisation behind each."""
    folded = copy.deepcopy(network)
    _take_in(folded, [("conv_stem", "bn1"), ("conv_head", "bn2")])
    for block in (block for stage in folded.blocks for block in stage):
        _take_in(block, block.order)
    return folded


def _take_in(module: nn.Module, pairs: Sequence[tuple[str, str]]) -> None:
    """Replace convolutions of a module by fixed ones that do what the normalisation does, too."""
    for name, norm in pairs:
        conv = getattr(module, name)
        fixed = FixedConv(*_fused(conv.weight, getattr(module, norm)), torch.float32, conv.stride[0], conv.padding[0], conv.groups)
        setattr(module, name, fixed)
        setattr(module, norm, nn.Identity())


class FoldedBlock(nn.Module):
    """A dense block that holds its maps in one buffer, less each channel's mean, so that bf16 keeps the digits that differ."""

    def __init__(self, block: nn.ModuleDict, centre: torch.Tensor, dtype: torch.dtype):
        super().__init__()
        self.squeezes, self.grows = nn.ModuleList(), nn.ModuleList()
        channels = next(iter(block.values())).norm1.num_features
        self.register_buffer("incoming_centre", centre[:channels].to(dtype).view(1, -1, 1, 1))
        for layer in block.values():
            self.squeezes.append(ClampedConv(layer.norm1, centre[:channels], layer.conv1.weight, layer.norm2, dtype))
            grown = channels + layer.conv2.out_channels
            self.grows.append(FixedConv(layer.conv2.weight, -centre[channels:grown], dtype, padding=1))
            channels = grown
        self.channels = channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the incoming and all new maps, (B, channels, H, W), centred."""
        batch, channels, height, width = x.shape
        maps = torch.empty((batch, height, width, self.channels), dtype=x.dtype, device=x.device).permute(0, 3, 1, 2)  # channels-last
        torch.sub(x, self.incoming_centre, out=maps[:, :channels])
        for squeeze, grow in zip(self.squeezes, self.grows, strict=True):
            new = grow(torch.relu_(squeeze.conv(squeeze.clamp(maps[:, :channels]))))
            maps[:, channels : channels + new.shape[1]] = new
            channels += new.shape[1]
        return maps


class FixedConv(nn.Module):
    """A convolution whose weights are constants of one precision, in channels-last memory format."""

    def __init__(
        self, weight: torch.Tensor, bias: torch.Tensor | None, dtype: torch.dtype, stride: int = 1, padding: int = 0, groups: int = 1
    ):
        super().__init__()
        self.stride, self.padding, self.groups = stride, padding, groups
        self.register_buffer("weight", weight.detach().to(dtype, copy=True).contiguous(memory_format=torch.channels_last))
        self.register_buffer("bias", None if bias is None else bias.detach().to(dtype, copy=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the convolved maps."""
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding, groups=self.groups)


class ClampedConv(nn.Module):
    """Batch normalisation, ReLU and a 1 x 1 convolution, as one clamp and a convolution, of maps less their `centre`, (C,) float64.

    With the normalisation a x + b and its kink at t = -b / a, relu(a x + b) = a (max(x, t) - t) for a > 0, and with min for
    a < 0; a moves into the weights and a t into the bias. Weights and kinks are rounded first, so that a clamped channel adds exactly zero.
    """

    def __init__(
        self, norm: nn.BatchNorm2d, centre: torch.Tensor, weight: torch.Tensor, next_norm: nn.BatchNorm2d | None, dtype: torch.dtype
    ):
        super().__init__()
        scale, shift = _scale_and_shift(norm, centre)
        weight, bias = _fused(weight, next_norm)
        constant = scale.abs() * _NEVER_REACHED <= shift.abs()
        kink = torch.where(constant, 0.0, -shift / torch.where(constant, 1.0, scale)).to(dtype)
        scaled = (weight * scale.view(1, -1, 1, 1)).to(dtype)
        bias = bias - (scaled.double() * kink.double().view(1, -1, 1, 1)).sum(dim=(1, 2, 3))
        bias = bias + (weight * (constant * shift.clamp(min=0)).view(1, -1, 1, 1)).sum(dim=(1, 2, 3))
        infinity = torch.full_like(kink, torch.inf)
        self.register_buffer("low", torch.where((scale > 0) | constant, kink, -infinity).view(1, -1, 1, 1))
        self.register_buffer("high", torch.where((scale < 0) | constant, kink, infinity).view(1, -1, 1, 1))
        self.conv = FixedConv(scaled, bias, dtype)

    def clamp(self, x: torch.Tensor) -> torch.Tensor:
        """Return a dense copy of `x`, held between the kinks."""
        return torch.clamp(x, self.low, self.high)


def _scale_and_shift(norm: nn.BatchNorm2d, centre: torch.Tensor | float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a and b of the a x + b that `norm` in evaluation mode makes of x + centre, each (C,) float64."""
    scale = norm.weight.detach().double() / torch.sqrt(norm.running_var.double() + norm.eps)
    return scale, norm.bias.detach().double() - (norm.running_mean.double() - centre) * scale


def _fused(weight: torch.Tensor, norm: nn.BatchNorm2d | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return weight and bias, float64, of a convolution without bias followed by `norm`."""
    weight = weight.detach().double()
    if norm is None:
        return weight, torch.zeros(weight.shape[0], dtype=torch.float64)
    scale, shift = _scale_and_shift(norm)
    return weight * scale.view(-1, 1, 1, 1), shift


def _folded_double_conv(layers: DoubleConv, dtype: torch.dtype) -> nn.Sequential:
    folded: list[nn.Module] = []
    for conv, norm in ((layers[0], layers[1]), (layers[3], layers[4])):
        folded += [FixedConv(*_fused(conv.weight, norm), dtype, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*folded)


def _transposed(up: nn.ConvTranspose2d, dtype: torch.dtype) -> nn.ConvTranspose2d:
    copy = nn.ConvTranspose2d(up.in_channels, up.out_channels, 2, stride=2, dtype=dtype)
    copy.load_state_dict(up.state_dict())
    return copy.to(memory_format=torch.channels_last).requires_grad_(False)

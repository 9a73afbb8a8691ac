"""Stage 1: the U-Net of Ronneberger et al. (2015), with padded convolutions and batch normalisation."""

import torch
from torch import nn

from screening.models.architectures import check_unet
from screening.models.first_weights import draw_first_weights


class DoubleConv(nn.Sequential):
    """Two 3 x 3 convolutions, each with batch normalisation and ReLU: (B, C_in, H, W) to (B, C_out, H, W)."""

    def __init__(self, in_channels: int, out_channels: int):
        layers: list[nn.Module] = []
        for channels in (in_channels, out_channels):
            layers += [nn.Conv2d(channels, out_channels, 3, padding=1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]
        super().__init__(*layers)


class UNet(nn.Module):
    """One channel in, one logit a pixel out: (B, 1, S, S) to (B, 1, S, S), S a multiple of 2 ** depth.

    `base_channels` at full resolution, doubled at each of `depth` halvings. The paper's 64 and 4 serve cell borders; a lung
    outline needs a quarter of the channels, at a sixteenth of the time. Raises ValueError for sizes that make no network.
    """

    def __init__(self, base_channels: int = 16, depth: int = 4):
        super().__init__()
        check_unet(base_channels, depth)
        widths = [base_channels << level for level in range(depth + 1)]
        self.encoders = nn.ModuleList(DoubleConv(a, b) for a, b in zip([1, *widths], widths[:-1], strict=False))
        self.bottom = DoubleConv(widths[-2], widths[-1])
        self.ups = nn.ModuleList(nn.ConvTranspose2d(2 * width, width, 2, stride=2) for width in reversed(widths[:-1]))
        self.decoders = nn.ModuleList(DoubleConv(2 * width, width) for width in reversed(widths[:-1]))
        self.head = nn.Conv2d(base_channels, 1, 1)
        self.pool = nn.MaxPool2d(2)
        draw_first_weights(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the lung logit of every pixel."""
        skipped = []
        for encoder in self.encoders:
            x = encoder(x)
            skipped.append(x)
            x = self.pool(x)
        x = self.bottom(x)
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            x = decoder(torch.cat([skipped.pop(), up(x)], dim=1))
        return self.head(x)

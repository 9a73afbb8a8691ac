"""From 8-bit pixels to what a network sees. Training and inference both call this, so that they see the same."""

import math

import torch
import torch.nn.functional as F

from schemas.bundle import Preprocessing
from screening.cascade.heatmap import resize_maps

_DARKEST = 0.01  # pixels below it count as this much: the logarithm of black is no number
_LEAST_POWER = 0.1  # below it a lung would be one grey


def network_input(
    pixels: torch.Tensor,
    preprocessing: Preprocessing,
    input_size: int,
    lung_mask: torch.Tensor | None = None,
    heatmap: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the input of one stage, (B, 1, input_size, input_size) float32, in channels-last memory format.

    Stage 1 gives neither mask nor heatmap, stage 2 the mask, stage 3 the mask and H² (Eq. 3: x ⊙ H²). Both are applied after the
    mean is subtracted: zero then means mid-grey, which is also what the convolutions pad with, so that erased and faded pixels carry no
    signal. Before it, erased lung would look like air and a faded consolidation like healthy lung.

    Args:
        pixels: (B, 1, 512, 512) uint8, on any device.
        preprocessing: the bundle's.
        input_size: pixels a side at which the stage runs.
        lung_mask: (B, m, m) bool, true inside the lungs; resized to the nearest pixel.
        heatmap: H², (B, h, w) float in [0, 1]; resized bilinearly.
    """
    x = pixels.float() / 255
    if x.shape[-1] != input_size:
        x = F.interpolate(x, size=(input_size, input_size), mode="bilinear", antialias=True, align_corners=False)
    weight = None
    if lung_mask is not None:
        weight = F.interpolate(lung_mask[:, None].float(), size=(input_size, input_size), mode="nearest-exact")
    if heatmap is not None:
        weight = weight * resize_maps(heatmap.float(), input_size)
    return compose(x, weight, preprocessing).contiguous(memory_format=torch.channels_last)


def compose(image: torch.Tensor, weight: torch.Tensor | None, preprocessing: Preprocessing) -> torch.Tensor:
    """Return the input of one stage from images (B, 1, S, S) in [0, 1] and what they are weighted with, the same, None for stage 1."""
    if weight is None:
        return (image - preprocessing.mean) / preprocessing.std
    if preprocessing.gamma != 1 or preprocessing.lung_brightness is not None:
        image = image.clamp(0, 1) ** _exponent(image, weight, preprocessing)
    return (image - preprocessing.mean) / preprocessing.std * weight


def _exponent(image: torch.Tensor, weight: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor | float:
    """Return the power that shows stages 2 and 3 the pixels: gamma, and for each image with darker lungs a lower one, (B, 1, 1, 1).

    x ** e has the geometric mean exp(e * mean ln x), so e = ln(lung_brightness) / mean ln x brings it to `lung_brightness`.
    """
    if preprocessing.lung_brightness is None:
        return preprocessing.gamma
    lung = weight > 0
    total = (image.clamp(_DARKEST, 1).log() * lung).sum((1, 2, 3), keepdim=True)
    mean = total / lung.sum((1, 2, 3), keepdim=True).clamp_min(1)
    power = math.log(preprocessing.lung_brightness) / mean.clamp_max(-_DARKEST)
    return power.clamp(min(_LEAST_POWER, preprocessing.gamma), preprocessing.gamma)


def lung_mask_of(logits: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """Return the lung mask (B, S, S) bool of stage 1's logits (B, 1, S, S): true where the score reaches the bundle's threshold."""
    return torch.sigmoid(logits[:, 0].float()) >= preprocessing.mask_threshold

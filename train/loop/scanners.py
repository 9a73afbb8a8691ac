"""Augmentation that takes scanners apart: the same chest as another machine, another film or another web page would show it.

A network that has seen each disease at few hospitals learns the hospital's look for it. What varies between hospitals and not between the
well and the ill is therefore drawn anew for each image: the tone curve, uneven exposure, blur and sharpening, the detector's resolution
and noise, the compression, the aspect ratio (two public sets are squeezed to squares), and the outline of the lungs as stage 1 draws it.
"""

import io
import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

TONE = 0.5  # of the logarithm of gamma
BEND = 0.6  # of an S-shaped or a reverse S-shaped curve
FIELD = 0.06  # uneven exposure: standard deviation at the nine points between which it runs smoothly
NOISE = 0.04  # standard deviation
LEAST_RESOLUTION = 0.45  # of the image's side
ASPECT = 0.12  # of the logarithm of width over height
QUALITY = (30, 90)  # of a JPEG file
_BLUR_REACH = 4  # pixels each way


def as_elsewhere(images: torch.Tensor, masks: torch.Tensor, strength: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each image as another scanner might show it, and its mask or weight in step with it.

    `images` (B, 1, S, S) float32 in [0, 1], `masks` (B, 1, S, S), 0 outside the lungs. `strength` multiplies how far each change goes; 0
    changes nothing. Draws from torch's default generator on the CPU, so that a seed gives the same pictures on every device.
    """
    if strength == 0:
        return images, masks
    images, masks = _squeezed(images, masks.float(), strength)
    shown = torch.stack([_shown(image, strength) for image in images])
    return shown.clamp(0, 1), torch.stack([_redrawn(mask) for mask in masks])


def _squeezed(images: torch.Tensor, masks: torch.Tensor, strength: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images and masks wider or narrower than they were, about their centre."""
    ratio = torch.exp(strength * ASPECT * (2 * torch.rand(len(images)) - 1))
    zero = torch.zeros_like(ratio)
    turns = torch.stack([torch.stack([ratio, zero, zero], 1), torch.stack([zero, 1 / ratio, zero], 1)], 1).to(images.device)
    grid = F.affine_grid(turns, list(images.shape), align_corners=False)
    image = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return image, F.grid_sample(masks, grid, align_corners=False)


def _shown(image: torch.Tensor, strength: float) -> torch.Tensor:
    """Return one image (1, S, S) through a scanner, a monitor and a file of its own."""
    toned, bent, blurred, sharper, coarse, noisy, uneven, packed = torch.rand(8).tolist()
    if toned < 0.7:
        image = image.clamp(0, 1) ** math.exp(strength * TONE * _either_way())
        if bent < 0.5:
            image = image + 1.5 * strength * BEND * _either_way() * image * (1 - image) * (2 * image - 1)
    if blurred < 0.3:
        smooth = _blurred(image, 0.4 + _share())
        image = smooth if sharper < 0.5 else image + 1.5 * _share() * (image - smooth)
    if coarse < 0.2:
        image = _through(image, round(image.shape[-1] * (LEAST_RESOLUTION + (1 - LEAST_RESOLUTION) * _share())))
    if noisy < 0.3:
        image = image + strength * NOISE * _share() * torch.randn(image.shape).to(image.device)
    if uneven < 0.4:
        image = image + strength * FIELD * _field(image.shape[-1]).to(image.device)
    return _compressed(image) if packed < 0.2 else image


def _redrawn(mask: torch.Tensor) -> torch.Tensor:
    """Return one mask (1, S, S) a little wider or narrower, as another U-Net might draw it, or as it is."""
    drawn = float(torch.rand(1))
    if drawn < 0.3:
        return F.max_pool2d(mask, 5, stride=1, padding=2)
    return mask * (F.max_pool2d(-(mask > 0).float(), 3, stride=1, padding=1) < 0) if drawn < 0.5 else mask


def _blurred(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """Return an image behind a Gaussian of `sigma` pixels."""
    offsets = torch.arange(-_BLUR_REACH, _BLUR_REACH + 1, device=image.device)
    weights = torch.exp(-offsets.square() / (2 * sigma * sigma))
    weights = weights / weights.sum()
    padded = F.pad(image[None], [_BLUR_REACH] * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, weights.view(1, 1, 1, -1)), weights.view(1, 1, -1, 1))[0]


def _through(image: torch.Tensor, side: int) -> torch.Tensor:
    """Return an image that was `side` pixels wide in between."""
    small = F.interpolate(image[None], (side, side), mode="area")
    return F.interpolate(small, image.shape[-2:], mode="bilinear", align_corners=False)[0]


def _field(side: int) -> torch.Tensor:
    """Return a smooth field (1, side, side) with the standard deviation 1 at its nine points."""
    return F.interpolate(torch.randn(1, 1, 3, 3), (side, side), mode="bicubic", align_corners=False)[0]


def _compressed(image: torch.Tensor) -> torch.Tensor:
    """Return an image as a JPEG file gives it back."""
    low, high = QUALITY
    pixels = np.asarray((image[0].clamp(0, 1) * 255).round().to(torch.uint8).cpu())
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=round(low + (high - low) * _share()))
    return torch.from_numpy(np.array(Image.open(buffer))).to(image.device)[None].float() / 255


def _share() -> float:
    return float(torch.rand(1))


def _either_way() -> float:
    return 2 * _share() - 1

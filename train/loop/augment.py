"""Augmentation on the device: small turns, shifts and zooms, exposure; blends of two images. Never a left-right flip.

A flip is no free lunch in a chest: the heart lies left, the right diaphragm higher, and a network that has seen mirrored chests
cannot tell a shadow behind the heart from one beside it. A mirrored radiograph does not occur either, unlike a turned one: the side
marker tells. This holds for the synthetic studies too, which have a heart on the left.
"""

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

DEGREES = 7.0  # of turn, either way
SHIFT = 0.05  # of the image's side, either way
ZOOM = 0.1  # larger or smaller
GAMMA = 1.25  # exposure: at most this exponent, at least its inverse
GAIN = 0.1  # brighter or darker


def augment(images: torch.Tensor, masks: torch.Tensor, strength: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each image turned, moved, zoomed and exposed at random, and its mask turned, moved and zoomed in step with it.

    `images` (B, 1, S, S) float in [0, 1], `masks` (B, 1, S, S): what is to be found, or what the image will be weighted with. Only the
    image is exposed, for an exposure changes the lungs and not where they are; what moves into the picture is black there, 0 here.
    `strength` multiplies how far each of them goes; 0 changes nothing.
    Draws from torch's default generator on the CPU, so that a seed gives the same pictures on every device.
    """
    masks = masks.float() if masks.dtype == torch.float16 else masks  # torchvision's grid overflows in float16, and gives NaN
    zoom = (1 - strength * ZOOM, 1 + strength * ZOOM)
    geometry = v2.RandomAffine(
        strength * DEGREES, (strength * SHIFT, strength * SHIFT), zoom, interpolation=v2.InterpolationMode.BILINEAR, fill=0
    )
    pairs = [geometry(tv_tensors.Image(image), tv_tensors.Mask(mask)) for image, mask in zip(images, masks, strict=True)]
    moved = torch.stack([_expose(image.as_subclass(torch.Tensor), strength) for image, _ in pairs])
    return moved, torch.stack([mask.as_subclass(torch.Tensor) for _, mask in pairs])


def _expose(image: torch.Tensor, strength: float) -> torch.Tensor:
    gain, gamma = (strength * (2 * torch.rand(2) - 1)).tolist()
    return functional.adjust_gamma(image, GAMMA**gamma, 1 + GAIN * gain)


def mixup(x: torch.Tensor, target: torch.Tensor, alpha: float, old: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and targets of a batch, each blended with another's in one proportion drawn from Beta(alpha, alpha).

    Zhang et al. 2018, "mixup: beyond empirical risk minimization". `x` (B, 1, S, S), `target` (B, ...) in [0, 1]. `old` (B,) bool: images
    of old data (Eq. 2) blend with old ones alone, so that what holds the network to them sees nothing that the earlier model did not know.
    Draws from torch's default generator on the CPU.
    """
    share = float(torch.distributions.Beta(alpha, alpha).sample())
    partner = torch.empty(len(x), dtype=torch.long)
    for rows in (old.nonzero()[:, 0], (~old).nonzero()[:, 0]):
        partner[rows] = rows[torch.randperm(len(rows))]
    partner = partner.to(x.device)
    return share * x + (1 - share) * x[partner], share * target + (1 - share) * target[partner]

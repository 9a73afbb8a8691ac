"""Heatmaps of a network that ends in ReLU, global average pooling and one linear layer; and their scaling.

With feature maps f_k and head weights w_k, the evidence at a place is M = sum_k w_k f_k (class activation map, Zhou et al. 2016), and
the logit is the mean of M plus the head's bias. All arithmetic on feature maps is in float64: it costs nothing beside the network, and
rounds to the same float32 whatever else is in the batch.
"""

import torch
import torch.nn.functional as F

from screening.errors import BundleError

PAPER_SIDE = 32  # Eq. 1: 1,024 pooled features as 32 x 32


def class_activation_map(features: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return M, (B, h, w) float64, unscaled.

    Args:
        features: (B, C, h, w), after their ReLU.
        weight: the head's, (C,) or (1, C).
    """
    return (features.double() * weight.double().view(1, -1, 1, 1)).sum(dim=1)


def logit_of(activation_map: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Return the logits (B,) float64 of maps (B, h, w) that `class_activation_map` made and of the head's bias (1,)."""
    return activation_map.mean(dim=(1, 2)) + bias.double()


def grad_cam(features: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return Grad-CAM (Selvaraju et al. 2017), (B, h, w) float64, at least 0, unscaled, in closed form.

    d logit / d f_k is w_k / (h w) at every place, so its mean, Grad-CAM's channel weight, is the same number, and Grad-CAM is
    relu(M) / (h w): no backward pass.
    """
    return grad_cam_of(class_activation_map(features, weight))


def grad_cam_of(activation_map: torch.Tensor) -> torch.Tensor:
    """Return Grad-CAM as `grad_cam` does, from the class activation map (B, h, w) itself."""
    return activation_map.clamp(min=0) / activation_map[0].numel()


def paper_reshape(features: torch.Tensor) -> torch.Tensor:
    """Return Eq. 1 of the paper: the pooled features reshaped, (B, 32, 32) float64, unscaled. It has no spatial meaning.

    Raises BundleError where the network has another number of channels than 1,024.
    """
    pooled = features.double().mean(dim=(2, 3))
    if pooled.shape[1] != PAPER_SIDE**2:
        needs = f"{PAPER_SIDE**2} feature channels, not {pooled.shape[1]}"
        raise BundleError(f"heatmap 'paper_reshape' needs {needs}: save the bundle with 'cam'")
    return pooled.view(-1, PAPER_SIDE, PAPER_SIDE)


def scale_to_range(maps: torch.Tensor) -> torch.Tensor:
    """Return maps (B, h, w) as float32 with each one's smallest value at 0 and largest at 1; a constant map becomes 0 everywhere."""
    low = maps.amin(dim=(1, 2), keepdim=True)
    return scale_to_peak(maps - low)


def scale_to_peak(maps: torch.Tensor) -> torch.Tensor:
    """Return maps (B, h, w), at least 0, as float32 with each one's largest value at 1; a map of zeros stays so."""
    peak = maps.amax(dim=(1, 2), keepdim=True)
    return (maps / torch.where(peak > 0, peak, 1)).float()


def resize_maps(maps: torch.Tensor, size: int) -> torch.Tensor:
    """Return maps (B, h, w) as (B, 1, size, size), bilinear."""
    return F.interpolate(maps[:, None], size=(size, size), mode="bilinear", align_corners=False)

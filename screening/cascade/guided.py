"""Guided Grad-CAM (Selvaraju et al. 2017): which pixels, in the places that Grad-CAM marks, raise the logit.

It illustrates and decides nothing: unlike Grad-CAM it needs a backward pass, and it follows edges in the image whatever the weights are.
"""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from schemas.heatmap import HEATMAP_SIZE
from screening.cascade.heatmap import resize_maps
from screening.models.build import DenseNet, EfficientNetLite

ZERO_LEVEL = 128  # of the 8-bit image; -1 becomes 1, +1 becomes 255
_HALF_RANGE = 127


class _GuidedReLU(torch.autograd.Function):
    """ReLU, up to a highest answer, whose gradient passes only where it is positive and so is the ReLU's own (Springenberg et al. 2015)."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: torch.Tensor, highest: float) -> torch.Tensor:
        ctx.save_for_backward((x > 0) & (x < highest))
        return x.clamp(0, highest)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (passes,) = ctx.saved_tensors
        return gradient.clamp(min=0) * passes, None


class _GuidedReLUModule(nn.Module):
    def __init__(self, highest: float):
        super().__init__()
        self.highest = highest

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _GuidedReLU.apply(x, self.highest)


class GuidedBackpropagation:
    """A copy of a network whose ReLUs guide. The original is not touched; its training mode does not matter."""

    def __init__(self, network: DenseNet | EfficientNetLite):
        self._network = copy.deepcopy(network).eval().requires_grad_(False)
        for parent in list(self._network.modules()):
            for name, child in parent.named_children():
                if isinstance(child, nn.ReLU | nn.ReLU6):
                    setattr(parent, name, _GuidedReLUModule(child.max_val if isinstance(child, nn.ReLU6) else torch.inf))

    def to(self, device: torch.device) -> "GuidedBackpropagation":
        """Move to a device."""
        self._network.to(device)
        return self

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the guided gradient of each image's own logit with respect to `x`, both (B, 1, S, S) float32."""
        with torch.inference_mode(False), torch.enable_grad():
            x = x.detach().clone().requires_grad_(True)
            return torch.autograd.grad(self._network(x).sum(), x)[0]


def guided_grad_cam(backpropagation: GuidedBackpropagation, x: torch.Tensor, grad_cam: torch.Tensor) -> torch.Tensor:
    """Return the guided gradient times Grad-CAM resized to it, (B, 1, S, S) float32, unscaled.

    Args:
        backpropagation: of the network that `grad_cam` is of.
        x: its input, (B, 1, S, S) float32.
        grad_cam: (B, h, w), at least 0.
    """
    return backpropagation(x) * resize_maps(grad_cam.float(), x.shape[-1])


def as_pixels(guided: torch.Tensor) -> torch.Tensor:
    """Return maps (B, 1, S, S) as (B, 512, 512) uint8: 128 is zero, each map's largest magnitude is 1 or 255; zeros stay 128."""
    if guided.shape[-1] != HEATMAP_SIZE:
        guided = F.interpolate(guided, size=(HEATMAP_SIZE, HEATMAP_SIZE), mode="bilinear", align_corners=False)
    peak = guided.abs().amax(dim=(1, 2, 3), keepdim=True)
    scaled = guided / torch.where(peak > 0, peak, 1)
    return (scaled * _HALF_RANGE + ZERO_LEVEL).round().to(torch.uint8)[:, 0]

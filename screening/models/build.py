"""The networks of the three stages, built from what a bundle's manifest says of them."""

import torch
from torch import nn

from screening.models.architectures import Described, made_by
from screening.models.densenet import DenseNet
from screening.models.efficientnet import EfficientNetLite
from screening.models.unet import UNet


def build(network: Described) -> nn.Module:
    """Return the described network with fresh weights, in channels-last memory format and training mode.

    "unet": (B, 1, S, S) to (B, 1, S, S) logits. "densenet" and "efficientnet_lite": (B, 1, S, S) to (B, 1) logits. All take float input as
    `screening.cascade.network_input` makes it. Raises BundleError for an architecture or arguments that this code does not know.
    """
    makers = {"unet": UNet, "densenet": DenseNet, "efficientnet_lite": EfficientNetLite}
    return made_by(makers, network).to(memory_format=torch.channels_last)


__all__ = ["DenseNet", "EfficientNetLite", "UNet", "build"]

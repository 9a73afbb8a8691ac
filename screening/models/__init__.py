"""The networks of the three stages, built from what a bundle's manifest says of them."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import nn

from screening.errors import BundleError
from screening.models.densenet import DenseNet
from screening.models.unet import UNet

ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {"unet": UNet, "densenet": DenseNet}
ARCHITECTURE_OF_STAGE = {"lungs": "unet", "pneumonia": "densenet", "covid": "densenet"}


class Described(Protocol):
    """What `build` needs to know: `schemas.bundle.Network` and `screening.bundle.NetworkSpec` both say it."""

    @property
    def architecture(self) -> str: ...

    @property
    def arguments(self) -> Mapping[str, Any]: ...


def build(network: Described) -> nn.Module:
    """Return the described network with fresh weights, in channels-last memory format and training mode.

    "unet": (B, 1, S, S) to (B, 1, S, S) logits. "densenet": (B, 1, S, S) to (B, 1) logits. Both take float input as
    `screening.cascade.network_input` makes it. Raises BundleError for an architecture or arguments that this code does not know.
    """
    architecture = ARCHITECTURES.get(network.architecture)
    if architecture is None:
        raise BundleError(f"unknown architecture {network.architecture!r}: this version knows {', '.join(sorted(ARCHITECTURES))}")
    try:
        module = architecture(**network.arguments)
    except (TypeError, ValueError) as error:
        raise BundleError(f"arguments {dict(network.arguments)} do not fit the architecture {network.architecture!r}: {error}") from error
    return module.to(memory_format=torch.channels_last)


__all__ = ["ARCHITECTURES", "ARCHITECTURE_OF_STAGE", "DenseNet", "UNet", "build"]

"""Small networks for tests, with the untidy weights that training leaves: some scales negative, one exactly zero."""

import torch
from torch import nn

from screening.models.densenet import DenseNet
from screening.models.efficientnet import EfficientNetLite
from screening.models.unet import UNet


def small_densenet(seed: int = 0, **arguments) -> DenseNet:
    """Return a DenseNet in evaluation mode; four blocks, so its maps are a 32nd of its input."""
    torch.manual_seed(seed)
    return untidy(DenseNet(**({"growth_rate": 8, "block_config": (2, 3, 2, 2), "num_init_features": 16} | arguments)))


def small_lite(seed: int = 0, **arguments) -> EfficientNetLite:
    """Return an EfficientNet-Lite in evaluation mode; its features have a centre, as those of a fitted last layer do."""
    torch.manual_seed(seed)
    network = untidy(EfficientNetLite(**({"width": 0.25, "depth": 0.5} | arguments)))
    network.centre.normal_()
    return network


def small_unet(seed: int = 0, **arguments) -> UNet:
    """Return a U-Net in evaluation mode."""
    torch.manual_seed(seed)
    return untidy(UNet(**({"base_channels": 4, "depth": 3} | arguments)))


def untidy(network: nn.Module) -> nn.Module:
    """Fill every batch normalisation with statistics and scales as training leaves them."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 0.8, 0.5)
            nn.init.normal_(module.bias, 0.0, 0.4)
            module.weight.data[0] = 0.0
            module.momentum = None  # statistics are the plain average over all passes: one is enough
    network.train()
    with torch.no_grad():
        network(torch.randn(4, 1, 64, 64))
    return network.eval().requires_grad_(False)

"""The weights that a network begins with."""

from torch import nn


def draw_first_weights(network: nn.Module) -> None:
    """Draw each convolution's weights from the normal distribution that keeps the scale of maps through ReLUs (He et al. 2015, Eq. 10).

    A network on the meta device has none to draw, and torch would take a second to import its compiler for it.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and not module.weight.is_meta:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

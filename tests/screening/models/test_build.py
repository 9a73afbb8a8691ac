"""Networks from what a manifest says of them."""

from types import SimpleNamespace

import pytest
import torch

from screening.errors import BundleError
from screening.models.build import build


def described(architecture: str, **arguments: object) -> SimpleNamespace:
    return SimpleNamespace(architecture=architecture, arguments=arguments)


def test_shapes_and_memory_format() -> None:
    unet = build(described("unet", base_channels=4, depth=3))
    densenet = build(described("densenet", growth_rate=4, block_config=[1, 2, 2, 1], num_init_features=8))
    lite = build(described("efficientnet_lite", width=0.25, depth=0.25))
    x = torch.randn(2, 1, 96, 96)
    assert unet(x).shape == (2, 1, 96, 96)
    assert densenet(x).shape == (2, 1)
    assert lite(x).shape == (2, 1)
    for network in (unet, densenet, lite):
        assert network.training
        assert all(p.is_contiguous(memory_format=torch.channels_last) for p in network.parameters() if p.ndim == 4)


@pytest.mark.parametrize(
    "network",
    [
        described("resnet"),
        described("unet", width=3),
        described("unet", depth=0),
        described("unet", base_channels=1024),
        described("densenet", growth_rate=10**9),
        described("densenet", block_config=[10**9]),
        described("densenet", block_config=[]),
        described("densenet", block_config=7),
    ],
)
def test_what_makes_no_network_is_refused(network: SimpleNamespace) -> None:
    with pytest.raises(BundleError, match=network.architecture):
        build(network)

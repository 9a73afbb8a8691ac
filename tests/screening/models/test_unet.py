"""The U-Net: one logit a pixel, from all of the image and from the pixel itself."""

import pytest
import torch

from screening.models.unet import UNet
from tests.screening.networks import small_unet


@pytest.mark.parametrize(("side", "depth"), [(32, 2), (64, 3)])
def test_one_logit_a_pixel(side: int, depth: int) -> None:
    assert small_unet(depth=depth)(torch.randn(2, 1, side, side)).shape == (2, 1, side, side)


def test_the_defaults_are_the_full_size_network() -> None:
    with torch.device("meta"):
        network = UNet()
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_942_289


def test_each_level_has_twice_the_channels_of_the_one_above() -> None:
    network = small_unet(base_channels=4, depth=3)
    assert [encoder[0].out_channels for encoder in network.encoders] == [4, 8, 16]
    assert network.bottom[0].out_channels == 32
    assert [decoder[0].in_channels for decoder in network.decoders] == [32, 16, 8]


def test_fine_detail_passes_beside_the_bottom() -> None:
    """One pixel changes its own logit more than those that only the coarse levels carry it to."""
    network = small_unet(depth=3)
    x = torch.zeros(1, 1, 64, 64)
    before = network(x)
    x[0, 0, 32, 32] = 5
    change = (network(x) - before).abs()[0, 0]
    assert change[30:35, 30:35].max() > 3 * change[48:, 48:].max() > 0

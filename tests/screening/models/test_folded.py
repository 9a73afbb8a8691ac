"""The folded networks against those that they were folded from."""

import pytest
import torch

from screening.models.folded import fold
from tests.screening.networks import small_densenet, small_lite, small_unet


@pytest.mark.parametrize("blocks", [(2, 3, 2, 2), (3, 2)])
def test_a_folded_densenet_gives_the_same_features(blocks: tuple[int, ...]):
    network = small_densenet(block_config=blocks)
    x = torch.randn(3, 1, 128, 128)
    folded = fold(network, torch.float32)
    with torch.inference_mode():
        expected = network.features_of(x)
        torch.testing.assert_close(folded.features_of(x), expected, rtol=1e-3, atol=1e-4)
    assert expected.shape[-1] * folded.reduction == 128


@pytest.mark.parametrize(("octaves", "size"), [(1, 96), (2, 64)])
def test_a_folded_efficientnet_gives_the_same_features(octaves: int, size: int):
    network = small_lite(octaves=octaves)
    x = torch.randn(3, 1, size, size)
    folded = fold(network, torch.float32)
    with torch.inference_mode():
        expected = network.features_of(x)
        torch.testing.assert_close(folded.features_of(x), expected, rtol=1e-3, atol=1e-4)
        assert torch.equal(fold(network, torch.bfloat16).features_of(x), folded.features_of(x)), (
            "one answer, whatever a machine computes in"
        )
    assert expected.shape[-1] * folded.reduction == size
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())


def test_a_folded_unet_gives_the_same_logits():
    network = small_unet()
    x = torch.randn(3, 1, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(fold(network, torch.float32)(x), network(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [small_unet, small_densenet, small_lite])
def test_folding_leaves_the_network_alone_and_shares_nothing_with_it(make):
    network = make()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    folded = fold(network, torch.float32)
    for buffer in folded.buffers():
        buffer.zero_()
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_bf16_folding_is_as_close_as_autocast():
    network = small_densenet(growth_rate=16, num_init_features=32)
    x = torch.randn(2, 1, 96, 96)
    with torch.inference_mode():
        exact = network.features_of(x)
        with torch.autocast("cpu", torch.bfloat16):
            autocast = network.features_of(x).float()
        folded = fold(network, torch.bfloat16).features_of(x)
    assert (folded - exact).square().mean() < 1.5 * (autocast - exact).square().mean()

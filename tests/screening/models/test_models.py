"""The networks against torchvision's, and the folded ones against the networks they were folded from."""

from types import SimpleNamespace

import pytest
import torch
import torchvision
from torch import nn

from screening.errors import BundleError
from screening.models.build import build
from screening.models.densenet import DenseNet
from screening.models.folded import fold
from screening.models.unet import UNet
from tests.screening.networks import small_densenet, small_unet


def described(architecture: str, **arguments) -> SimpleNamespace:
    return SimpleNamespace(architecture=architecture, arguments=arguments)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_densenet_is_torchvisions_densenet_121_with_one_channel_and_one_logit():
    theirs = torchvision.models.densenet121(num_classes=1)
    ours = build(described("densenet"))
    assert parameters(ours) == parameters(theirs) - 2 * 64 * 7 * 7
    theirs.features.conv0.weight.data = ours.features.conv0.weight.data.repeat(1, 3, 1, 1) / 3
    theirs.features.load_state_dict({k: v for k, v in ours.features.state_dict().items() if k != "conv0.weight"}, strict=False)
    theirs.classifier.load_state_dict(ours.head.state_dict())
    x = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(x), theirs.eval()(x.repeat(1, 3, 1, 1)), rtol=1e-4, atol=1e-5)


def test_shapes_and_memory_format():
    unet = build(described("unet", base_channels=4, depth=3))
    densenet = build(described("densenet", growth_rate=4, block_config=[1, 2, 2, 1], num_init_features=8))
    x = torch.randn(2, 1, 96, 96)
    assert unet(x).shape == (2, 1, 96, 96)
    assert densenet(x).shape == (2, 1)
    assert densenet.features_of(x).shape[2:] == (3, 3)
    assert densenet.features_of(x).min() >= 0
    assert densenet.features.conv0.weight.shape == (8, 1, 7, 7)
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in densenet.parameters() if p.ndim == 4)


def test_backward_hooks_on_the_last_feature_maps_work():
    network = small_densenet().requires_grad_(True)
    seen = []
    network.relu.register_full_backward_hook(lambda module, into, out: seen.append(out[0]))
    network(torch.randn(2, 1, 64, 64)).sum().backward()
    expected = network.head.weight.detach().view(1, -1, 1, 1) / 4  # of 2 x 2 places
    torch.testing.assert_close(seen[0], expected.expand_as(seen[0]))


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
def test_what_makes_no_network_is_refused(network: SimpleNamespace):
    with pytest.raises(BundleError, match=network.architecture):
        build(network)


@pytest.mark.parametrize("blocks", [(2, 3, 2, 2), (3, 2)])
def test_a_folded_densenet_gives_the_same_features(blocks: tuple[int, ...]):
    network = small_densenet(block_config=blocks)
    x = torch.randn(3, 1, 128, 128)
    folded = fold(network, torch.float32)
    with torch.inference_mode():
        expected = network.features_of(x)
        torch.testing.assert_close(folded.features_of(x), expected, rtol=1e-3, atol=1e-4)
    assert expected.shape[-1] * folded.reduction == 128


def test_a_folded_unet_gives_the_same_logits():
    network = small_unet()
    x = torch.randn(3, 1, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(fold(network, torch.float32)(x), network(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [small_unet, small_densenet])
def test_folding_leaves_the_network_alone_and_shares_nothing_with_it(make):
    network = make()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    folded = fold(network, torch.float32)
    for buffer in folded.buffers():
        buffer.zero_()
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_bf16_folding_is_as_close_as_autocast():
    network = small_densenet(growth_rate=32, num_init_features=64)
    x = torch.randn(8, 1, 128, 128)
    with torch.inference_mode():
        exact = network.features_of(x)
        with torch.autocast("cpu", torch.bfloat16):
            autocast = network.features_of(x).float()
        folded = fold(network, torch.bfloat16).features_of(x)
    assert (folded - exact).square().mean() < 1.5 * (autocast - exact).square().mean()


def test_the_constructors_defaults_are_the_full_size_networks():
    assert parameters(UNet()) == 1_942_289
    assert parameters(DenseNet()) == 6_948_609

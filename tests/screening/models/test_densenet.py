"""The DenseNet against torchvision's."""

import torch
import torchvision

from screening.models.densenet import DenseNet
from tests.screening.networks import small_densenet, untidy

SMALL = {"growth_rate": 8, "block_config": (2, 3, 2, 2), "num_init_features": 16}


def test_it_is_torchvisions_with_one_channel_and_one_logit() -> None:
    ours, theirs = small_densenet(**SMALL), torchvision.models.DenseNet(**SMALL, num_classes=1)
    theirs.features.conv0.weight.data = ours.features.conv0.weight.data.repeat(1, 3, 1, 1) / 3
    theirs.features.load_state_dict({k: v for k, v in ours.features.state_dict().items() if k != "conv0.weight"}, strict=False)
    theirs.classifier.load_state_dict(ours.head.state_dict())
    x = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs.eval()(x.repeat(1, 3, 1, 1)), rtol=1e-4, atol=1e-5)


def test_the_defaults_are_those_of_densenet_121() -> None:
    with torch.device("meta"):  # shapes alone
        ours, theirs = DenseNet(), torchvision.models.densenet121(num_classes=1)
    expected = {name: tensor.shape for name, tensor in theirs.features.state_dict().items()} | {"conv0.weight": (64, 1, 7, 7)}
    assert {name: tensor.shape for name, tensor in ours.features.state_dict().items()} == expected
    assert ours.head.weight.shape == theirs.classifier.weight.shape == (1, 1024)
    assert sum(parameter.numel() for parameter in ours.parameters()) == 6_948_609


def test_maps_of_a_32nd_of_the_input_after_their_relu() -> None:
    network = untidy(DenseNet(growth_rate=4, block_config=(1, 2, 2, 1), num_init_features=8))
    x = torch.randn(2, 1, 96, 96)
    features = network.features_of(x)
    assert features.shape[2:] == (3, 3)
    assert features.min() == 0
    torch.testing.assert_close(network(x), network.head(features.mean(dim=(2, 3))))


def test_backward_hooks_on_the_last_feature_maps_work() -> None:
    network = small_densenet().requires_grad_(True)
    seen = []
    network.relu.register_full_backward_hook(lambda module, into, out: seen.append(out[0]))
    network(torch.randn(2, 1, 64, 64)).sum().backward()
    expected = network.head.weight.detach().view(1, -1, 1, 1) / 4  # of 2 x 2 places
    torch.testing.assert_close(seen[0], expected.expand_as(seen[0]))

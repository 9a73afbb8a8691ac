"""EfficientNet-Lite against torchvision's EfficientNet, less what Lite has not, and its features inside the lungs."""

import functools

import pytest
import torch
from torch import nn
from torchvision.models.efficientnet import EfficientNet, MBConvConfig
from torchvision.ops.misc import SqueezeExcitation

from screening.models.architectures import LITE_STAGES, lite_stages
from screening.models.efficientnet import EfficientNetLite
from tests.screening.networks import small_lite


def torchvisions(width: float, depth: float) -> EfficientNet:
    """Return torchvision's network of those stages with ReLU6 and without squeeze and excitation, as Lite has it, in evaluation mode."""
    given, settings = 32, []
    for (kernel, stride, expansion, _, _), (channels, layers) in zip(LITE_STAGES, lite_stages(width, depth), strict=True):
        settings.append(MBConvConfig(expansion, kernel, stride, given, channels, layers))
        given = channels
    network = EfficientNet(settings, dropout=0, last_channel=1280, norm_layer=functools.partial(nn.BatchNorm2d, eps=1e-3))
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.SiLU | SqueezeExcitation):
                setattr(parent, name, nn.ReLU6() if isinstance(child, nn.SiLU) else nn.Identity())
    return network.eval()


def test_it_is_torchvisions_without_squeeze_and_excitation() -> None:
    ours, theirs = small_lite(width=0.5, depth=1.1, resolution=257), torchvisions(0.5, 1.1)  # odd at every stage: borders are even
    values = [tensor for name, tensor in ours.state_dict().items() if name != "centre" and not name.startswith("head")]
    names = list(theirs.features.state_dict())
    given = dict(zip(names, values, strict=True))
    given[names[0]] = values[0].repeat(1, 3, 1, 1) / 3
    theirs.features.load_state_dict(given)
    x = torch.randn(2, 1, 96, 96)
    with torch.no_grad():
        expected = theirs.features(x.repeat(1, 3, 1, 1)).mean((2, 3))
        torch.testing.assert_close(ours.features_of(x).mean((2, 3))[:, -1280:], expected - ours.centre[-1280:], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("width", "depth", "parameters", "features"),
    [(1.0, 1.0, 4_652_008, 2096), (1.0, 1.1, 5_416_680, 2096), (1.1, 1.2, 6_092_072, 2168)],
    ids=["Lite0", "Lite1", "Lite2"],
)
def test_sizes_are_the_published_ones(width: float, depth: float, parameters: int, features: int) -> None:
    with torch.device("meta"):  # shapes alone
        network = EfficientNetLite(width, depth)
    below = sum(tensor.numel() for name, tensor in network.named_parameters() if not name.startswith("head"))
    coloured, classes = 2 * 32 * 9, 1281 * 1000  # photographs have two channels more, and a thousand classes
    assert (below + coloured + classes, network.head.in_features) == (parameters, features)


def test_a_border_is_where_it_was_at_the_size_that_taught_the_network() -> None:
    assert EfficientNetLite(0.25, 0.25, resolution=224).border == (0, 1, 0, 1)
    assert EfficientNetLite(0.25, 0.25, resolution=225).border == (1, 1, 1, 1)
    borders = {size: [stage[0].border for stage in EfficientNetLite(0.25, 0.25, resolution=size).blocks] for size in (224, 260)}
    assert borders[224] == [None, (0, 1, 0, 1), (1, 2, 1, 2), (0, 1, 0, 1), None, (1, 2, 1, 2), None]
    assert borders[260] == [None, (0, 1, 0, 1), (2, 2, 2, 2), (1, 1, 1, 1), None, (2, 2, 2, 2), None]


def lungs(size: int = 96) -> torch.Tensor:
    x = torch.zeros(2, 1, size, size)
    x[0, :, 16:80, 10:42] = torch.randn(64, 32)
    x[1, :, 20:60, 50:90] = torch.randn(40, 40)
    return x


def test_features_are_means_inside_the_lungs_and_maps_are_zero_outside() -> None:
    network, x = small_lite(), lungs()
    found = network.features_of(x)
    assert found.shape == (2, network.head.in_features, 6, 6)
    assert found.dtype == torch.float32
    stem = torch.nn.functional.relu6(network.bn1(network.conv_stem(torch.nn.functional.pad(x, (0, 1, 0, 1)))))
    inside = torch.nn.functional.avg_pool2d((x != 0).float(), 2)
    expected = (stem * inside).sum((2, 3)) / inside.sum((2, 3)) - network.centre[:32]
    torch.testing.assert_close(found[:, :32].mean((2, 3)), expected, rtol=1e-4, atol=1e-5)
    assert not found[1, :32, :, :3].any(), "the left half of the second image has no lung"
    torch.testing.assert_close(network(x), network.head(found.mean((2, 3))))


def test_octaves_see_the_image_and_its_halves() -> None:
    network, x = small_lite(octaves=2), lungs(128)
    single = small_lite()
    single.load_state_dict(network.state_dict() | {"centre": torch.zeros(len(single.centre)), "head.weight": single.head.weight})
    found = network.features_of(x)
    assert found.shape == (2, network.head.in_features, 4, 4)
    assert network.reduction == 2 * single.reduction
    whole, half = (single.features_of(image).mean((2, 3)) for image in (x, torch.nn.functional.avg_pool2d(x, 2)))
    torch.testing.assert_close(found.mean((2, 3)), torch.cat([whole, half], 1) - network.centre, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(network(x), network.head(found.mean((2, 3))))


def test_an_image_is_judged_by_itself_and_one_without_lungs_by_the_bias() -> None:
    network, x = small_lite(), lungs()
    alone, pair = network(x[:1]), network(x)
    torch.testing.assert_close(alone, pair[:1])
    assert network(torch.zeros(1, 1, 64, 64)).item() == network.head.bias.item()

"""What a network's file must hold, said without torch, against the networks themselves."""

import pytest

from screening.bundle.networks import NetworkSpec
from screening.errors import BundleError
from screening.models.architectures import size_step, tensors_of
from screening.models.build import build


@pytest.mark.parametrize(
    ("architecture", "arguments"),
    [
        ("unet", {}),
        ("unet", {"base_channels": 1, "depth": 1}),
        ("unet", {"base_channels": 6, "depth": 5}),
        ("densenet", {}),
        ("densenet", {"growth_rate": 5, "block_config": [3], "num_init_features": 7}),
        ("efficientnet_lite", {}),
        ("efficientnet_lite", {"width": 1.1, "depth": 1.2, "resolution": 260}),
        ("efficientnet_lite", {"width": 0.25, "depth": 2, "octaves": 3}),
        ("densenet", {"growth_rate": 4, "block_config": [1, 2, 1], "num_init_features": 9, "drop_rate": 0.1}),
    ],
)
def test_the_tensors_are_those_of_the_network(architecture: str, arguments: dict) -> None:
    network = NetworkSpec(architecture, 64, arguments)
    assert tensors_of(network) == {name: tuple(tensor.shape) for name, tensor in build(network).state_dict().items()}


@pytest.mark.parametrize(
    ("architecture", "arguments", "message"),
    [
        ("resnet", {}, "unknown architecture 'resnet': this version knows densenet, efficientnet_lite, unet"),
        ("unet", {"base_channels": 0}, "base_channels"),
        ("unet", {"base_channels": 8.0}, "base_channels"),
        ("unet", {"depth": 6}, "depth"),
        ("unet", {"base_channels": 4096}, "at most 4096"),
        ("unet", {"surprise": 1}, "surprise"),
        ("densenet", {"growth_rate": "32"}, "whole numbers"),
        ("densenet", {"growth_rate": 0}, "growth_rate"),
        ("densenet", {"block_config": []}, "block_config"),
        ("densenet", {"block_config": [6, 65]}, "block_config"),
        ("densenet", {"block_config": 6}, "arguments"),
        ("efficientnet_lite", {"width": 5.0}, "width and depth"),
        ("efficientnet_lite", {"depth": "deep"}, "width and depth"),
        ("efficientnet_lite", {"resolution": 224.0}, "resolution"),
        ("efficientnet_lite", {"resolution": 16}, "resolution"),
        ("efficientnet_lite", {"octaves": 0}, "octaves"),
        ("efficientnet_lite", {"octaves": 1.5}, "octaves"),
    ],
)
def test_what_makes_no_network_is_refused_by_both(architecture: str, arguments: dict, message: str) -> None:
    network = NetworkSpec(architecture, 64, arguments)
    for made_of in (tensors_of, build):
        with pytest.raises(BundleError, match=message):
            made_of(network)


def test_an_image_shown_in_halves_must_be_halved_into_whole_places() -> None:
    assert size_step(NetworkSpec("unet", 64)) == 32
    assert [size_step(NetworkSpec("efficientnet_lite", 64, {"octaves": octaves})) for octaves in (1, 2, 3)] == [32, 64, 128]

"""Guided Grad-CAM against Captum's."""

import copy

import pytest
import torch
from captum.attr import GuidedBackprop, GuidedGradCam
from torch import nn

from screening.cascade.guided import GuidedBackpropagation, as_pixels, guided_grad_cam
from screening.cascade.heatmap import grad_cam
from tests.screening.networks import small_densenet, small_lite


@pytest.fixture(scope="module")
def network():
    return small_densenet()


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    return torch.randn(3, 1, 128, 128, generator=torch.Generator().manual_seed(2))


def without_inplace(network: nn.Module) -> nn.Module:
    """Return a copy that Captum's hooks can work on."""
    changed = copy.deepcopy(network)
    for module in changed.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return changed


@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU")
def test_guided_backpropagation_is_captums(network, x):
    captum = GuidedBackprop(without_inplace(network)).attribute(x.clone().requires_grad_(True))
    assert captum.abs().max() > 0
    torch.testing.assert_close(GuidedBackpropagation(network)(x), captum, rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU")
def test_guided_grad_cam_is_captums(network, x):
    other = without_inplace(network)
    captum = GuidedGradCam(other, other.relu).attribute(x.clone().requires_grad_(True), interpolate_mode="bilinear")
    ours = guided_grad_cam(GuidedBackpropagation(network), x, grad_cam(network.features_of(x), network.head.weight))
    assert captum.abs().max() > 0
    torch.testing.assert_close(ours, captum.detach(), rtol=1e-4, atol=1e-7)


def test_it_differs_from_the_plain_gradient_and_leaves_the_network_alone(network, x):
    before = network(x)
    guided = GuidedBackpropagation(network)(x)
    plain = torch.autograd.grad(network(x.requires_grad_(True)).sum(), x)[0]
    x.requires_grad_(False)
    assert not torch.allclose(guided, plain, rtol=0.1)
    assert torch.equal(network(x), before)
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_images_of_a_batch_do_not_mix(network, x):
    backpropagation = GuidedBackpropagation(network)
    one_by_one = torch.cat([backpropagation(image[None]) for image in x])
    torch.testing.assert_close(backpropagation(x), one_by_one, rtol=1e-4, atol=1e-6)


def test_it_works_inside_inference_mode(network, x):
    backpropagation = GuidedBackpropagation(network)
    with torch.inference_mode():
        inside = backpropagation(x * 1)
    torch.testing.assert_close(inside, backpropagation(x))


def test_pixels_are_symmetric_about_128():
    guided = torch.zeros(3, 1, 512, 512)
    guided[0, 0, 0, :3] = torch.tensor([2.0, -1.0, 0.5])
    guided[1, 0, 0, :2] = torch.tensor([-1e-6, 0.0])
    pixels = as_pixels(guided)
    assert pixels.dtype == torch.uint8
    assert pixels[0, 0, :4].tolist() == [255, 64, 160, 128]
    assert pixels[1, 0, :2].tolist() == [1, 128]
    assert (pixels[2] == 128).all()


def test_smaller_maps_are_resized():
    assert as_pixels(torch.randn(2, 1, 64, 64)).shape == (2, 512, 512)


@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU")
def test_relus_with_a_ceiling_guide_below_it() -> None:
    """Captum guides `nn.ReLU` alone: the comparison is with a network whose activations stay below the ceiling."""
    network = small_lite(octaves=2)
    low = network.state_dict()
    low |= {name: value / 4 for name, value in low.items() if name.endswith(("bn1.weight", "bn1.bias", "bn2.weight", "bn2.bias"))}
    network.load_state_dict(low)
    x = 0.1 * torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(3))
    plain = copy.deepcopy(network)
    for parent in list(plain.modules()):
        if isinstance(getattr(parent, "act", None), nn.ReLU6):
            parent.act = nn.ReLU()
    torch.testing.assert_close(plain(x), network(x), msg="an activation reaches the ceiling")
    captum = GuidedBackprop(plain).attribute(x.clone().requires_grad_(True))
    assert captum.abs().max() > 0
    torch.testing.assert_close(GuidedBackpropagation(network)(x), captum, rtol=1e-4, atol=1e-6)

    last = nn.Linear(4, 1, bias=False)
    last.weight.data = torch.tensor([[1.0, 1.0, 1.0, -1.0]])
    x = torch.tensor([[-1.0, 2.0, 7.0, 2.0]])  # below, between, above, and with a gradient that is negative
    assert GuidedBackpropagation(nn.Sequential(nn.ReLU6(), last))(x).tolist() == [[0.0, 1.0, 0.0, 0.0]]

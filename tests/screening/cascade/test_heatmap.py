"""Class activation maps and Grad-CAM against Captum's and against hand-worked numbers."""

import pytest
import torch
from captum.attr import LayerGradCam

from screening.cascade.heatmap import class_activation_map, grad_cam, logit_of, paper_reshape, resize_maps, scale_to_peak, scale_to_range
from screening.errors import BundleError
from tests.screening.networks import small_densenet


@pytest.fixture(scope="module")
def network():
    return small_densenet()


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    return torch.randn(3, 1, 128, 128, generator=torch.Generator().manual_seed(1))


def test_a_class_activation_map_by_hand():
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]])  # two channels, 1 x 2 places
    assert class_activation_map(features, torch.tensor([2.0, -1.0])).tolist() == [[[-1.0, 4.0]]]
    assert grad_cam(features, torch.tensor([2.0, -1.0])).tolist() == [[[0.0, 2.0]]]


def test_the_logit_is_the_mean_of_the_map(network, x):
    activation = class_activation_map(network.features_of(x), network.head.weight)
    torch.testing.assert_close(logit_of(activation, network.head.bias).float(), network(x)[:, 0])


def test_the_map_is_captums_grad_cam_before_its_relu(network, x):
    captum = LayerGradCam(network, network.relu).attribute(x.clone().requires_grad_(True))
    activation = class_activation_map(network.features_of(x), network.head.weight)
    torch.testing.assert_close(activation.float() / 16, captum[:, 0].detach(), rtol=1e-4, atol=1e-6)


def test_grad_cam_in_closed_form_is_captums(network, x):
    captum = LayerGradCam(network, network.relu).attribute(x.clone().requires_grad_(True), relu_attributions=True)
    closed = grad_cam(network.features_of(x), network.head.weight)
    assert closed.amax() > 0
    torch.testing.assert_close(closed.float(), captum[:, 0].detach(), rtol=1e-4, atol=1e-6)


def test_scaling_to_the_range():
    maps = torch.tensor([[[-2.0, 0.0], [2.0, 1.0]], [[3.0, 3.0], [3.0, 3.0]]], dtype=torch.float64)
    assert scale_to_range(maps).tolist() == [[[0.0, 0.5], [1.0, 0.75]], [[0.0, 0.0], [0.0, 0.0]]]


def test_scaling_to_the_peak():
    maps = torch.tensor([[[0.0, 1.0], [4.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]], dtype=torch.float64)
    assert scale_to_peak(maps).tolist() == [[[0.0, 0.25], [1.0, 0.5]], [[0.0, 0.0], [0.0, 0.0]]]
    assert scale_to_peak(maps).dtype == torch.float32


def test_the_papers_reshape_is_of_the_pooled_features_row_by_row():
    pooled = torch.arange(1024.0)
    features = pooled.view(1, 1024, 1, 1) + torch.tensor([[-1.0, 1.0], [2.0, -2.0]])
    assert paper_reshape(features)[0].tolist() == pooled.view(32, 32).tolist()


def test_the_papers_reshape_needs_1024_channels(network, x):
    with pytest.raises(BundleError, match="1024"):
        paper_reshape(network.features_of(x))


def test_resizing_keeps_the_range_and_the_middle():
    resized = resize_maps(torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]), 512)
    assert resized.shape == (1, 1, 512, 512)
    assert resized.min() == 0
    assert resized.max() == 1
    assert resized[0, 0, 0, 255].item() == pytest.approx(0.5, abs=0.01)

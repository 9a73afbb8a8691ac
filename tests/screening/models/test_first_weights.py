"""What networks begin with, and that one without weights of its own does not wake torch's compiler."""

import subprocess
import sys

import pytest
import torch

from screening.models.first_weights import draw_first_weights

AFTER_LOADING = """
import sys
from screening.bundle.networks import load
from screening.bundle.released import phantom_bundle
load(phantom_bundle())
print(sorted({"torch._dynamo", "sympy", "torchvision"} & set(sys.modules)))
"""


def test_maps_keep_their_scale_through_a_relu() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(64, 64, 3, padding=1, bias=False), torch.nn.ReLU())
    draw_first_weights(network)
    x = torch.randn(4, 64, 32, 32)
    assert network[0].weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)
    assert network(x).square().mean().item() == pytest.approx(x.square().mean().item(), rel=0.1)


def test_loading_a_bundle_imports_nothing_that_only_a_compiler_needs() -> None:
    said = subprocess.run([sys.executable, "-c", AFTER_LOADING], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"

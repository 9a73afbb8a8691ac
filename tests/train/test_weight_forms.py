"""Names of tensors in other people's files, by hand; whole files are read in test_pretrained."""

import pytest

from screening.bundle.networks import NetworkSpec
from train.weight_forms import FORMS

LITE2 = NetworkSpec("efficientnet_lite", 128, {"width": 1.1, "depth": 1.2, "resolution": 260})


@pytest.mark.parametrize(
    ("network", "theirs", "ours"),
    [
        (NetworkSpec("densenet", 64), "module.densenet121.features.norm0.weight", "features.norm0.weight"),
        (
            NetworkSpec("densenet", 64),
            "features.denseblock1.denselayer2.norm.1.bias",
            "features.denseblock1.denselayer2.norm1.bias",
        ),
        (LITE2, "conv_stem.weight", "conv_stem.weight"),
        (LITE2, "blocks.5.3.conv_pwl.weight", "blocks.5.3.conv_pwl.weight"),
        (LITE2, "_bn0.running_mean", "bn1.running_mean"),
        (LITE2, "_bn1.running_mean", "bn2.running_mean"),
        (LITE2, "_blocks.0._project_conv.weight", "blocks.0.0.conv_pw.weight"),
        (LITE2, "_blocks.1._bn0.weight", "blocks.1.0.bn1.weight"),
        (LITE2, "_blocks.4._depthwise_conv.weight", "blocks.2.0.conv_dw.weight"),
        (LITE2, "_blocks.20._bn2.bias", "blocks.6.0.bn3.bias"),
        (LITE2, "_blocks.99._bn2.bias", "blocks.99.bn3.bias"),
    ],
)
def test_a_tensor_has_our_name(network: NetworkSpec, theirs: str, ours: str) -> None:
    assert FORMS[network.architecture].renamed(network, theirs) == ours

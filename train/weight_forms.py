"""How other people's files of weights differ from our networks: the names of tensors, and what the first convolution sees."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from screening.models.architectures import Described, lite_stages

OWN = ("head.", "centre")  # what labels fit, and no file brings
_PREFIX = re.compile(r"^(?:module\.|model\.|densenet121\.)+")
_OLD_NAME = re.compile(r"\.(norm|conv)\.([12])\.")
_COUNTED_BLOCK = re.compile(r"_blocks\.(\d+)\.([^.]+)\.(.+)")
_AROUND = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}  # a block that does not expand
_OTHERS = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


@dataclass(frozen=True)
class Form:
    """Files of one architecture: `renamed` gives a tensor's name in our network of that description."""

    words: str
    renamed: Callable[[Described, str], str]
    first: str  # the convolution that sees the image
    scale: float  # what its weights are multiplied with: ours sees (p - 0.5) / 0.25 of pixels p in [0, 1]


def _of_densenet(network: Described, name: str) -> str:
    return _OLD_NAME.sub(r".\1\2.", _PREFIX.sub("", name))


def _of_lite(network: Described, name: str) -> str:
    """timm's names are ours; the other form counts its blocks through."""
    block = _COUNTED_BLOCK.match(name)
    if block is None:
        layer, _, rest = name.partition(".")
        return f"{_AROUND.get(layer, layer)}.{rest}"
    number, layer, rest = int(block[1]), block[2], block[3]
    places = [
        f"{stage}.{i}"
        for stage, (_, layers) in enumerate(lite_stages(network.arguments["width"], network.arguments["depth"]))
        for i in range(layers)
    ]
    place = places[number] if number < len(places) else str(number)
    return f"blocks.{place}.{(_OTHERS if number else _FIRST).get(layer, layer)}.{rest}"


FORMS = {
    "densenet": Form("DenseNet-121", _of_densenet, "features.conv0.weight", 1.0),
    "efficientnet_lite": Form("EfficientNet-Lite of this size", _of_lite, "conv_stem.weight", 0.5),  # theirs sees (p - 0.5) / 0.5
}

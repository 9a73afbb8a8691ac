"""The networks of the three stages as a manifest describes them: the arguments they take and the tensors that their files must hold.

Said without torch, so that a bundle is checked whole by a process that never loads it. `screening.models` builds the networks.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from screening.errors import BundleError

CLASSIFIERS = ("densenet", "efficientnet_lite")
ARCHITECTURES_OF_STAGE = {"lungs": ("unet",), "pneumonia": CLASSIFIERS, "covid": CLASSIFIERS}

SIZE_STEP = 32  # input pixels a side for one place of the smallest maps of every network
MAX_CHANNELS = 4096  # of a U-Net's bottom: far above any sensible network, far below what fills a machine's memory
MAX_GROWTH_RATE = 128  # with the limit below: above every published DenseNet, below what fills a machine's memory
MAX_BLOCK_LAYERS = 64
BOTTLENECK = 4  # a dense layer's 1 x 1 convolution gives this times the growth rate (Huang et al. 2017)

LITE_STEM, LITE_HEAD = 32, 1280  # channels of EfficientNet-Lite's first and last convolution, whatever its width
LITE_STAGES = (  # of EfficientNet-B0 (Tan and Le 2019, Table 1): kernel, stride, expansion, channels, layers
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
MAX_LITE_RESOLUTION = 2048
MAX_LITE_SCALE = 4.0  # above every published EfficientNet
MAX_LITE_OCTAVES = 4

Tensors = dict[str, tuple[int, ...]]  # name → shape
Made = TypeVar("Made")


class Described(Protocol):
    """What is known of a network: `schemas.bundle.Network` and `screening.bundle.networks.NetworkSpec` both say it."""

    @property
    def architecture(self) -> str: ...

    @property
    def arguments(self) -> Mapping[str, Any]: ...


def made_by(makers: Mapping[str, Callable[..., Made]], network: Described) -> Made:
    """Return what the maker of the network's architecture makes of its arguments; raises BundleError where they do not fit."""
    maker = makers.get(network.architecture)
    if maker is None:
        raise BundleError(f"unknown architecture {network.architecture!r}: this version knows {', '.join(sorted(makers))}")
    try:
        return maker(**network.arguments)
    except (TypeError, ValueError) as error:
        raise BundleError(f"arguments {dict(network.arguments)} do not fit the architecture {network.architecture!r}: {error}") from error


def tensors_of(network: Described) -> Tensors:
    """Return name → shape of every tensor that the network's file must hold. Raises BundleError as `made_by` does."""
    return made_by({"unet": unet_tensors, "densenet": densenet_tensors, "efficientnet_lite": lite_tensors}, network)


def size_step(network: Described) -> int:
    """Return what the pixels a side that a network sees must be a multiple of, so that every map covers the image in whole places."""
    return SIZE_STEP << (network.arguments.get("octaves", 1) - 1)


def check_unet(base_channels: int, depth: int) -> None:
    """Raise ValueError for sizes that make no U-Net."""
    if not _integers(base_channels, depth) or base_channels < 1 or not 1 <= depth <= 5 or base_channels << depth > MAX_CHANNELS:
        whole = "base_channels must be a whole number of at least 1, depth one of 1 to 5"
        raise ValueError(f"{whole}, base_channels * 2 ** depth at most {MAX_CHANNELS}")


def unet_tensors(base_channels: int = 16, depth: int = 4) -> Tensors:
    """Return name → shape of the tensors of `screening.models.UNet`. Raises ValueError as `check_unet` does."""
    check_unet(base_channels, depth)
    widths = [base_channels << level for level in range(depth + 1)]
    tensors: Tensors = {}
    for level, (given, width) in enumerate(zip([1, *widths], widths[:-1], strict=False)):
        tensors |= _double_conv(f"encoders.{level}", given, width)
    tensors |= _double_conv("bottom", widths[-2], widths[-1])
    for level, width in enumerate(reversed(widths[:-1])):
        tensors |= {f"ups.{level}.weight": (2 * width, width, 2, 2), f"ups.{level}.bias": (width,)}
        tensors |= _double_conv(f"decoders.{level}", 2 * width, width)
    return tensors | {"head.weight": (1, base_channels, 1, 1), "head.bias": (1,)}


def check_densenet(growth_rate: int, block_config: Sequence[int], num_init_features: int) -> None:
    """Raise ValueError for sizes that make no DenseNet."""
    if not _integers(growth_rate, num_init_features, *block_config):
        raise ValueError("growth_rate, num_init_features and the layers of block_config must be whole numbers")
    if not 1 <= growth_rate <= MAX_GROWTH_RATE or not 1 <= num_init_features <= 4 * MAX_GROWTH_RATE:
        raise ValueError(f"growth_rate must be 1 to {MAX_GROWTH_RATE}, num_init_features 1 to {4 * MAX_GROWTH_RATE}")
    if not 1 <= len(block_config) <= 4 or not all(1 <= layers <= MAX_BLOCK_LAYERS for layers in block_config):
        raise ValueError(f"block_config must hold 1 to 4 numbers of layers, each 1 to {MAX_BLOCK_LAYERS}")


def densenet_tensors(
    growth_rate: int = 32, block_config: Sequence[int] = (6, 12, 24, 16), num_init_features: int = 64, drop_rate: float = 0.0
) -> Tensors:
    """Return name → shape of the tensors of `screening.models.DenseNet`. Raises ValueError as `check_densenet` does."""
    check_densenet(growth_rate, block_config, num_init_features)
    channels, squeezed = num_init_features, BOTTLENECK * growth_rate
    tensors: Tensors = {"features.conv0.weight": (channels, 1, 7, 7)} | _norm("features.norm0", channels)
    for block, layers in enumerate(block_config, start=1):
        for layer in range(1, layers + 1):
            name = f"features.denseblock{block}.denselayer{layer}"
            tensors |= _norm(f"{name}.norm1", channels) | {f"{name}.conv1.weight": (squeezed, channels, 1, 1)}
            tensors |= _norm(f"{name}.norm2", squeezed) | {f"{name}.conv2.weight": (growth_rate, squeezed, 3, 3)}
            channels += growth_rate
        if block < len(block_config):
            tensors |= _norm(f"features.transition{block}.norm", channels)
            tensors[f"features.transition{block}.conv.weight"] = (channels // 2, channels, 1, 1)
            channels //= 2
    return tensors | _norm("features.norm5", channels) | {"head.weight": (1, channels), "head.bias": (1,)}


def check_lite(width: float, depth: float, resolution: int, octaves: int) -> None:
    """Raise ValueError for sizes that make no EfficientNet-Lite."""
    if not all(isinstance(scale, int | float) and 0.25 <= scale <= MAX_LITE_SCALE for scale in (width, depth)):
        raise ValueError(f"width and depth must be numbers of 0.25 to {MAX_LITE_SCALE:g}")
    if not _integers(resolution) or not 32 <= resolution <= MAX_LITE_RESOLUTION:
        raise ValueError(f"resolution must be a whole number of 32 to {MAX_LITE_RESOLUTION}")
    if not _integers(octaves) or not 1 <= octaves <= MAX_LITE_OCTAVES:
        raise ValueError(f"octaves must be a whole number of 1 to {MAX_LITE_OCTAVES}")


def lite_stages(width: float, depth: float) -> list[tuple[int, int]]:
    """Return channels and layers of each stage of an EfficientNet-Lite.

    Channels are multiples of 8 and not below nine tenths of what the width asks for. The first and the last stage are not deeper.
    """
    stages = []
    for number, (*_, channels, layers) in enumerate(LITE_STAGES, start=1):
        wide = max(8, int(channels * width + 4) // 8 * 8)
        wide += 8 if wide < 0.9 * channels * width else 0
        stages.append((wide, layers if number in (1, len(LITE_STAGES)) else math.ceil(layers * depth)))
    return stages


def lite_features(width: float, depth: float) -> int:
    """Return how many features an EfficientNet-Lite makes of an image in one size: the channels of its stem, stages, last convolution."""
    return LITE_STEM + sum(channels for channels, _ in lite_stages(width, depth)) + LITE_HEAD


def lite_tensors(width: float = 1.0, depth: float = 1.0, resolution: int = 224, octaves: int = 1) -> Tensors:
    """Return name → shape of the tensors of `screening.models.EfficientNetLite`. Raises ValueError as `check_lite` does."""
    check_lite(width, depth, resolution, octaves)
    tensors: Tensors = {"conv_stem.weight": (LITE_STEM, 1, 3, 3)} | _norm("bn1", LITE_STEM)
    given = LITE_STEM
    for stage, ((kernel, _, expansion, _, _), (channels, layers)) in enumerate(zip(LITE_STAGES, lite_stages(width, depth), strict=True)):
        for layer in range(layers):
            name, wide = f"blocks.{stage}.{layer}", given * expansion
            convs = {"conv_dw": (wide, 1, kernel, kernel), ("conv_pw" if expansion == 1 else "conv_pwl"): (channels, wide, 1, 1)}
            if expansion > 1:
                convs = {"conv_pw": (wide, given, 1, 1)} | convs
            for i, (conv, shape) in enumerate(convs.items(), start=1):
                tensors |= {f"{name}.{conv}.weight": shape} | _norm(f"{name}.bn{i}", shape[0])
            given = channels
    features = octaves * lite_features(width, depth)
    tensors |= {"conv_head.weight": (LITE_HEAD, given, 1, 1)} | _norm("bn2", LITE_HEAD)
    return tensors | {"centre": (features,), "head.weight": (1, features), "head.bias": (1,)}


def _double_conv(name: str, given: int, width: int) -> Tensors:
    first = {f"{name}.0.weight": (width, given, 3, 3)} | _norm(f"{name}.1", width)
    return first | {f"{name}.3.weight": (width, width, 3, 3)} | _norm(f"{name}.4", width)


def _norm(name: str, channels: int) -> Tensors:
    return {f"{name}.{kind}": (channels,) for kind in ("weight", "bias", "running_mean", "running_var")} | {
        f"{name}.num_batches_tracked": ()
    }


def _integers(*numbers: object) -> bool:
    return all(isinstance(number, int) for number in numbers)

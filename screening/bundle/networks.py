"""The networks of a bundle: loaded with torch after every check of `screening.bundle`, and written so that they load again."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from pydantic import ValidationError
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of
from torch import nn

from schemas.bundle import STAGES, BundleManifest, Calibration, Network, OperatingPoint, Preprocessing
from screening.bundle.checks import MANIFEST_FILE, check_weights, faults_of, read_checked
from screening.errors import BundleError
from screening.models.build import build
from screening.storage import join, put_atomic


@dataclass(frozen=True)
class NetworkSpec:
    """One stage's network, before its weights have a file: what `models.build` needs, and the pixels a side it runs at."""

    architecture: str
    input_size: int
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Bundle:
    """A bundle that passed every check: its manifest, and one network a stage, float32, in evaluation mode, on the CPU."""

    manifest: BundleManifest
    networks: dict[str, nn.Module]


def load(url: str) -> Bundle:
    """Check and load the bundle in a folder, each file read once. Raises BundleError, which names the file and the remedy."""
    manifest, files = read_checked(url)
    return Bundle(manifest, {stage: _loaded(manifest.networks[stage], files[stage]) for stage in STAGES})


def load_networks(url: str) -> dict[str, nn.Module]:
    """Return the networks of `load`, one a stage."""
    return load(url).networks


def save_bundle(
    folder_url: str,
    *,
    name: str,
    modules: Mapping[str, nn.Module],
    networks: Mapping[str, NetworkSpec],
    operating_points: Mapping[str, OperatingPoint],
    preprocessing: Preprocessing | None = None,
    calibration: Mapping[str, Calibration] | None = None,
    heatmap: str = "cam",
    training_data: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    code_version: str = "",
    license: str = "",
    half: bool = False,
) -> BundleManifest:
    """Write the stages `lungs`, `pneumonia` and `covid` to a folder (any fsspec URL), `bundle.json` last, and return the manifest.

    `half` stores convolution and linear weights as float16: half the size, for scores that differ in the third digit.
    Raises BundleError where a stage is missing or would not load again.
    """
    files = {stage: _weights(stage, modules, networks, half) for stage in STAGES}
    try:
        text = BundleManifest(
            name=name,
            networks={stage: _network(stage, networks[stage], files[stage]) for stage in STAGES},
            preprocessing=preprocessing or Preprocessing(),
            heatmap=heatmap,
            operating_points=dict(operating_points),
            calibration=dict(calibration or {}),
            training_data=dict(training_data or {}),
            metrics=dict(metrics or {}),
            code_version=code_version,
            license=license,
        ).model_dump_json(indent=2, exclude={"sites"})  # those are chosen later, where the bundle is used
        manifest = BundleManifest.model_validate_json(text)  # as it will be read, e.g. with null for a metric that is NaN
    except (ValidationError, ValueError) as error:
        raise BundleError(f"{folder_url}: not a bundle: {faults_of(error)}") from error
    check_weights(folder_url, manifest, files)
    for stage in STAGES:
        put_atomic(join(folder_url, manifest.networks[stage].file), files[stage])
    put_atomic(join(folder_url, MANIFEST_FILE), text.encode())
    return manifest


def _network(stage: str, spec: NetworkSpec, weights: bytes) -> Network:
    return Network(
        architecture=spec.architecture,
        arguments=dict(spec.arguments),
        input_size=spec.input_size,
        file=f"{stage}.safetensors",
        sha256=hashlib.sha256(weights).hexdigest(),
    )


def _weights(stage: str, modules: Mapping[str, nn.Module], networks: Mapping[str, NetworkSpec], half: bool) -> bytes:
    if stage not in modules or stage not in networks:
        raise BundleError(f"a bundle needs all of {', '.join(STAGES)}: no module or no network for {stage!r}")
    tensors = {}
    for key, value in modules[stage].state_dict().items():
        tensor = value.detach().cpu().contiguous()
        # scales, shifts and running variances stay float32: they are few, and a variance can leave the range of float16
        tensors[key] = tensor.half() if half and tensor.is_floating_point() and tensor.ndim > 1 else tensor
    return bytes_of(tensors)


def _loaded(network: Network, weights: bytes) -> nn.Module:
    tensors = {key: value.float() if value.is_floating_point() else value for key, value in tensors_of(weights).items()}
    with torch.device("meta"):  # without weights of its own
        module = build(network)
    module.load_state_dict(tensors, assign=True)
    return module.to(memory_format=torch.channels_last).eval().requires_grad_(False)

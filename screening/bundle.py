"""A bundle: a folder with the weights of the three stages (safetensors) and `bundle.json`, which says everything else.

Nothing in a bundle can run: safetensors hold numbers only, and a folder with a pickle in it is refused. Everything is
checked on load, before any image is read: each file's SHA-256, each tensor's name, shape and values.
"""

import hashlib
import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of
from torch import nn

from schemas.bundle import FORMAT_VERSION, STAGES, BundleManifest, Calibration, Network, OperatingPoint, Preprocessing
from screening.errors import BundleError
from screening.models import ARCHITECTURE_OF_STAGE, build
from screening.storage import filesystem_of, join, put_atomic

MANIFEST_FILE = "bundle.json"
PICKLE_SUFFIXES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib")
PAPER_RESHAPE_CHANNELS = 1024  # Eq. 1 reshapes that many features to 32 x 32
_OTHER_COPY = "take another copy of the bundle"


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


def digest12(manifest: BundleManifest) -> str:
    """Return the first 12 hex digits of the digest: what folders and tables are named by."""
    return manifest.digest()[:12]


def with_operating_points(manifest: BundleManifest, points: Mapping[str, OperatingPoint] | None) -> BundleManifest:
    """Return the manifest with other thresholds than those it was released with, and so another digest: no silent change."""
    if not points:
        return manifest
    return manifest.model_copy(update={"operating_points": {**manifest.operating_points, **points}})


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
        ).model_dump_json(indent=2)
        manifest = BundleManifest.model_validate_json(text)  # as it will be read, e.g. with null for a metric that is NaN
    except (ValidationError, ValueError) as error:
        raise BundleError(f"{folder_url}: not a bundle: {_faults(error)}") from error
    for stage in STAGES:
        _load_module(folder_url, stage, manifest, files[stage])
    for stage in STAGES:
        put_atomic(join(folder_url, manifest.networks[stage].file), files[stage])
    put_atomic(join(folder_url, MANIFEST_FILE), text.encode())
    return manifest


def load_manifest(url: str) -> BundleManifest:
    """Return the manifest of the bundle in a folder. Looks at no weights. Raises BundleError, which names the file and the remedy."""
    text = _read(url, MANIFEST_FILE)
    where = f"{url}/{MANIFEST_FILE}"
    try:
        manifest = BundleManifest.model_validate(json.loads(text, parse_constant=_refuse_constant))
    except (ValidationError, ValueError) as error:
        remedy = f"{_OTHER_COPY}, or the version of the code that wrote it"
        raise BundleError(f"{where} is not a manifest of format {FORMAT_VERSION} ({_faults(error)}): {remedy}") from None
    for stage in STAGES:
        if stage not in manifest.networks:
            raise BundleError(f"{where} has no network for the stage {stage!r}: train all three stages, then save the bundle")
        if manifest.networks[stage].architecture != ARCHITECTURE_OF_STAGE[stage]:
            raise BundleError(f"{where}: the stage {stage!r} needs a {ARCHITECTURE_OF_STAGE[stage]}: save the bundle again")
    for stage in ("pneumonia", "covid"):
        if stage not in manifest.operating_points:
            raise BundleError(f"{where} has no operating point for the stage {stage!r}: choose one and save the bundle again")
    return manifest


def load(url: str) -> Bundle:
    """Check and load the bundle in a folder, each file read once. Raises BundleError, which names the file and the remedy."""
    manifest = load_manifest(url)
    filesystem, folder = filesystem_of(url)
    for path in filesystem.ls(folder, detail=False):
        if path.lower().endswith(PICKLE_SUFFIXES):
            raise BundleError(
                f"{url}/{posixpath.basename(path)} may be a pickle, which can run code when opened: remove it from the bundle"
            )
    files = {stage: _read(url, manifest.networks[stage].file) for stage in STAGES}
    for stage in STAGES:
        network = manifest.networks[stage]
        found = hashlib.sha256(files[stage]).hexdigest()
        if found != network.sha256:
            raise BundleError(
                f"{url}/{network.file} is damaged or of another bundle (SHA-256 {found[:12]}, not {network.sha256[:12]}): {_OTHER_COPY}"
            )
    return Bundle(manifest, {stage: _load_module(url, stage, manifest, files[stage]) for stage in STAGES})


def load_networks(url: str) -> dict[str, nn.Module]:
    """Return the networks of `load`, one a stage."""
    return load(url).networks


def verify(url: str, digest: str | None = None) -> BundleManifest:
    """Check everything that `load` does and return the manifest; where `digest` is given, the bundle's own must begin with it."""
    manifest = load(url).manifest
    if digest is not None and not manifest.digest().startswith(digest.lower()):
        raise BundleError(f"{url} is the bundle {digest12(manifest)}, not {digest[:12]}: its {MANIFEST_FILE} was changed, or it is another")
    return manifest


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"it holds {constant}")


def _faults(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}" for fault in error.errors()[:3])


def _read(url: str, file: str) -> bytes:
    filesystem, folder = filesystem_of(url)
    try:
        return filesystem.cat_file(posixpath.join(folder, file))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise BundleError(f"{url}/{file} is missing: give the folder of a bundle, or {_OTHER_COPY}") from None
    except OSError as error:
        raise BundleError(f"{url}/{file} cannot be read ({error}): check the URL and the permissions") from error


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


def _load_module(url: str, stage: str, manifest: BundleManifest, weights: bytes) -> nn.Module:
    """Return the stage's network with these weights; raises BundleError where tensors are missing, too many, misshapen or not finite."""
    where = f"{url}/{manifest.networks[stage].file}"
    try:
        tensors = {key: value.float() if value.is_floating_point() else value for key, value in tensors_of(weights).items()}
    except (SafetensorError, ValueError, KeyError) as error:
        raise BundleError(f"{where} is not a safetensors file ({error}): {_OTHER_COPY}") from error
    with torch.device("meta"):  # shapes alone: a manifest that asks for absurd sizes costs nothing
        module = build(manifest.networks[stage])
    expected = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    _check_tensors(where, expected, tensors)
    if manifest.heatmap == "paper_reshape" and stage != "lungs" and module.head.in_features != PAPER_RESHAPE_CHANNELS:
        needs = f"'paper_reshape' needs {PAPER_RESHAPE_CHANNELS} feature channels, not {module.head.in_features}"
        raise BundleError(f"{where}: the heatmap {needs}: save the bundle with 'cam'")
    module.load_state_dict(tensors, assign=True)
    return module.to(memory_format=torch.channels_last).eval().requires_grad_(False)


def _check_tensors(where: str, expected: Mapping[str, tuple[int, ...]], tensors: Mapping[str, torch.Tensor]) -> None:
    missing, extra = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    if missing or extra:
        faults = f"lacks {missing[:3] or 'nothing'}, has {extra[:3] or 'nothing'} besides"
        raise BundleError(f"{where} does not fit the manifest's architecture: {faults}: {_OTHER_COPY}")
    for key, tensor in tensors.items():
        if tuple(tensor.shape) != expected[key]:
            raise BundleError(f"{where}: {key} has the shape {tuple(tensor.shape)}, the manifest asks for {expected[key]}: {_OTHER_COPY}")
        if not torch.isfinite(tensor).all():
            raise BundleError(f"{where}: {key} holds values that are not finite: train or export the stage again")

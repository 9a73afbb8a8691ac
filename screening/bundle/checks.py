"""A bundle: a folder with the weights of the three stages (safetensors) and `bundle.json`, which says everything else.

Nothing in a bundle can run: safetensors hold numbers only, and a folder with a pickle in it is refused. Everything is
checked before any image is read: each file's SHA-256, each tensor's name, shape and values. `screening.bundle.networks` makes
networks of it; this module needs no torch.
"""

import hashlib
import json
import posixpath
from collections.abc import Mapping

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError, deserialize

from schemas.bundle import FORMAT_VERSION, STAGES, BundleManifest
from schemas.progress import OnProgress, counter, unwatched
from screening.errors import BundleError
from screening.models.architectures import ARCHITECTURES_OF_STAGE, Tensors, size_step, tensors_of
from screening.storage import filesystem_of

MANIFEST_FILE = "bundle.json"
PICKLE_SUFFIXES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib")
PAPER_RESHAPE_CHANNELS = 1024  # Eq. 1 reshapes that many features to 32 x 32
_DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16, "I64": np.int64}  # numpy has no bf16
_OTHER_COPY = "take another copy of the bundle"


def digest12(manifest: BundleManifest) -> str:
    """Return the first 12 hex digits of the digest: what folders and tables are named by."""
    return manifest.digest()[:12]


def load_manifest(url: str) -> BundleManifest:
    """Return the manifest of the bundle in a folder. Looks at no weights. Raises BundleError, which names the file and the remedy."""
    text = _read(url, MANIFEST_FILE)
    where = f"{url}/{MANIFEST_FILE}"
    try:
        manifest = BundleManifest.model_validate(json.loads(text, parse_constant=_refuse_constant))
    except (ValidationError, ValueError) as error:
        remedy = f"{_OTHER_COPY}, or the version of the code that wrote it"
        raise BundleError(f"{where} is not a manifest of format {FORMAT_VERSION} ({faults_of(error)}): {remedy}") from None
    for stage in STAGES:
        if stage not in manifest.networks:
            raise BundleError(f"{where} has no network for the stage {stage!r}: train all three stages, then save the bundle")
        if manifest.networks[stage].architecture not in ARCHITECTURES_OF_STAGE[stage]:
            raise BundleError(f"{where}: the stage {stage!r} needs a {' or '.join(ARCHITECTURES_OF_STAGE[stage])}: save the bundle again")
    for stage in ("pneumonia", "covid"):
        if stage not in manifest.operating_points:
            raise BundleError(f"{where} has no operating point for the stage {stage!r}: choose one and save the bundle again")
    return manifest


def read_checked(url: str, on_progress: OnProgress = unwatched) -> tuple[BundleManifest, dict[str, bytes]]:
    """Return the manifest of the bundle in a folder and stage → its weights file, each read once.

    Raises BundleError, which names the file and the remedy.
    """
    manifest = load_manifest(url)
    filesystem, folder = filesystem_of(url)
    for path in filesystem.ls(folder, detail=False):
        if path.lower().endswith(PICKLE_SUFFIXES):
            raise BundleError(
                f"{url}/{posixpath.basename(path)} may be a pickle, which can run code when opened: remove it from the bundle"
            )
    count, files = counter(on_progress, "reading weights", len(STAGES)), {}
    for stage in STAGES:
        files[stage] = _read(url, manifest.networks[stage].file)
        count(1)
    on_progress("checking weights", 0, 0)
    for stage in STAGES:
        network = manifest.networks[stage]
        digest = hashlib.sha256(files[stage]).hexdigest()
        if digest != network.sha256:
            raise BundleError(
                f"{url}/{network.file} is damaged or of another bundle (SHA-256 {digest[:12]}, not {network.sha256[:12]}): {_OTHER_COPY}"
            )
    check_weights(url, manifest, files)
    return manifest, files


def verify(url: str, digest: str | None = None, on_progress: OnProgress = unwatched) -> BundleManifest:
    """Check everything about a bundle and return its manifest; where `digest` is given, the bundle's own must begin with it."""
    manifest, _ = read_checked(url, on_progress)
    if digest is not None and not manifest.digest().startswith(digest.lower()):
        raise BundleError(f"{url} is the bundle {digest12(manifest)}, not {digest[:12]}: its {MANIFEST_FILE} was changed, or it is another")
    return manifest


def check_weights(url: str, manifest: BundleManifest, files: Mapping[str, bytes]) -> None:
    """Raise BundleError where a stage's tensors are missing, too many, misshapen or not finite, or its size of image does not fit."""
    for stage in STAGES:
        network = manifest.networks[stage]
        where = f"{url}/{network.file}"
        expected = tensors_of(network)
        if network.input_size % size_step(network):
            needs = f"takes a multiple of {size_step(network)} pixels a side, not {network.input_size}"
            raise BundleError(f"{url}/{MANIFEST_FILE}: the network of stage {stage!r} {needs}: save the bundle again")
        _check_tensors(where, expected, _arrays_of(where, files[stage]))
        if manifest.heatmap == "paper_reshape" and stage != "lungs" and expected["head.weight"][1] != PAPER_RESHAPE_CHANNELS:
            needs = f"'paper_reshape' needs {PAPER_RESHAPE_CHANNELS} feature channels, not {expected['head.weight'][1]}"
            raise BundleError(f"{where}: the heatmap {needs}: save the bundle with 'cam'")


def _arrays_of(where: str, weights: bytes) -> dict[str, np.ndarray]:
    """Return name → tensor of a safetensors file, bf16 as float32."""
    try:
        stored = deserialize(weights)
    except SafetensorError as error:
        raise BundleError(f"{where} is not a safetensors file ({error}): {_OTHER_COPY}") from error
    arrays = {}
    for name, tensor in stored:
        if tensor["dtype"] not in _DTYPES:
            raise BundleError(f"{where}: {name} holds {tensor['dtype']} numbers, not {', '.join(_DTYPES)}: export the stage again")
        values = np.frombuffer(tensor["data"], _DTYPES[tensor["dtype"]]).reshape(tensor["shape"])
        arrays[name] = (values.astype(np.uint32) << 16).view(np.float32) if tensor["dtype"] == "BF16" else values
    return arrays


def _check_tensors(where: str, expected: Tensors, arrays: Mapping[str, np.ndarray]) -> None:
    missing, extra = sorted(expected.keys() - arrays.keys()), sorted(arrays.keys() - expected.keys())
    if missing or extra:
        faults = f"lacks {missing[:3] or 'nothing'}, has {extra[:3] or 'nothing'} besides"
        raise BundleError(f"{where} does not fit the manifest's architecture: {faults}: {_OTHER_COPY}")
    for name, tensor in arrays.items():
        if tensor.shape != expected[name]:
            raise BundleError(f"{where}: {name} has the shape {tensor.shape}, the manifest asks for {expected[name]}: {_OTHER_COPY}")
        if not np.isfinite(tensor).all():
            raise BundleError(f"{where}: {name} holds values that are not finite: train or export the stage again")


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"it holds {constant}")


def faults_of(error: ValueError) -> str:
    """Return what pydantic, or another reader, found wrong, in one line."""
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

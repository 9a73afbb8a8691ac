"""A bundle in half the size: weights as float16, everything else as it was."""

from schemas.bundle import BundleManifest
from screening.bundle.networks import NetworkSpec, load, save_bundle
from screening.storage import exists, filesystem_of, join, put_atomic, read_bytes
from train.release.curves import CURVES_FILE


def pack(bundle_url: str, output_url: str, name: str | None = None, license: str | None = None) -> BundleManifest:
    """Write the bundle at `bundle_url` to `output_url` with convolution and linear weights as float16, and return its manifest.

    It is another bundle, with a digest of its own: scores differ in the third digit, so measure it anew before it is released. Calibration
    and operating points are kept; `training_data` says what it was packed from. `license` is of the weights. Raises
    BundleError for a damaged bundle.
    """
    bundle = load(bundle_url)
    manifest = bundle.manifest
    networks = {stage: NetworkSpec(it.architecture, it.input_size, dict(it.arguments)) for stage, it in manifest.networks.items()}
    packed = save_bundle(
        output_url,
        name=name or manifest.name,
        modules=bundle.networks,
        networks=networks,
        operating_points=manifest.operating_points,
        preprocessing=manifest.preprocessing,
        calibration=manifest.calibration,
        heatmap=manifest.heatmap,
        training_data=manifest.training_data | {"packed_from": manifest.digest()},
        metrics=manifest.metrics,
        code_version=manifest.code_version,
        license=manifest.license if license is None else license,
        half=True,
    )
    if exists(join(bundle_url, CURVES_FILE)):
        put_atomic(join(output_url, CURVES_FILE), read_bytes(join(bundle_url, CURVES_FILE)))
    return packed


def weights_megabytes(bundle_url: str, manifest: BundleManifest) -> float:
    """Return the size of a bundle's weights, in millions of bytes."""
    filesystem, folder = filesystem_of(bundle_url)
    return sum(filesystem.size(f"{folder}/{network.file}") for network in manifest.networks.values()) / 1e6

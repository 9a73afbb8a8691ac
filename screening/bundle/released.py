"""The bundles that come with this package: the released one, which `screening run` uses unless another is named, and that of the demo."""

from pathlib import Path

from screening.errors import UsageError

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
RELEASED_BUNDLE = BUNDLES / "cxr-public-2"  # trained on real radiographs
PHANTOM_BUNDLE = BUNDLES / "synthetic-small"  # trained on synthetic ones, for `screening demo`: knows nothing of real ones


def released_bundle() -> str:
    """Return the folder of the released bundle. Raises UsageError where the package was installed without it."""
    if not RELEASED_BUNDLE.is_dir():
        raise UsageError(f"this installation has no released bundle (it would be in {RELEASED_BUNDLE}): name one with --bundle")
    return str(RELEASED_BUNDLE)


def phantom_bundle() -> str:
    """Return the folder of the demo's bundle. Raises UsageError where the package was installed without it."""
    if not PHANTOM_BUNDLE.is_dir():
        raise UsageError(
            f"this installation has no bundle for synthetic radiographs (it would be in {PHANTOM_BUNDLE}): train one with --train"
        )
    return str(PHANTOM_BUNDLE)

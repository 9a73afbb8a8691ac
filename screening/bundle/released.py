"""The bundle that is released with this package, which `screening run` uses unless another is named."""

from pathlib import Path

from screening.errors import UsageError

RELEASED_BUNDLE = Path(__file__).resolve().parents[2] / "bundles" / "cxr-public-1"


def released_bundle() -> str:
    """Return the folder of the released bundle. Raises UsageError where the package was installed without it."""
    if not RELEASED_BUNDLE.is_dir():
        raise UsageError(f"this installation has no released bundle (it would be in {RELEASED_BUNDLE}): name one with --bundle")
    return str(RELEASED_BUNDLE)

"""What can be told within a second, before anything is started: a mistyped path costs no minute and leaves nothing behind.

Needs neither Ray nor torch, which take seconds to import. The full checks follow where the work is done.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.bundle import BundleManifest, Overrides
    from schemas.registry import RegistryEntry
    from train.data.manifest import Manifest


REGISTRY = "registry"  # as the name of a bundle: the promoted one


def check_archive(archive: str, results: str, inventory: str | None = None) -> None:
    """Raise ArchiveError where there is nothing to list, or no inventory of it; UsageError where the results would lie among the images."""
    from screening.archive.index import check_apart, check_listable

    check_apart(archive, results)
    check_listable(archive, inventory)


def check_writable(results: str) -> None:
    """Raise WriteError where the results folder takes no file."""
    from screening.storage import check_writable as check_folder

    check_folder(results)


def check_bundle(url: str) -> "BundleManifest":
    """Return the manifest of a bundle that has all its files, unread. Raises BundleError."""
    from screening.errors import BundleError
    from screening.storage import exists, join

    def check_file(name: str) -> None:
        if not exists(join(url, name)):
            raise BundleError(f"{url}/{name} is missing: give the folder of a bundle, or take another copy of it{_from_here(url)}")

    check_file("bundle.json")
    from screening.bundle.checks import load_manifest  # takes half of the second: not for a path that leads nowhere

    manifest = load_manifest(url)
    for network in manifest.networks.values():
        check_file(network.file)
    return manifest


def bundle_for(named: str | None, results: str, operating_points: str | None) -> "tuple[str, RegistryEntry | None]":
    """Return the URL of the bundle that a run is to judge with, and the entry of the registry where that says so.

    named: the folder of a bundle; "registry" for the promoted one; None for the promoted one too where there is one, else the released one.
    Raises UsageError where none is promoted, or the promoted one is to judge at other operating points than those it was registered with.
    """
    from screening.bundle.released import released_bundle
    from screening.errors import UsageError
    from screening.registry.history import promoted, read_history
    from screening.results.layout import ResultsLayout

    if named not in (None, REGISTRY):
        return named, None
    entry = promoted(read_history(ResultsLayout(results)))
    if entry is None:
        if named:
            raise UsageError(f"--bundle {REGISTRY}: {results} has no promoted bundle; `screening bundle promote` promotes one")
        return released_bundle(), None
    if operating_points:
        raise UsageError(
            f"{entry} is promoted with its operating points: register it with the other ones and promote it, or name a folder by --bundle"
        )
    return entry.bundle_url, entry


def check_file(option: str, url: str) -> None:
    """Raise UsageError where the file that an option names is missing."""
    from screening.errors import UsageError
    from screening.storage import exists

    if not exists(url):
        raise UsageError(f"{option} {url}: there is no such file{_from_here(url)}")


def check_operating_points(url: str, bundle: "BundleManifest") -> "Overrides":
    """Return what a file of operating points holds. Raises UsageError where it cannot be read or is for another bundle."""
    from screening.bundle.operating_points import check, load

    return check(load(url), bundle.digest())


def check_manifest(url: str, splits: Sequence[str] = ()) -> "Manifest":
    """Return a manifest that has images in each of some splits, the first of which is where the manifest says.

    Raises TrainingError, and UsageError for a split that has none.
    """
    from screening.errors import TrainingError
    from screening.storage import exists

    if not exists(url):
        raise TrainingError(f"{url} is missing: give the manifest, a CSV file{_from_here(url)}")
    from train.data.manifest import read_manifest  # takes half of the second, too

    manifest = read_manifest(url)
    for split in splits:
        manifest.part(split)
    first = manifest.table["image_url"][0]
    if "::" not in first and not exists(first):
        raise TrainingError(f"{url}: its first image, {first}, is not there; paths are relative to the manifest")
    return manifest


def _from_here(url: str) -> str:
    """Return where a relative path starts, in words; nothing for other URLs."""
    return "" if "://" in url or os.path.isabs(url) else f"; relative paths start at {os.getcwd()}"

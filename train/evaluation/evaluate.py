"""One evaluation: bundles over splits of one manifest, each image decoded once, and all figures in one answer."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import polars as pl

from schemas.bundle import BundleManifest
from screening.bundle.checks import load_manifest, verify
from screening.errors import UsageError
from train.data.images import ImageCache, cached
from train.data.manifest import SPLITS, Manifest, read_manifest
from train.evaluation.audit import audit
from train.evaluation.comparison import compared
from train.evaluation.figures import split_figures
from train.evaluation.intervals import Resampling
from train.evaluation.scores import Shown, score_images, score_shown
from train.session import training_session

DEFAULT_SPLITS = ("val", "test")
WITHOUT_MASK = "without the lung mask"


def evaluate(
    bundle_url: str,
    manifest_url: str,
    splits: Sequence[str] = DEFAULT_SPLITS,
    *,
    others: Sequence[str] = (),
    without_lung_mask: bool = False,
    use_gpu: bool = False,
    storage_url: str | None = None,
    how: Resampling | None = None,
    on_split: Callable[[str], None] = lambda name: None,
) -> dict[str, Any]:
    """Return what `metrics.json` holds: how well a bundle does on each split of a manifest.

    Args:
        bundle_url: the bundle that is judged.
        manifest_url: see train.data.manifest.read_manifest.
        splits: those to judge on.
        others: bundles that are scored on the same images and compared with it, pair by pair.
        without_lung_mask: also show stages 2 and 3 the whole image, and compare (the paper's Table 3).
        use_gpu: run the cascade on a GPU.
        storage_url: folder for decoded images, used again by the next evaluation.
        how: of the intervals.
        on_split: called with the name of each split before it is judged.

    Raises:
        BundleError: a damaged bundle.
        TrainingError: a manifest that cannot be read.
        UsageError: a split that is none, or has no images.
    """
    how = how or Resampling()
    shown = (Shown.LUNGS, Shown.OUTSIDE, *([Shown.WHOLE] if without_lung_mask else []))
    bundles = {url: verify(url) for url in (bundle_url, *others)}
    answer: dict[str, Any] = {
        "bundle": identity(bundles[bundle_url]),
        "compared_with": [identity(bundles[url]) for url in others],
        "shown": [str(each) for each in shown],
        "unit": "image; 95 % intervals draw patients",
        "bootstrap": dataclasses.asdict(how),
        "splits": {},
    }
    manifest = read_manifest(manifest_url)
    answer["manifest"] = {"file": manifest_url.rstrip("/").rsplit("/", 1)[-1], "sha256": manifest.digest}
    with decoded_splits(manifest, splits, bundle_url, storage_url) as decoded:
        for split, images in decoded:
            on_split(split)
            own, traces = score_shown(bundle_url, images, split, shown, traced=True, use_gpu=use_gpu)
            figures = split_figures(own[Shown.LUNGS], how) | {"refused": images.refused}
            figures["audit"] = audit(bundle_url, images, split, own[Shown.LUNGS], own[Shown.OUTSIDE], traces, how, use_gpu=use_gpu)
            figures["comparisons"] = [compared(own[Shown.LUNGS], own[each], WITHOUT_MASK, how) for each in shown if each is Shown.WHOLE]
            for url in others:
                other = score_images(url, images, split, use_gpu=use_gpu)
                figures["comparisons"].append(compared(own[Shown.LUNGS], other, other.bundle.name, how))
            answer["splits"][split] = figures
    return answer


def identity(bundle: BundleManifest) -> dict[str, str]:
    """Return what names a bundle in an answer."""
    return {"name": bundle.name, "digest": bundle.digest()}


@contextmanager
def decoded_splits(
    manifest: Manifest, splits: Sequence[str], bundle_url: str, storage_url: str | None
) -> Iterator[Iterator[tuple[str, ImageCache]]]:
    """Give the decoded images of each split, behind the gate of a bundle. Raises UsageError for a split without images."""
    preprocessing = load_manifest(bundle_url).preprocessing
    parts = {split: dataclasses.replace(manifest, table=manifest.table.filter(pl.col("split") == split)) for split in dict.fromkeys(splits)}
    for split, part in parts.items():
        if part.table.is_empty():
            raise UsageError(f"{manifest.url} has no image in split {split!r}: there are {', '.join(SPLITS)}")
    with training_session(storage_url) as folder_url:
        yield ((split, cached(part, f"{folder_url}/{split}", preprocessing, decoders=2)) for split, part in parts.items())

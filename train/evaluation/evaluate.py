"""One evaluation: bundles over splits of one manifest, each image decoded once, and all figures in one answer."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from schemas.bundle import BundleManifest
from schemas.progress import OnProgress, unwatched, within
from screening.bundle.checks import load_manifest, verify
from train.data.images import ImageCache, cached
from train.data.manifest import Manifest, read_manifest
from train.evaluation.audit import audit
from train.evaluation.choices import DEFAULT_SPLITS, AuditDepth
from train.evaluation.comparison import compared
from train.evaluation.figures import split_figures
from train.evaluation.intervals import Resampling
from train.evaluation.scores import Shown, score_images, score_shown
from train.session import training_session

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
    depth: AuditDepth = AuditDepth.FULL,
    on_progress: OnProgress = unwatched,
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
        depth: how much of the shortcut audit is made; what is not made is null.

    Raises:
        BundleError: a damaged bundle.
        TrainingError: a manifest that cannot be read.
        UsageError: a split that is none, or has no images.
    """
    how = how or Resampling()
    audited = depth is not AuditDepth.NONE
    shown = (Shown.LUNGS, *([Shown.OUTSIDE] if audited else []), *([Shown.WHOLE] if without_lung_mask else []))
    bundles = {url: verify(url) for url in (bundle_url, *others)}
    answer: dict[str, Any] = {
        "bundle": identity(bundles[bundle_url]),
        "compared_with": [identity(bundles[url]) for url in others],
        "shown": [str(each) for each in shown],
        "audit": str(depth),
        "unit": "image; 95 % intervals draw patients",
        "bootstrap": dataclasses.asdict(how),
        "splits": {},
    }
    manifest = read_manifest(manifest_url)
    answer["manifest"] = {"file": manifest_url.rstrip("/").rsplit("/", 1)[-1], "sha256": manifest.digest}
    options = {"others": others, "how": how, "depth": depth, "use_gpu": use_gpu}
    with decoded_splits(manifest, splits, bundle_url, storage_url, on_progress) as decoded:
        for split, images in decoded:
            told = within(on_progress, f"split {split}")
            answer["splits"][split] = _figures(bundle_url, images, split, shown, **options, on_progress=told)
    return answer


def _figures(
    bundle_url: str,
    images: ImageCache,
    split: str,
    shown: Sequence[Shown],
    *,
    others: Sequence[str],
    how: Resampling,
    depth: AuditDepth,
    use_gpu: bool,
    on_progress: OnProgress,
) -> dict[str, Any]:
    """Return all figures of one split: the bundle's own, the audit, and its comparisons."""
    options = {"use_gpu": use_gpu, "on_progress": on_progress}
    scores, traces = score_shown(bundle_url, images, split, shown, traced=depth is not AuditDepth.NONE, **options)
    own = scores[Shown.LUNGS]
    on_progress("figures and their intervals", 0, 0)
    figures = split_figures(own, how) | {"refused": images.refused, "audit": None}
    if traces is not None:
        full = depth is AuditDepth.FULL
        figures["audit"] = audit(bundle_url, images, split, own, scores[Shown.OUTSIDE], traces, how, with_randomisation=full, **options)
    figures["comparisons"] = [compared(own, scores[each], WITHOUT_MASK, how) for each in shown if each is Shown.WHOLE]
    for url in others:
        other = score_images(url, images, split, use_gpu=use_gpu, on_progress=within(on_progress, load_manifest(url).name))
        figures["comparisons"].append(compared(own, other, other.bundle.name, how))
    return figures


def identity(bundle: BundleManifest) -> dict[str, str]:
    """Return what names a bundle in an answer."""
    return {"name": bundle.name, "digest": bundle.digest()}


@contextmanager
def decoded_splits(
    manifest: Manifest, splits: Sequence[str], bundle_url: str, storage_url: str | None, on_progress: OnProgress = unwatched
) -> Iterator[Iterator[tuple[str, ImageCache]]]:
    """Give the decoded images of each split, behind the gate of a bundle. Raises UsageError for a split without images."""
    preprocessing = load_manifest(bundle_url).preprocessing
    parts = {split: manifest.part(split) for split in dict.fromkeys(splits)}

    def decoded(split: str, part: Manifest, folder_url: str) -> ImageCache:
        return cached(part, f"{folder_url}/{split}", preprocessing, decoders=2, on_progress=within(on_progress, f"split {split}"))

    with training_session(storage_url) as folder_url:
        yield ((split, decoded(split, part, folder_url)) for split, part in parts.items())

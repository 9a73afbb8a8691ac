"""A bundle fitted to one hospital: its own calibration and operating points from its first weeks, the networks as they are.

Another hospital has other machines and other people, so that a score there means something else. Two numbers a stage, Platt's slope and
intercept, and a threshold are what few images can tell; the networks would need thousands.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from schemas.bundle import BundleManifest, Calibration, OperatingPoint, SitePoints
from schemas.operating_points import Evidence, OperatingPoints
from schemas.progress import OnProgress, unwatched
from screening.bundle.checks import MANIFEST_FILE, verify
from screening.errors import TrainingError
from screening.metrics import Z_95, wilson
from screening.storage import join, put_atomic, read_bytes
from train.data.images import cached
from train.data.manifest import Manifest
from train.evaluation.figures import accuracy_of
from train.evaluation.intervals import Resampling
from train.evaluation.scores import Scores, score_images
from train.release.calibration import fit_platt
from train.release.export import JUDGES, TUNING_SPLIT
from train.release.operating_points import choose_operating_point
from train.session import training_session

LEAST_IMAGES = 50  # of each class: with fewer, sensitivity alone is uncertain by 8 points and more either way
NARROW = 0.05  # half the width of an interval that a programme can plan with


@dataclass(frozen=True)
class SiteFit:
    """What fitting one stage found. `kept` says why the bundle's own numbers stand; the figures are of the site's images either way."""

    stage: str
    positives: int
    negatives: int
    kept: str | None
    before: dict[str, Any]  # AUROC, sensitivity and specificity with the bundle's own numbers
    after: dict[str, Any]  # with the fitted ones
    needed: dict[str, int]  # "sensitivity", "specificity" → images of its class for an interval of NARROW either way

    def to_json(self) -> dict[str, Any]:
        """Return every field as plain JSON values."""
        return dataclasses.asdict(self)


def fit_site(
    bundle_url: str,
    manifest: Manifest,
    site: str,
    output_url: str | None,
    rules: dict[str, str],
    *,
    least: int = LEAST_IMAGES,
    how: Resampling | None = None,
    use_gpu: bool = False,
    storage_url: str | None = None,
    on_progress: OnProgress = unwatched,
) -> tuple[BundleManifest, list[SiteFit]]:
    """Fit a bundle to a site, and return the manifest of the fitted one and what was found for stages 2 and 3.

    Args:
        bundle_url: the bundle; its weights are copied byte by byte.
        manifest: labelled images of the site; whatever their split, all are used.
        site: its name, which becomes part of the bundle's.
        output_url: folder to write the fitted bundle to, which has a digest of its own; None writes none.
        rules: stage → how its operating point is chosen, see train.release.operating_points.
        least: images of each class without which a stage keeps the bundle's own numbers.
        how: of the intervals, which draw patients. They are of the images that chose the numbers, and flatter.
        use_gpu: run the networks on a GPU.
        storage_url: folder for decoded images.
        on_progress: while images are decoded and judged.

    Raises:
        BundleError: a damaged bundle.
        TrainingError: no stage has enough images of both classes.
    """
    bundle = verify(bundle_url)
    table = manifest.table.with_columns(pl.lit(TUNING_SPLIT).alias("split"))
    with training_session(storage_url) as folder_url:
        images = cached(dataclasses.replace(manifest, table=table), folder_url, bundle.preprocessing, decoders=2, on_progress=on_progress)
        scores = score_images(bundle_url, images, TUNING_SPLIT, use_gpu=use_gpu, on_progress=on_progress)
    data = f"site {site}, manifest {manifest.digest[:12]}"
    found = [_fitted(stage, scores.labelled(), rules[stage], data, least, how or Resampling()) for stage in JUDGES]
    fits = [fit for fit, _ in found]
    if all(fit.kept for fit in fits):
        raise TrainingError(f"{manifest.url}: {'; '.join(f'stage {fit.stage} {fit.kept}' for fit in fits)}")
    numbers = {fit.stage: own for fit, own in found if own is not None}
    fitted = bundle.model_copy(
        update={
            "name": f"{bundle.name}@{site}",
            "calibration": bundle.calibration | {stage: own.calibration for stage, own in numbers.items()},
            "operating_points": bundle.operating_points | {stage: own.point for stage, own in numbers.items()},
            "training_data": bundle.training_data | {"fitted_to": _record(bundle, site, manifest)},
        }
    )
    if output_url is not None:
        _write(bundle_url, output_url, fitted)
    return fitted, fits


def points_of(fitted: BundleManifest, fits: Sequence[SiteFit], site: str) -> OperatingPoints:
    """Return what `fit_site` found as numbers that judge the images of that site alone, with the bundle that was fitted.

    The evidence is that of the last stage which has numbers of its own.
    """
    own = [fit for fit in fits if fit.kept is None]
    stages = [fit.stage for fit in own]
    numbers = SitePoints(
        operating_points={stage: fitted.operating_points[stage] for stage in stages},
        calibration={stage: fitted.calibration[stage] for stage in stages},
    )
    digest = fitted.training_data["fitted_to"]["bundle"]
    return OperatingPoints(bundle_digest=digest, chosen=date.today(), sites={site: numbers}, site_evidence={site: _evidence(own[-1])})


def _evidence(fit: SiteFit) -> Evidence:
    shares = {name: (fit.after[name]["k"], fit.after[name]["n"]) for name in ("sensitivity", "specificity")}
    said = {f"{name}_{part}": value for name, pair in shares.items() for part, value in zip("kn", pair, strict=True)}
    intervals = {f"{name}_interval": wilson(k, n) for name, (k, n) in shares.items()}
    return Evidence(unit="instance", **said, **intervals, others={"stage": fit.stage, "chosen_on": "these very images"})


@dataclass(frozen=True)
class _Numbers:
    calibration: Calibration
    point: OperatingPoint


def _fitted(stage: str, scores: Scores, rule: str, data: str, least: int, how: Resampling) -> tuple[SiteFit, _Numbers | None]:
    """Return what one stage's fit found, and its numbers; None where the bundle's own are kept."""
    judged = scores.take(scores.in_stage(stage) & scores.lungs_found)
    labels, _ = judged.of_stage(stage)
    positives, negatives = int(labels.sum()), int((~labels).sum())
    counts, before = f"{positives} positive and {negatives} negative images", _accuracy(scores, stage, how)

    def unfitted(why: str) -> tuple[SiteFit, None]:
        return SiteFit(stage, positives, negatives, f"keeps the bundle's own numbers: {why}", before, before, images_needed(before)), None

    if min(positives, negatives) < least:
        return unfitted(f"it has {counts}, {least} of each are needed")
    line = fit_platt(labels, getattr(judged, f"{stage}_logit"), f"{data}, {counts}")
    if line is None:
        return unfitted("higher scores are not more often positive here, so that no threshold helps")
    bundle = scores.bundle.model_copy(update={"calibration": scores.bundle.calibration | {stage: line}})
    point = choose_operating_point(*dataclasses.replace(scores, bundle=bundle).of_stage(stage), rule, line.data)
    bundle = bundle.model_copy(update={"operating_points": bundle.operating_points | {stage: point}})
    after = _accuracy(dataclasses.replace(scores, bundle=bundle), stage, how)
    return SiteFit(stage, positives, negatives, None, before, after, images_needed(after)), _Numbers(line, point)


def _accuracy(scores: Scores, stage: str, how: Resampling) -> dict[str, Any]:
    found = accuracy_of(scores, stage, how)
    return {name: found[name] for name in ("auroc", "sensitivity", "specificity")}


def images_needed(accuracy: dict[str, Any]) -> dict[str, int]:
    """Return how many images of its class give each share a 95 % interval of NARROW either way, by the normal approximation."""
    shares = {name: accuracy[name]["value"] for name in ("sensitivity", "specificity")}
    return {name: math.ceil(Z_95**2 * max(p * (1 - p), 0.01) / NARROW**2) for name, p in shares.items() if p is not None}


def _record(bundle: BundleManifest, site: str, manifest: Manifest) -> dict[str, Any]:
    table = manifest.table
    counts = {"images": table.height, "patients": table["patient_id"].n_unique()}
    return {"site": site, "bundle": bundle.digest(), "manifest_sha256": manifest.digest, **counts}


def _write(bundle_url: str, output_url: str, manifest: BundleManifest) -> None:
    for network in manifest.networks.values():
        put_atomic(join(output_url, network.file), read_bytes(join(bundle_url, network.file)))
    put_atomic(join(output_url, MANIFEST_FILE), manifest.model_dump_json(indent=2).encode())

"""Leaving hospitals out: a stage trained without each source in turn, and judged on the one that it has not seen.

A split of the same collections cannot see that a network has learnt the look of a hospital for a disease. What it does at a hospital that
was left out can: recipes are chosen by that. The same code as `fit` trains, and the same as `evaluate` judges.
"""

import dataclasses
import io
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
import polars as pl

from schemas.progress import OnProgress, unwatched, within
from screening.bundle.checks import load_manifest
from screening.errors import TrainingError, UsageError
from screening.storage import filesystem_of, join, put_atomic
from train.config import FitConfig, takes_weights_of
from train.data.manifest import Manifest, read_manifest
from train.data.strata import LEAST_IMAGES
from train.evaluation.choices import AuditDepth
from train.evaluation.evaluate import evaluate
from train.evaluation.intervals import Resampling
from train.evaluation.metrics_file import METRICS_FILE, write_metrics
from train.fit import as_configured, fit
from train.frozen import spec_of
from train.loop.progress import OnEpoch
from train.pretrained import read_pretrained
from train.stages import STAGES

CROSSVAL_FILE = "crossval.json"
LEFT_OUT = "test"  # split that the images of the source left out have in a fold's manifest
_COLUMNS = ("image", "label", "split", "image_id", "lung_mask", "patient_id", "source", "view", "license")


def cross_validate(
    stage: str,
    manifest: Manifest,
    storage_url: str,
    config: FitConfig,
    init_from: str,
    *,
    sources: Sequence[str] | None = None,
    fresh: bool = False,
    init_weights: str | None = None,
    weights_license: str = "",
    how: Resampling | None = None,
    on_epoch: OnEpoch | None = None,
    on_progress: OnProgress = unwatched,
) -> dict[str, Any]:
    """Train `stage` once without each source and judge it there, and return what `crossval.json` in `storage_url` then holds.

    The test split takes no part: it judges the bundle that the chosen recipe makes, once. A fold that is done is not done again, and one
    that was stopped goes on at its last epoch.

    Args:
        stage: "pneumonia" or "covid".
        manifest: the images; those in split test are left aside.
        storage_url: a folder with one for each fold in it, `without-SOURCE`: its manifest, its bundle and its metrics.
        config: of each training.
        init_from: a bundle that brings the other stages, which may have seen the source that is left out. The trained one begins with
            its weights where its record shows that they have not and the network is the same, otherwise with fresh ones.
        sources: those to leave out; None is every one that has enough images of both classes.
        fresh: begin every fold with fresh weights.
        init_weights: file of other people's weights that every fold begins with, see train.pretrained.
        weights_license: of that file.
        how: of the intervals.
        on_epoch: called with one dict an epoch, from another thread.
        on_progress: while folds are trained and judged.

    Raises:
        UsageError: a source that is none, or none that has both classes.
        TrainingError: a training that failed, or a source without which nothing is left to train with.
    """
    chosen = _checked(sources, both_classes(manifest, stage))
    first = load_manifest(init_from)
    file = None if init_weights is None else read_pretrained(init_weights, spec_of(config.stage(stage)), weights_license).provenance
    others = {"init_weights": init_weights, "weights_license": weights_license}
    always = fresh or file is not None or not takes_weights_of(first.networks[stage], config.stage(stage))
    folds = []
    for number, source in enumerate(chosen, start=1):
        told = within(on_progress, f"without {source} ({number} of {len(chosen)})")
        folder = join(storage_url, f"without-{quote(source, safe='')}")
        url = _write_fold(manifest, source, folder)
        bundle_url = join(folder, "bundle")
        start = {"init_from": init_from, "fresh": always or has_seen(first.training_data, source)}
        if not _is_of(bundle_url, stage, url, config, (first.digest(), start["fresh"], file)):
            fit(stage, url, bundle_url, _stored_in(config, folder), **start, **others, on_epoch=on_epoch, on_progress=told)
        folds.append(
            {"source": source, "fresh_weights": start["fresh"]} | _judged(stage, bundle_url, url, folder, how or Resampling(), told)
        )
    answer = {"by": "source", "stage": stage, "manifest_sha256": manifest.digest, "folds": folds} | _summary(folds)
    answer["init_from"] = first.digest()
    answer["init_weights"] = file
    answer["configuration"] = config.to_json() | {"storage_url": None}
    put_atomic(join(storage_url, CROSSVAL_FILE), json.dumps(answer, indent=2, allow_nan=False).encode())
    return answer


def both_classes(manifest: Manifest, stage: str) -> list[str]:
    """Return the sources with `LEAST_IMAGES` of each class of a stage outside the test split, those with most images first."""
    task = STAGES[stage]
    used = manifest.table.filter(pl.col("label").is_in(list(task.groups)) & (pl.col("split") != "test"))
    positive = pl.col("label").is_in(list(task.positive))
    counts = used.group_by("source").agg(positive.sum().alias("positive"), (~positive).sum().alias("negative"), pl.len().alias("images"))
    enough = counts.filter(pl.min_horizontal("positive", "negative") >= LEAST_IMAGES).sort("images", "source", descending=[True, False])
    return enough["source"].drop_nulls().to_list()


def has_seen(training_data: dict[str, Any], source: str) -> bool:
    """Return whether the weights of a bundle may have been trained on a source: also where its record, or that of a bundle before it,
    names no sources.
    """
    earlier = training_data.get("init_from")
    return source in training_data.get("sources", [source]) or (earlier is not None and has_seen(earlier["training_data"], source))


def _checked(sources: Sequence[str] | None, able: Sequence[str]) -> Sequence[str]:
    if not able:
        raise UsageError(f"no source has {LEAST_IMAGES} images of each class: there is no hospital to leave out")
    unknown = sorted(set(sources or ()) - set(able))
    if unknown:
        raise UsageError(f"--source {', '.join(unknown)}: sources with {LEAST_IMAGES} images of each class are {', '.join(able)}")
    return sources or able


def _write_fold(manifest: Manifest, source: str, folder_url: str) -> str:
    """Write the manifest of one fold and return its URL: the source's images are its test split, the others keep theirs."""
    left_out = pl.col("source").eq_missing(pl.lit(source))
    rows = manifest.table.filter(pl.col("split") != "test").with_columns(
        pl.when(left_out).then(pl.lit(LEFT_OUT)).otherwise(pl.col("split")).alias("split"),
        pl.col("image_url").alias("image"),
        pl.col("lung_mask_url").alias("lung_mask"),
        pl.when(pl.col("label").is_null()).then(None).otherwise(pl.col("finding")).alias("label"),
    )
    seen = rows.filter(~left_out)["patient_id"].unique()
    rows = rows.filter(~(left_out & pl.col("patient_id").is_in(seen.to_list())))  # of a patient who is in both collections
    if rows.filter(pl.col("split") == "train").is_empty():
        raise TrainingError(f"{manifest.url}: without source {source} no image is left to train with")
    buffer = io.BytesIO()
    rows.select(_COLUMNS).write_csv(buffer)
    url = join(folder_url, "manifest.csv")
    put_atomic(url, buffer.getvalue())
    return url


def _stored_in(config: FitConfig, folder_url: str) -> FitConfig:
    return dataclasses.replace(config, storage_url=join(folder_url, "training"))


def _is_of(bundle_url: str, stage: str, manifest_url: str, config: FitConfig, begun: tuple[str, bool, dict[str, Any] | None]) -> bool:
    """Return whether a fold's bundle is there: that stage trained on that manifest, so configured and begun.

    `begun` is the digest of the bundle beside which it was trained, whether without its weights, and the file of others that brought some.
    """
    filesystem, path = filesystem_of(bundle_url)
    if not filesystem.exists(path):
        return False
    made = load_manifest(bundle_url)
    record, earlier = made.training_data, made.training_data.get("init_from", {})
    trained = (record.get("manifest_sha256"), record.get("stages_trained"), made.metrics.get("configuration"))
    trained += (earlier.get("digest"), earlier.get("fresh_weights"), record.get("init_weights"))
    digest, configuration = as_configured(read_manifest(manifest_url), config).digest, config.to_json() | {"storage_url": None}
    return trained == (digest, [stage], json.loads(json.dumps(configuration)), *begun)


def _judged(stage: str, bundle_url: str, manifest_url: str, folder_url: str, how: Resampling, on_progress: OnProgress) -> dict[str, Any]:
    """Return the figures of one fold, from its `metrics.json` where that is of this bundle."""
    filesystem, path = filesystem_of(join(folder_url, METRICS_FILE))
    metrics = json.loads(filesystem.cat_file(path)) if filesystem.exists(path) else None
    if metrics is None or metrics["bundle"]["digest"] != load_manifest(bundle_url).digest():
        storage = join(folder_url, "training")
        depth = AuditDepth.QUICK
        metrics = evaluate(bundle_url, manifest_url, [LEFT_OUT], storage_url=storage, how=how, depth=depth, on_progress=on_progress)
        write_metrics(folder_url, metrics)
    found = metrics["splits"][LEFT_OUT]
    figures = found["stages"][stage]
    return {
        "bundle": metrics["bundle"]["digest"],
        "images": figures["positives"] + figures["negatives"],
        **{name: figures[name] for name in ("positives", "negatives", "auroc", "sensitivity", "specificity")},
        "ece": figures["calibration"]["after"] and figures["calibration"]["after"]["ece"],
        "dice": found["dice"]["mean"],
        "lungs_erased": found["audit"]["lungs_erased"][stage]["lungs_erased"],
    }


def _summary(folds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean and the least AUROC over the hospitals left out, and the mean sensitivity and specificity there."""
    areas = [fold["auroc"]["value"] for fold in folds]
    return {
        "mean_auroc": float(np.mean(areas)),
        "least_auroc": float(np.min(areas)),
        "mean_sensitivity": float(np.mean([fold["sensitivity"]["value"] for fold in folds])),
        "mean_specificity": float(np.mean([fold["specificity"]["value"] for fold in folds])),
    }

"""The end of a training: calibration and thresholds from the tuning split through the real cascade, and the bundle that says all this."""

import dataclasses
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np

from schemas.bundle import BundleManifest, Calibration, OperatingPoint
from schemas.progress import OnProgress, unwatched, within
from screening.bundle.networks import Bundle, save_bundle
from train.config import FitConfig
from train.data.images import ImageCache
from train.data.manifest import Manifest
from train.evaluation.scores import Scores, score_images
from train.frozen import FrozenStages, save_provisional
from train.release.calibration import fit_platt
from train.release.operating_points import choose_operating_point
from train.stages import STAGES

TUNING_SPLIT = "val"
JUDGES = ("pneumonia", "covid")  # the stages that have an operating point


def export(
    output_url: str,
    manifest: Manifest,
    images: ImageCache,
    frozen: Mapping[str, FrozenStages],
    config: FitConfig,
    curves: Mapping[str, list[dict[str, Any]]],
    *,
    earlier: Bundle | None,
    provisional_url: str,
    init_weights: dict[str, Any] | None = None,
    fresh: bool = False,
    on_progress: OnProgress = unwatched,
) -> BundleManifest:
    """Calibrate, choose the operating points on what the calibration gives, write the bundle to `output_url` and return its manifest.

    `init_weights` says what file the first classifier began with. `frozen` holds all three stages, `curves` one curve for each that was
    trained now, empty for one whose last layer alone was fitted; `earlier` is the bundle that the others are from, and unless `fresh`
    the weights that the trained ones began with.
    """
    provisional_url, told = save_provisional(provisional_url, frozen, config), within(on_progress, "operating points")
    scores = score_images(provisional_url, images, TUNING_SPLIT, use_gpu=config.use_gpu, on_progress=told)
    scores = tuned(scores, manifest, config)
    return save_bundle(
        output_url,
        name=config.name,
        modules={stage: part.module() for stage, part in frozen.items()},
        networks={stage: part.spec for stage, part in frozen.items()},
        operating_points=scores.bundle.operating_points,
        calibration=scores.bundle.calibration,
        preprocessing=config.preprocessing,
        training_data=_training_data(manifest, images, curves, earlier, init_weights, fresh),
        metrics={TUNING_SPLIT: scores.summary(), "curves": dict(curves), "configuration": config.to_json() | {"storage_url": None}},
        code_version=version("chest-screening"),
        license=config.license,
    )


def tuned(scores: Scores, manifest: Manifest, config: FitConfig) -> Scores:
    """Return the scores of the tuning split under the calibration and the operating points that they call for.

    Platt scaling of each stage over the images that it judged; a stage that does not rank them stays uncalibrated. Then the rules of
    `config` over probabilities. Raises TrainingError where a stage lacks a class.
    """
    lines = {stage: _calibration(stage, scores, manifest) for stage in JUDGES}
    calibration = {stage: line for stage, line in lines.items() if line is not None}
    scores = dataclasses.replace(scores, bundle=scores.bundle.model_copy(update={"calibration": calibration}))
    points = {stage: _operating_point(stage, scores, manifest, config) for stage in JUDGES}
    return dataclasses.replace(scores, bundle=scores.bundle.model_copy(update={"operating_points": points}))


def _calibration(stage: str, scores: Scores, manifest: Manifest) -> Calibration | None:
    judged = scores.take(scores.in_stage(stage) & scores.lungs_found)
    labels = np.isin(judged.label, list(STAGES[stage].positive))
    if labels.all() or not labels.any():
        return None
    return fit_platt(labels, getattr(judged, f"{stage}_logit"), _said(labels, manifest))


def _operating_point(stage: str, scores: Scores, manifest: Manifest, config: FitConfig) -> OperatingPoint:
    labels, values = scores.of_stage(stage)
    return choose_operating_point(labels, values, config.rule(stage), _said(labels, manifest))


def _said(labels: np.ndarray, manifest: Manifest) -> str:
    """Return what a calibration or an operating point says of its data."""
    return f"split {TUNING_SPLIT} of the manifest {manifest.digest[:12]}, {labels.sum()} positive and {(~labels).sum()} negative images"


def _training_data(
    manifest: Manifest,
    images: ImageCache,
    curves: Mapping[str, list[dict[str, Any]]],
    earlier: Bundle | None,
    init_weights: dict[str, Any] | None,
    fresh: bool,
) -> dict[str, Any]:
    """Return what the bundle says of its data. Stages taken over keep the record of the bundle they came from."""
    record = manifest.training_data() | {"refused": images.refused, "stages_trained": list(curves)}
    record |= {"init_weights": init_weights} if init_weights is not None else {}
    if earlier is None:
        return record
    init_from = {"digest": earlier.manifest.digest(), "fresh_weights": fresh, "training_data": earlier.manifest.training_data}
    return record | {"init_from": init_from}

"""The end of a training: thresholds chosen on the tuning split through the real cascade, and the bundle with all that it must say."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from schemas.bundle import BundleManifest, OperatingPoint
from screening.bundle import Bundle, save_bundle
from train.config import FitConfig
from train.evaluation.scores import Scores, score_images
from train.frozen import Frozen, save_provisional
from train.images import ImageCache
from train.manifest import Manifest
from train.operating_points import choose_operating_point

TUNING_SPLIT = "val"


def export(
    output_url: str,
    manifest: Manifest,
    images: ImageCache,
    frozen: Mapping[str, Frozen],
    config: FitConfig,
    curves: Mapping[str, list[dict[str, Any]]],
    *,
    earlier: Bundle | None,
    provisional_url: str,
) -> BundleManifest:
    """Choose the operating points, write the bundle to `output_url` and return its manifest.

    `frozen` holds all three stages, `curves` one curve for each that was trained now; `earlier` is the bundle that the others are from.
    """
    scores = score_images(save_provisional(provisional_url, frozen, config), images, TUNING_SPLIT, use_gpu=config.use_gpu)
    return save_bundle(
        output_url,
        name=config.name,
        modules={stage: part.module() for stage, part in frozen.items()},
        networks={stage: part.spec for stage, part in frozen.items()},
        operating_points={stage: _operating_point(stage, scores, manifest, config) for stage in ("pneumonia", "covid")},
        preprocessing=config.preprocessing,
        training_data=_training_data(manifest, images, curves, earlier),
        metrics={TUNING_SPLIT: scores.summary(), "curves": dict(curves), "configuration": config.to_json() | {"storage_url": None}},
        code_version=version("chest-screening"),
        license=config.license,
    )


def _operating_point(stage: str, scores: Scores, manifest: Manifest, config: FitConfig) -> OperatingPoint:
    labels, stage_scores = scores.of_stage(stage)
    data = f"split {TUNING_SPLIT} of the manifest {manifest.digest[:12]}, {labels.sum()} positive and {(~labels).sum()} negative images"
    return choose_operating_point(labels, stage_scores, config.rule(stage), data)


def _training_data(
    manifest: Manifest, images: ImageCache, curves: Mapping[str, list[dict[str, Any]]], earlier: Bundle | None
) -> dict[str, Any]:
    """Return what the bundle says of its data. Stages taken over keep the record of the bundle they came from."""
    record = manifest.training_data() | {"refused": images.refused, "stages_trained": list(curves)}
    if earlier is None:
        return record
    return record | {"init_from": {"digest": earlier.manifest.digest(), "training_data": earlier.manifest.training_data}}

"""From a manifest to a bundle: decode once, train stage after stage with the earlier ones frozen, choose thresholds, export."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from schemas.bundle import STAGES, BundleManifest
from screening import bundle
from screening.bundle import Bundle
from screening.errors import TrainingError, UsageError
from train.config import FitConfig
from train.export import export
from train.frozen import Frozen, save_provisional, spec_of, taken_over
from train.images import ImageCache, cached
from train.inputs import stage_inputs
from train.manifest import Manifest, read_manifest
from train.operating_points import check_rule
from train.progress import OnEpoch, watched
from train.session import training_session
from train.stages import STAGES as TASKS
from train.trainer import train_stage


def fit(
    stage: str,
    manifest_url: str,
    output_url: str,
    config: FitConfig,
    *,
    init_from: str | None = None,
    on_epoch: OnEpoch | None = None,
) -> BundleManifest:
    """Train one stage or all, write a bundle to `output_url` and return its manifest.

    Args:
        stage: "lungs", "pneumonia", "covid" or "all". A stage is trained on what the earlier ones, frozen, leave of the image.
        manifest_url: see train.manifest.read_manifest.
        output_url: folder of the bundle, any fsspec URL.
        config: resolved configuration, stored in the bundle.
        init_from: a bundle. The stages not trained are taken over from it; the stage trained begins with its weights where the
            network is the same.
        on_epoch: called with one dict an epoch, from another thread.

    Raises:
        UsageError: a single stage without `init_from`, an unknown stage or rule.
        TrainingError: a manifest that no stage can be trained with, or a training that failed.
        BundleError: a damaged `init_from`.
    """
    stages = _stages(stage, init_from)
    for name in ("pneumonia", "covid"):
        check_rule(config.rule(name))
    manifest = read_manifest(manifest_url)
    earlier = bundle.load(init_from) if init_from else None
    config = _with_preprocessing_of(earlier, config)
    with training_session(config.storage_url, config.workers) as storage_url, watched(on_epoch) as board:
        images = cached(manifest, storage_url, config.preprocessing, decoders=config.decoders)
        for name in stages:
            _check_groups(name, manifest, images, config)
        frozen = taken_over(earlier)
        curves: dict[str, list[dict[str, Any]]] = {}
        for name in stages:
            run_name = _run_name(name, manifest, frozen, config)
            before = None if name == "lungs" else save_provisional(f"{storage_url}/before-{run_name}", frozen, config)
            trained = train_stage(
                name,
                stage_inputs(name, images, before, config, f"{storage_url}/inputs-{run_name}"),
                config,
                f"{storage_url}/runs",
                run_name,
                initial=_initial(name, frozen, config),
                board=board,
            )
            curves[name] = trained.curve
            frozen[name] = Frozen(spec_of(config.stage(name)), trained.state)
        return export(output_url, manifest, images, frozen, config, curves, earlier=earlier, provisional_url=f"{storage_url}/provisional")


def _stages(stage: str, init_from: str | None) -> tuple[str, ...]:
    if stage == "all":
        return STAGES
    if stage not in STAGES:
        raise UsageError(f"no stage {stage!r}; there are {', '.join(STAGES)} and all")
    if init_from is None:
        others = " and ".join(name for name in STAGES if name != stage)
        raise UsageError(f"a bundle has three stages: name one with --init-from that brings {others}, or fit all")
    return (stage,)


def _with_preprocessing_of(earlier: Bundle | None, config: FitConfig) -> FitConfig:
    """Return `config` with the preprocessing that the taken-over stages were trained with. Raises UsageError for their heatmap."""
    if earlier is None:
        return config
    if earlier.manifest.heatmap != "cam":
        raise UsageError(f"stage 3 is trained on class activation maps, the bundle to begin from makes {earlier.manifest.heatmap!r}")
    return dataclasses.replace(config, preprocessing=earlier.manifest.preprocessing)


def _initial(stage: str, frozen: Mapping[str, Frozen], config: FitConfig) -> Mapping[str, Any] | None:
    """Return the earlier bundle's weights of this stage, where its network is of the same shape."""
    if stage not in frozen:
        return None
    old, new = frozen[stage].spec, config.stage(stage)
    same = (old.architecture, dict(old.arguments)) == (new.architecture, dict(new.arguments))
    return frozen[stage].state if same else None


def _run_name(stage: str, manifest: Manifest, frozen: Mapping[str, Frozen], config: FitConfig) -> str:
    """Return a name that other data, another configuration or other earlier stages change: Ray Train resumes what bears the same."""
    said = config.to_json() | {"storage_url": None, "manifest": manifest.digest}
    weights = {name: part.digest() for name, part in frozen.items()}
    content = json.dumps([stage, said, weights], sort_keys=True)
    return f"{stage}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def _check_groups(stage: str, manifest: Manifest, images: ImageCache, config: FitConfig) -> None:
    """Raise TrainingError where a group has no image to train or to tune on, before any time is spent."""
    for group in TASKS[stage].groups:
        for split, least in (("train", config.workers), ("val", 1)):
            n = images.count(split, TASKS[stage], group)
            if n < least:
                raise TrainingError(f"{manifest.url}: stage {stage} needs {least} or more {group} images in split {split}, there are {n}")

"""From a manifest to a bundle: decode once, train stage after stage with the earlier ones frozen, choose thresholds, export."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ray.actor import ActorHandle

from schemas.bundle import STAGES, BundleManifest
from schemas.progress import OnProgress, unwatched, within
from screening.bundle.networks import Bundle, load
from screening.errors import TrainingError
from screening.storage import join, put_atomic
from train.config import FitConfig, check_beginning, check_first_weights, first_classifier, stages_of, takes_weights_of
from train.data.images import ImageCache, cached, listed
from train.data.inputs import StageInputs, stage_inputs, with_old_data
from train.data.manifest import Manifest, read_manifest
from train.frozen import FrozenStages, mean_of_weights, save_provisional, spec_of, taken_over, weights_to_begin_with
from train.last_layer import refitted
from train.loop.progress import OnEpoch, watched
from train.loop.trainer import train_stage
from train.pretrained import Pretrained, read_pretrained
from train.release.curves import CURVES_FILE, curves_svg
from train.release.export import export
from train.release.operating_points import check_rule
from train.session import training_session
from train.stages import STAGES as TASKS

_AFTER_TRAINING = ("kept_of_first", "last_layer")  # of a stage: with others the training is the same, and is not repeated


def fit(
    stage: str,
    manifest_url: str,
    output_url: str,
    config: FitConfig,
    *,
    init_from: str | None = None,
    fresh: bool = False,
    old_manifest: str | None = None,
    init_weights: str | None = None,
    weights_license: str = "",
    on_epoch: OnEpoch | None = None,
    on_progress: OnProgress = unwatched,
) -> BundleManifest:
    """Train one stage or all, write a bundle to `output_url`, with a picture of the curves beside it, and return its manifest.

    TensorBoard reads the curves while they grow, below `events` in the storage.

    Args:
        stage: "lungs", "pneumonia", "covid" or "all". A stage is trained on what the earlier ones, frozen, leave of the image.
        manifest_url: see train.data.manifest.read_manifest.
        output_url: folder of the bundle, any fsspec URL.
        config: resolved configuration, stored in the bundle.
        init_from: a bundle. The stages not trained are taken over from it; the stage trained begins with its weights where the
            network is the same, and is held to what that bundle says of old data by `config.distill_weight` (Eq. 2; stage 2 only).
        fresh: begin as without a bundle, which then brings the other stages alone.
        old_manifest: what those old data are, its normal and pneumonia images; None takes those of `manifest_url`. With a weight of 0
            there is no second term, and it is not read: plain training from the same weights.
        init_weights: file of other people's weights that the first classifier begins with, see train.pretrained.
        weights_license: of that file.
        on_epoch: called with one dict an epoch, from another thread.
        on_progress: while a stage is trained, called from another thread too. Training may end before its last epoch.

    Raises:
        UsageError: a single stage without `init_from`, an unknown stage or rule, old data or a distillation weight that nothing uses.
        TrainingError: a manifest that no stage can be trained with, or a training that failed.
        BundleError: a damaged `init_from`.
    """
    stages = stages_of(stage, init_from)
    for name in ("pneumonia", "covid"):
        check_rule(config.rule(name))
    earlier = load(init_from) if init_from else None
    check_beginning(stage, config, earlier.manifest if earlier else None, fresh, old_manifest)
    check_first_weights(stages, config, init_weights, earlier.manifest if earlier else None, fresh)
    first = first_classifier(stages, config)
    pretrained = None if init_weights is None else read_pretrained(init_weights, spec_of(config.stage(first)), weights_license)
    manifest = as_configured(read_manifest(manifest_url), config)
    config = _with_preprocessing_of(earlier, stages, config)
    old = read_manifest(old_manifest) if old_manifest is not None and config.distill_weight else None
    config = dataclasses.replace(config, old_manifest_sha256=None if old is None else old.digest)
    _check_groups(stages, (manifest, listed(manifest)), old and (old, listed(old)), config)
    with training_session(config.storage_url, config.workers) as storage_url, watched(on_epoch, on_progress) as board:
        images = cached(manifest, storage_url, config.preprocessing, decoders=config.decoders, on_progress=on_progress)
        old_images = None if old is None else _old_images(old, storage_url, config, on_progress)
        _check_groups(stages, (manifest, images), old and (old, old_images), config)
        frozen = taken_over(earlier, leave=stages if fresh else ())
        curves = _train_stages(stages, (images, old_images), manifest, frozen, config, storage_url, board, on_progress, pretrained)
        options = {"earlier": earlier, "provisional_url": f"{storage_url}/provisional", "on_progress": on_progress}
        options |= {"init_weights": pretrained and pretrained.provenance, "fresh": fresh}
        exported = export(output_url, manifest, images, frozen, config, curves, **options)
    trained = {name: curve for name, curve in curves.items() if curve}
    if trained:
        put_atomic(join(output_url, CURVES_FILE), curves_svg(trained).encode())
    return exported


def as_configured(manifest: Manifest, config: FitConfig) -> Manifest:
    """Return the images of a manifest that a configuration trains on."""
    if config.exclude_license is not None:
        manifest = manifest.without_licenses(config.exclude_license)
    return manifest.without_tuberculosis() if config.tuberculosis == "left-out" else manifest


def _old_images(old: Manifest, storage_url: str, config: FitConfig, on_progress: OnProgress) -> ImageCache:
    told = within(on_progress, "old data")
    return cached(old, storage_url, config.preprocessing, decoders=config.decoders, on_progress=told)


def _train_stages(
    stages: Sequence[str],
    images: tuple[ImageCache, ImageCache | None],
    manifest: Manifest,
    frozen: dict[str, FrozenStages],
    config: FitConfig,
    storage_url: str,
    board: ActorHandle | None,
    on_progress: OnProgress,
    pretrained: Pretrained | None,
) -> dict[str, list[dict[str, Any]]]:
    """Train stage after stage, put each into `frozen`, and return their curves. `images` are D's and, of their own manifest, D_o's."""
    curves = {}
    first = first_classifier(stages, config)
    for name in stages:
        given = pretrained if name == first else None
        recipe = config.stage(name)
        run_name = _run_name(name, manifest, frozen, config, given and given.provenance["sha256"])
        earlier = {other: frozen[other] for other in STAGES[: STAGES.index(name)]}
        before = save_provisional(f"{storage_url}/before-{run_name}", earlier, config) if earlier else None
        inputs = _inputs(name, *images, before, config, f"{storage_url}/inputs-{run_name}", within(on_progress, f"stage {name}"))
        initial = weights_to_begin_with(name, frozen, config) if given is None else given.state
        curves[name], state = [], initial
        if recipe.epochs:
            on_progress(f"stage {name}: starting to train", 0, 0)
            trained = train_stage(
                name,
                inputs,
                config,
                f"{storage_url}/runs",
                run_name,
                initial=initial,
                earlier=frozen.get(name),
                events_url=f"{storage_url}/events/{run_name}",
                board=board,
            )
            curves[name], state = trained.curve, trained.state
        goes_on = given is None and name in frozen and takes_weights_of(frozen[name].spec, recipe)
        if goes_on and recipe.epochs:
            state = mean_of_weights(initial, state, recipe.kept_of_first)
        if recipe.last_layer is not None and (goes_on or not recipe.epochs):
            on_progress(f"stage {name}: fitting the last layer", 0, 0)
            state = refitted(name, inputs, state, config, frozen.get(name) if config.distill_weight else None)
        frozen[name] = FrozenStages(spec_of(recipe), state)
    return curves


def _inputs(
    stage: str,
    images: ImageCache,
    old_images: ImageCache | None,
    before: str | None,
    config: FitConfig,
    folder_url: str,
    on_progress: OnProgress,
) -> StageInputs:
    """Return the inputs of a stage, and beside them those from the old data's own manifest."""
    inputs = stage_inputs(stage, images, before, config, folder_url, on_progress)
    if old_images is None:
        return inputs
    old = stage_inputs(stage, old_images, before, config, f"{folder_url}-old", within(on_progress, "old data"))
    return with_old_data(stage, inputs, old)


def _with_preprocessing_of(earlier: Bundle | None, stages: Sequence[str], config: FitConfig) -> FitConfig:
    """Return `config` with the preprocessing that the taken-over stages were trained with.

    How bright lungs are is what stages 2 and 3 learn behind: where stage 2 is trained, and not held to the earlier one, the
    configuration's own holds.
    """
    if earlier is None:
        return config
    own = "pneumonia" in stages and config.distill_weight is None
    behind = (config if own else earlier.manifest).preprocessing
    tone = {"gamma": behind.gamma, "lung_brightness": behind.lung_brightness}
    return dataclasses.replace(config, preprocessing=earlier.manifest.preprocessing.model_copy(update=tone))


def _run_name(stage: str, manifest: Manifest, frozen: Mapping[str, FrozenStages], config: FitConfig, file: str | None) -> str:
    """Return a name that other data, another configuration or other earlier stages change: Ray Train resumes what bears the same.

    `file` is the digest of other people's weights.
    """
    said = config.to_json() | {"name": None, "storage_url": None, "manifest": manifest.digest}
    said |= {name: {key: value for key, value in said[name].items() if key not in _AFTER_TRAINING} for name in STAGES}
    weights = {name: part.digest() for name, part in frozen.items()}
    content = json.dumps([stage, said, weights, *([file] if file else [])], sort_keys=True)
    return f"{stage}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def _check_groups(
    stages: Sequence[str], new: tuple[Manifest, ImageCache], old: tuple[Manifest, ImageCache] | None, config: FitConfig
) -> None:
    """Raise TrainingError where a group has no image to train or to tune on: before anything is decoded, and less what the gate refused."""
    needed = [(*new, name, TASKS[name].groups) for name in stages] + ([(*old, stages[0], TASKS[stages[0]].old_groups)] if old else [])
    for manifest, images, stage, groups in needed:
        for group in groups:
            for split, least in (("train", config.workers), ("val", 1)):
                n = images.count(split, TASKS[stage], group)
                if n < least:
                    needs = f"stage {stage} needs {least} or more {group} images in split {split}, there are {n}"
                    share = ": each of --workers trains on images of its own" if least > 1 else ""
                    raise TrainingError(f"{manifest.url}: {needs}{share}")

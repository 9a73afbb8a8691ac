"""`screening fit`: train the cascade, or one stage of it, and write a bundle."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.console import answer_apart, err, out, print_json, run_command

if TYPE_CHECKING:
    from schemas.bundle import BundleManifest


class StageName(StrEnum):
    """What is trained."""

    LUNGS = "lungs"
    PNEUMONIA = "pneumonia"
    COVID = "covid"
    ALL = "all"


class Preset(StrEnum):
    """Networks and schedules."""

    SMALL = "small"  # synthetic studies, minutes on two cores
    PUBLIC = "public"  # about a thousand radiographs, without a GPU: U-Net and DenseNet-121 at 256
    HOSPITALS = "hospitals"  # some thousand of several hospitals, without a GPU: batches even by source, images of many scanners
    PHOTOGRAPHS = "photographs"  # the same behind a network that photographs taught: labels have the last layers alone
    FULL = "full"  # U-Net at 256, DenseNet-121 at 512


class Tuberculosis(StrEnum):
    """What images with that label are to stages 2 and 3."""

    PNEUMONIA = "pneumonia"  # lungs with an infection to follow up that is not COVID-19
    LEFT_OUT = "left-out"


TuberculosisAs = Annotated[Tuberculosis, typer.Option(help="what tuberculosis counts as in stages 2 and 3")]
InitWeights = Annotated[
    str | None,
    typer.Option(
        help="file of other people's weights that stage 2 or 3 begins with: a DenseNet-121, or an EfficientNet-Lite2 for photographs"
    ),
]
WeightsLicense = Annotated[str | None, typer.Option(help="licence of that file, for the bundle's record")]
ExcludeLicense = Annotated[str | None, typer.Option(help="regular expression: leave out images whose licence it finds, in any case")]


def command(
    stage: Annotated[StageName, typer.Argument(help="the stage to train; the others are taken over from --init-from")],
    manifest: Annotated[str, typer.Argument(help="CSV with the columns image, label and split, optionally lung_mask and patient_id")],
    output: Annotated[str, typer.Option(help="folder or URL of the bundle to write")],
    preset: Annotated[Preset, typer.Option(help="networks and schedules: small is for synthetic studies")] = Preset.FULL,
    epochs: Annotated[int | None, typer.Option(min=1, help="at most so many for every stage  [default: the preset's]")] = None,
    coarse_epochs: Annotated[
        int | None, typer.Option(min=0, help="so many of them at the reduced size of a preset that has one  [default: the preset's share]")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="training processes, one CPU or GPU each")] = 1,
    gpus: Annotated[bool, typer.Option("--gpus", help="one GPU a worker (NCCL); otherwise CPUs (gloo)")] = False,
    init_from: Annotated[str | None, typer.Option(help="bundle that brings the other stages, and the first weights of this one")] = None,
    fresh_weights: Annotated[bool, typer.Option("--fresh-weights", help="let --init-from bring the other stages alone")] = False,
    init_weights: InitWeights = None,
    weights_license: WeightsLicense = None,
    tuberculosis: TuberculosisAs = Tuberculosis.PNEUMONIA,
    exclude_license: ExcludeLicense = None,
    distill_weight: Annotated[
        float | None, typer.Option(min=0, help="lambda of Eq. 2: hold stage pneumonia to the bundle of --init-from on the old data")
    ] = None,
    old_manifest: Annotated[
        str | None, typer.Option(help="CSV of the old data, its normal and pneumonia images  [default: those of MANIFEST]")
    ] = None,
    seed: Annotated[int, typer.Option(help="the same seed gives the same curve again, on the same kind of machine")] = 0,
    storage: Annotated[
        str | None, typer.Option(help="folder or URL for decoded images and checkpoints: a killed training goes on from there")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print the bundle's manifest as JSON")] = False,
) -> None:
    """Train the three stages one after the other, each behind the frozen ones before it, and write a bundle.

    Images are DICOM, PNG or JPEG files, and pass the same gate as in a run. Splits are train, val (early stopping and operating points)
    and test (never touched). Training on several machines needs --storage that all of them reach.

    A bundle learns a new disease without forgetting the old ones with --init-from and --distill-weight (Eq. 2): cross-entropy over the
    manifest, plus that weight times how far stage 2 has moved from the earlier one on the old data. 0 is plain training. Batches are then
    drawn by label under every preset, and the preset's images must be of the size that the earlier network takes.

    Example:

        screening fit all radiographs/labels.csv --output bundles/mine --workers 4 --gpus
    """
    import dataclasses

    from jobs.checks import check_bundle, check_manifest
    from train import config as configs

    name = output.rstrip("/").rsplit("/", 1)[-1]
    config = configs.preset(preset.value, name=name, workers=workers, use_gpu=gpus, seed=seed, storage_url=storage)
    config = dataclasses.replace(config, decoders=max(config.decoders, workers))
    config = dataclasses.replace(config, tuberculosis=tuberculosis.value, exclude_license=exclude_license)
    config = config.with_epochs(epochs, coarse_epochs).distilled(stage.value, distill_weight)
    configs.stages_of(stage.value, init_from)
    earlier = None if init_from is None else check_bundle(init_from)
    configs.check_beginning(stage.value, config, earlier, fresh_weights, old_manifest)
    configs.check_first_weights(configs.stages_of(stage.value, init_from), config, init_weights, earlier, fresh_weights)
    for url in filter(None, (manifest, old_manifest)):
        check_manifest(url, ("train", "val"))
    from jobs.display import Steps

    with answer_apart(json), Steps(err) as steps:
        from train.fit import fit
        from train.loop.progress import describe

        options = {"init_from": init_from, "fresh": fresh_weights, "old_manifest": old_manifest}
        options |= {"init_weights": init_weights, "weights_license": weights_license or ""}
        watch = {"on_epoch": lambda line: steps.say(describe(line)), "on_progress": steps.show}
        bundle = fit(stage.value, manifest, output, config, **options, **watch)
    if json:
        print_json(bundle.model_dump(mode="json"))
    else:
        _print_summary(bundle, output)


def _print_summary(bundle: "BundleManifest", output: str) -> None:
    """Print what was reached on the tuning split, and where the bundle lies."""
    figures = bundle.metrics["val"]
    out.print(f"bundle {bundle.name} {bundle.digest()[:12]} in {output}", markup=False, soft_wrap=True)
    out.print(f"tuning split, {figures['images']} images, used to choose: not a test")
    if figures["lungs_dice"] is not None:
        out.print(f"  lungs      Dice {figures['lungs_dice']:.3f} over {figures['lungs_dice_images']} masks")
    for stage, point in bundle.operating_points.items():
        out.print(
            f"  {stage:<9}  AUROC {figures[f'{stage}_auroc']:.3f}, threshold {point.threshold:.3f} ({point.rule}): "
            f"sensitivity {point.sensitivity:.3f}, specificity {point.specificity:.3f}",
            markup=False,
            soft_wrap=True,
        )


if __name__ == "__main__":
    run_command(command)

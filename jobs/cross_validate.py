"""`screening crossval`: what a recipe does at hospitals that were left out of its training."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from jobs.console import answer_apart, err, out, print_json, run_command
from jobs.fit_stage import ExcludeLicense, InitWeights, Preset, Tuberculosis, TuberculosisAs, WeightsLicense

QUICK_SIZE = 160  # pixels a side: small images tell recipes apart, too


class By(StrEnum):
    """What is left out in turn."""

    SOURCE = "source"


class Judge(StrEnum):
    """The stage that is trained anew in each fold."""

    PNEUMONIA = "pneumonia"
    COVID = "covid"


def command(
    manifest: Annotated[str, typer.Argument(help="CSV with the columns image, label, split and source; patient_id too")],
    output: Annotated[str, typer.Option(help="folder or URL for crossval.json and one folder a fold, from which a stopped one goes on")],
    init_from: Annotated[str, typer.Option(help="bundle that brings the other stages, and first weights to folds it has not seen")],
    by: Annotated[By, typer.Option(help="what is left out in turn")] = By.SOURCE,
    stage: Annotated[Judge, typer.Option(help="the stage to train")] = Judge.PNEUMONIA,
    source: Annotated[list[str] | None, typer.Option(help="leave out this one, once each  [default: each with both classes]")] = None,
    preset: Annotated[Preset, typer.Option(help="the recipe")] = Preset.HOSPITALS,
    size: Annotated[
        int | None, typer.Option(min=32, help=f"pixels a side  [default: {QUICK_SIZE}, or the preset's of a network that is not trained]")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="of each fold")] = 6,
    fresh_weights: Annotated[bool, typer.Option("--fresh-weights", help="begin every fold with fresh weights")] = False,
    init_weights: InitWeights = None,
    weights_license: WeightsLicense = None,
    tuberculosis: TuberculosisAs = Tuberculosis.PNEUMONIA,
    exclude_license: ExcludeLicense = None,
    workers: Annotated[int, typer.Option(min=1, help="training processes, one CPU or GPU each")] = 1,
    gpus: Annotated[bool, typer.Option("--gpus", help="one GPU a worker (NCCL); otherwise CPUs (gloo)")] = False,
    replicates: Annotated[int, typer.Option(min=20, help="of the bootstrap over patients")] = 1000,
    seed: Annotated[int, typer.Option(help="of the trainings and the bootstrap")] = 0,
    json: Annotated[bool, typer.Option("--json", help="print what was found as JSON")] = False,
) -> None:
    """Train a stage without each source in turn and judge it on the one left out: AUROC, sensitivity, specificity, the shortcut audit.

    The operating point is chosen on the tuning images of the other sources. Images of split test take no part. A finished fold is not
    trained again, and a stopped one goes on at its last epoch.

    Example:

        screening crossval radiographs/labels.csv --stage pneumonia --init-from bundles/cxr-public-2 --output out/crossval
    """
    from jobs.checks import check_bundle, check_manifest
    from train import config as configs

    config = configs.preset(preset.value, name="crossval", workers=workers, use_gpu=gpus, seed=seed)
    recipe = config.stage(stage.value)
    size = size or (QUICK_SIZE if recipe.epochs else recipe.input_size)
    config = config.with_epochs(epochs, 0).with_stage(stage.value, input_size=size, begins_with=None)
    check_bundle(init_from)
    rows = check_manifest(manifest, ("train", "val"))
    from jobs.display import Steps

    with answer_apart(json), Steps(err) as steps:
        import dataclasses

        from train.crossval import cross_validate
        from train.evaluation.intervals import Resampling
        from train.loop.progress import describe

        config = dataclasses.replace(config, tuberculosis=tuberculosis.value, exclude_license=exclude_license)
        options = {"sources": source, "fresh": fresh_weights, "how": Resampling(replicates, seed)}
        options |= {"init_weights": init_weights, "weights_license": weights_license or ""}
        watch = {"on_epoch": lambda line: steps.say(describe(line)), "on_progress": steps.show}
        found = cross_validate(stage.value, rows, output, config, init_from, **options, **watch)
    if json:
        print_json(found)
    else:
        _print(found, output)


def _print(found: dict[str, Any], output: str) -> None:
    import pyarrow as pa

    from jobs.tables import answer_table
    from train.evaluation.wording import STAGES, estimate, proportion

    rows = [
        {
            "left out": fold["source"] + (" *" if fold["fresh_weights"] else ""),
            "positive": str(fold["positives"]),
            "negative": str(fold["negatives"]),
            "AUROC": estimate(fold["auroc"]),
            "sensitivity": proportion(fold["sensitivity"]),
            "specificity": proportion(fold["specificity"]),
            "AUROC, lungs erased": estimate(fold["lungs_erased"]),
        }
        for fold in found["folds"]
    ]
    out.print(answer_table(pa.Table.from_pylist(rows), f"{STAGES[found['stage']]}, at a hospital it has not seen"))
    if any(fold["fresh_weights"] for fold in found["folds"]):
        file = found.get("init_weights")
        out.print(f"* begun with the weights of {file['file']}" if file else "* begun with fresh weights", markup=False)
    out.print(
        f"mean AUROC {found['mean_auroc']:.3f}, least {found['least_auroc']:.3f}; mean sensitivity {found['mean_sensitivity']:.3f}, "
        f"specificity {found['mean_specificity']:.3f}",
        soft_wrap=True,
    )
    out.print(f"{output}: crossval.json, and a folder for each fold", markup=False, soft_wrap=True)


if __name__ == "__main__":
    run_command(command)

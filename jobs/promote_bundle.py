"""`screening promote`: release a bundle, unless it has forgotten what the one before it knew."""

from typing import TYPE_CHECKING, Annotated

import typer

from jobs.console import answer_apart, err, out, print_json, run_command

if TYPE_CHECKING:
    from train.release.promotion import Verdict


def command(
    candidate: Annotated[str, typer.Argument(help="the folder of the bundle to release: a path or an fsspec URL")],
    output: Annotated[str, typer.Argument(help="folder or URL to release it in")],
    baseline: Annotated[str, typer.Option(help="the bundle whose performance must be kept")],
    old_manifest: Annotated[str, typer.Option(help="manifest of the images that the baseline was made for")],
    split: Annotated[str, typer.Option(help="the split to judge on")] = "test",
    margin: Annotated[
        float, typer.Option(min=0, max=1, help="Dice or AUROC that may be lost at most, by the interval's lower limit")
    ] = 0.02,
    force: Annotated[bool, typer.Option("--force", help="release it all the same, and say so in the record")] = False,
    storage: Annotated[str | None, typer.Option(help="folder or URL for decoded images, used again by the next evaluation")] = None,
    gpus: Annotated[bool, typer.Option("--gpus", help="run the networks on a GPU")] = False,
    replicates: Annotated[int, typer.Option(min=20, help="of the bootstrap over patients")] = 1000,
    seed: Annotated[int, typer.Option(help="of the bootstrap")] = 0,
    json: Annotated[bool, typer.Option("--json", help="print the verdict as JSON")] = False,
) -> None:
    """Release a bundle if it is shown to keep, on the old images, what the baseline knew: it is copied byte by byte, or refused.

    Both bundles judge the same images. A stage is kept where the 95 % interval of the paired difference (Dice of stage 1, AUROC of stages 2
    and 3; the bootstrap draws patients) does not reach below minus the margin. Exit code 1 where one is not, and nothing is written.
    promotion.json beside the released bundle is the record.

    Example:

        screening promote out/trained bundles/mine-2 --baseline bundles/mine-1 --old-manifest old/labels.csv --margin 0.02
    """
    from jobs.checks import check_bundle, check_manifest

    for url in (candidate, baseline):
        check_bundle(url)
    check_manifest(old_manifest, [split])
    from jobs.display import Steps

    options = {"split": split, "margin": margin, "use_gpu": gpus, "storage_url": storage}
    with answer_apart(json), Steps(err) as steps:
        from screening.errors import PromotionRefused
        from train.evaluation.intervals import Resampling
        from train.release.promotion import judge, release

        verdict = judge(candidate, baseline, old_manifest, how=Resampling(replicates, seed), **options, on_progress=steps.show)
    if json:
        print_json(verdict.to_json())
    else:
        _print(verdict)
    if not verdict.promoted:
        message = f"{candidate} may lose more than {margin:g} on {old_manifest}: {verdict.loss()}"
        if not force:
            raise PromotionRefused(f"{message}. Train it with more distillation, or release it all the same with --force")
        err.print(f"released by --force: {message}", markup=False, style="yellow")
    release(candidate, output, verdict)
    if not json:
        out.print(f"released in {output}", markup=False, soft_wrap=True)


def _print(verdict: "Verdict") -> None:
    from rich import box
    from rich.table import Table

    title = f"{verdict.candidate['name']} less {verdict.baseline['name']}, {verdict.images} images of split {verdict.split}"
    table = Table("stage", "figure", "difference", "95 % interval", f"kept within {verdict.margin:g}", title=title, box=box.SIMPLE)
    for it in verdict.stages:
        interval = "too few patients" if it.low is None else f"{it.low:+.3f} to {it.high:+.3f}"
        table.add_row(it.stage, it.figure, f"{it.difference:+.3f}", interval, "yes" if it.kept else "no")
    out.print(table)


if __name__ == "__main__":
    run_command(command)

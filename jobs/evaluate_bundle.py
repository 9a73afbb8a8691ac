"""`screening evaluate`: how well a trained bundle does on labelled radiographs, and what it may have learnt instead of disease."""

from typing import Annotated, Any

import typer

from jobs.console import answer_apart, err, out, print_json, run_command
from train.evaluation.choices import DEFAULT_SPLITS, AuditDepth


def command(
    bundle: Annotated[str, typer.Argument(help="the folder of the bundle: a path or an fsspec URL")],
    manifest: Annotated[str, typer.Argument(help="CSV with the columns image, label and split; lung_mask, patient_id, source, view too")],
    output: Annotated[str, typer.Option(help="folder or URL for metrics.json and evaluation.html")],
    split: Annotated[list[str] | None, typer.Option(help="a split to judge on, once each  [default: val and test]")] = None,
    compare: Annotated[list[str] | None, typer.Option(help="another bundle, compared with the first on the same images")] = None,
    without_lung_mask: Annotated[
        bool, typer.Option("--without-lung-mask", help="compare with the same networks shown the whole image, too")
    ] = False,
    audit: Annotated[
        AuditDepth,
        typer.Option(
            help="the shortcut audit: none; quick, all but the heatmaps of random weights, in twice the time of none; or full, with them"
        ),
    ] = AuditDepth.FULL,
    card: Annotated[bool, typer.Option("--card", help="write MODEL_CARD.md into the bundle's folder, too")] = False,
    storage: Annotated[str | None, typer.Option(help="folder or URL for decoded images, used again by the next evaluation")] = None,
    gpus: Annotated[bool, typer.Option("--gpus", help="run the networks on a GPU")] = False,
    replicates: Annotated[int, typer.Option(min=20, help="of the bootstrap over patients")] = 1000,
    seed: Annotated[int, typer.Option(help="of the bootstrap, and of what is drawn for the audit")] = 0,
    json: Annotated[bool, typer.Option("--json", help="print the metrics as JSON, too")] = False,
) -> None:
    """Evaluate a bundle on labelled radiographs: AUROC, accuracy, Dice, three classes, calibration, by source and view, and an audit.

    Intervals draw whole patients. The comparisons of the paper: --without-lung-mask for its Table 3; a bundle trained on open data alone,
    and --compare one trained on clinical data too, over a manifest of either, for Tables 4 and 5; a manifest with COVIDx's split, and
    its three-class accuracy, for Table 7.

    Example:

        screening evaluate bundles/cxr-public-2 radiographs/labels.csv --output out/evaluation --without-lung-mask
    """
    from jobs.checks import check_bundle, check_manifest

    splits = split or DEFAULT_SPLITS
    for url in (bundle, *(compare or ())):
        check_bundle(url)
    check_manifest(manifest, splits)
    from jobs.display import Steps

    with answer_apart(json), Steps(err) as steps:
        from train.evaluation.evaluate import evaluate
        from train.evaluation.intervals import Resampling

        metrics = evaluate(
            bundle,
            manifest,
            splits,
            others=compare or (),
            without_lung_mask=without_lung_mask,
            use_gpu=gpus,
            storage_url=storage,
            how=Resampling(replicates, seed),
            depth=audit,
            on_progress=steps.show,
        )
    _write(bundle, metrics, output, card)
    if json:
        print_json(metrics)
        return
    for name, figures in metrics["splits"].items():
        _print_split(name, figures)
    out.print(f"\n{output}: metrics.json, and evaluation.html to read", markup=False, soft_wrap=True)


def _write(bundle: str, metrics: dict[str, Any], output: str, card: bool) -> None:
    from screening.storage import join, put_atomic
    from train.evaluation.metrics_file import write_metrics
    from train.evaluation.page import evaluation_page

    write_metrics(output, metrics)
    put_atomic(join(output, "evaluation.html"), evaluation_page(metrics).encode())
    if card:
        from train.release.model_card import write_card

        write_card(bundle, metrics)


def _print_split(name: str, figures: dict[str, Any]) -> None:
    import pyarrow as pa

    from jobs.tables import answer_table
    from train.evaluation.wording import STAGES, estimate, gap, proportion

    out.print()
    counts = f"{figures['images']} images of {figures['patients']} patients, lungs not found in {figures['lungs_not_found']}"
    rows = [{"": "Stage 1: lungs", "AUROC": f"Dice {estimate(figures['dice']['mean'])}"}]
    for stage, found in figures["stages"].items():
        shares = {measure: proportion(found[measure]) for measure in ("sensitivity", "specificity")}
        rows.append(
            {"": STAGES[stage], "positive": found["positives"], "negative": found["negatives"], "AUROC": estimate(found["auroc"])} | shares
        )
    columns = ("", "positive", "negative", "AUROC", "sensitivity", "specificity")
    rows = [{column: "" if row.get(column) is None else str(row[column]) for column in columns} for row in rows]
    out.print(answer_table(pa.Table.from_pylist(rows), f"Split {name}: {counts}"))
    for rule, found in figures["three_class"].items():
        out.print(f"three classes, {rule.replace('_', ' ')}: {proportion(found['accuracy'])} right", markup=False)
    if figures["audit"] is None:
        out.print("shortcut audit: not measured", markup=False)
    else:
        for stage, found in figures["audit"]["lungs_erased"].items():
            out.print(f"{STAGES[stage]}: AUROC {estimate(found['lungs_erased'])} with the lungs erased", markup=False)
    for compared in figures["comparisons"]:
        areas = ", ".join(f"{STAGES[stage].split(':')[0]} {gap(found)}" for stage, found in compared["auroc"].items())
        out.print(f"AUROC less that {compared['second']}: {areas}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    run_command(command)

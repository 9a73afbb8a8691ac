"""`screening calibrate`: fit a bundle's calibration and operating points to one hospital."""

from typing import TYPE_CHECKING, Annotated

import typer

from jobs.console import answer_apart, err, out, print_json, run_command

if TYPE_CHECKING:
    from train.release.site import SiteFit


def command(
    bundle: Annotated[str, typer.Argument(help="the folder of the bundle: a path or an fsspec URL")],
    manifest: Annotated[str, typer.Argument(help="CSV with the columns image, label and split (all are used); patient_id too")],
    site: Annotated[str, typer.Option(help="the hospital: part of the bundle's name, or with --save its InstitutionName as in the rows")],
    output: Annotated[str | None, typer.Option(help="folder or URL of a bundle that is fitted, for that hospital alone")] = None,
    save: Annotated[
        str | None, typer.Option(help="file of operating points to put the hospital's into, for a bundle that judges other hospitals, too")
    ] = None,
    pneumonia_rule: Annotated[str, typer.Option(help="of stage 2's operating point: sensitivity>=SHARE or youden")] = "sensitivity>=0.90",
    covid_rule: Annotated[str, typer.Option(help="of stage 3's")] = "sensitivity>=0.90",
    least: Annotated[int, typer.Option(min=10, help="images of each class without which a stage keeps the bundle's own numbers")] = 50,
    storage: Annotated[str | None, typer.Option(help="folder or URL for decoded images, used again by the next command")] = None,
    gpus: Annotated[bool, typer.Option("--gpus", help="run the networks on a GPU")] = False,
    replicates: Annotated[int, typer.Option(min=20, help="of the bootstrap over patients")] = 1000,
    seed: Annotated[int, typer.Option(help="of the bootstrap")] = 0,
    json: Annotated[bool, typer.Option("--json", help="print what was found as JSON")] = False,
) -> None:
    """Fit Platt scaling and operating points to a hospital's own first weeks, and write the bundle that has them, or them alone.

    The networks stay as they are. With --output the numbers are a new bundle's, which judges every image by them. With --save they go into
    a file that `run`, `nightly`, `serve` and `score` take with --operating-points, beside those of other hospitals, and judge the images of
    that hospital alone. Either way the digest is another one, so that no row is judged by other numbers in silence. Says how wide the
    intervals of sensitivity and specificity are, and how many images would make them 5 points either way.

    Example:

        screening calibrate bundles/cxr-public-2 hospital/labels.csv --site north --output bundles/cxr-public-2-north
    """
    from jobs.checks import check_bundle, check_manifest
    from screening.bundle.operating_points import add_sites, check_addable
    from screening.errors import check_usage
    from train.release.operating_points import check_rule

    rules = {"pneumonia": pneumonia_rule, "covid": covid_rule}
    for rule in rules.values():
        check_rule(rule)
    check_usage(bool(output or save), "nothing would be written: give --output for a bundle, --save for a file of points, or both")
    named = output is None or site.replace("-", "").replace("_", "").isalnum()
    check_usage(named, f"--site {site!r}: the name of a bundle has letters, digits, - and _")
    digest = check_bundle(bundle).digest()
    if save:
        check_addable(save, digest)
    rows = check_manifest(manifest)
    from jobs.display import Steps

    with answer_apart(json), Steps(err) as steps:
        from train.evaluation.intervals import Resampling
        from train.release.site import fit_site, points_of

        options = {"least": least, "how": Resampling(replicates, seed), "use_gpu": gpus, "storage_url": storage}
        fitted, found = fit_site(bundle, rows, site, output, rules, **options, on_progress=steps.show)
        saved = add_sites(save, points_of(fitted, found, site)) if save else None
    if json:
        written = {"name": fitted.name, "digest": fitted.digest()} if output else None
        print_json({"bundle": written, "sites": saved and list(saved.sites), "stages": [fit.to_json() for fit in found]})
        return
    for fit in found:
        _print(fit)
    if output:
        out.print(f"bundle {fitted.name} {fitted.digest()[:12]} in {output}", markup=False, soft_wrap=True)
    if saved:
        out.print(f"operating points of {', '.join(saved.sites)} in {save}", markup=False, soft_wrap=True)


def _print(fit: "SiteFit") -> None:
    import pyarrow as pa

    from jobs.tables import answer_table
    from train.evaluation.wording import STAGES, estimate, proportion

    rows = [
        {
            "": name,
            "AUROC": estimate(found["auroc"]),
            "sensitivity": proportion(found["sensitivity"]),
            "specificity": proportion(found["specificity"]),
        }
        for name, found in (("the bundle's own", fit.before), *([] if fit.kept else [("fitted", fit.after)]))
    ]
    out.print(answer_table(pa.Table.from_pylist(rows), f"{STAGES[fit.stage]}: {fit.positives} positive, {fit.negatives} negative"))
    if fit.kept:
        out.print(fit.kept, markup=False, soft_wrap=True)
    else:
        out.print("chosen on these very images, so that the figures flatter", markup=False)
    classes = {"sensitivity": "positive", "specificity": "negative"}
    for name, n in fit.needed.items():
        out.print(f"{name} within 5 points either way needs about {n:,} {classes[name]} images", markup=False, soft_wrap=True)


if __name__ == "__main__":
    run_command(command)

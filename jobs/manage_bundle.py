"""`screening bundle`: look at a bundle, and check it."""

from typing import TYPE_CHECKING, Annotated

import typer

from jobs.console import out, print_json, run

if TYPE_CHECKING:
    from rich.table import Table

    from schemas.bundle import BundleManifest

app = typer.Typer(help="Look at a bundle of weights, and check it.", no_args_is_help=True, rich_markup_mode=None)

Url = Annotated[str, typer.Argument(help="the folder of the bundle: a path or an fsspec URL", metavar="BUNDLE")]
Json = Annotated[bool, typer.Option("--json", help="print the answer as JSON")]


@app.command()
def verify(
    url: Url,
    digest: Annotated[str | None, typer.Option(help="what the bundle's digest must begin with")] = None,
    json: Json = False,
) -> None:
    """Check every byte and tensor of a bundle, and recompute its digest.

    Exit code 1 where anything is missing, changed, or does not fit. Without --digest a changed bundle.json is no fault: it is
    another bundle, with another digest.

    Example:

        screening bundle verify bundles/cxr-public-1 --digest 5f0c1f7b2a90
    """
    from screening import bundle

    manifest = bundle.verify(url, digest)
    if json:
        print_json({"bundle": url, "name": manifest.name, "digest": manifest.digest(), "valid": True})
    else:
        out.print(f"{url}: valid\n{manifest.name}  {manifest.digest()}", markup=False)


@app.command()
def show(url: Url, json: Json = False) -> None:
    """Show what a bundle's manifest says: networks, operating points, training data, metrics. Reads no weights.

    Example:

        screening bundle show bundles/cxr-public-1
    """
    from screening.bundle import load_manifest

    manifest = load_manifest(url)
    if json:
        print_json({"digest": manifest.digest(), **manifest.model_dump(mode="json")})
        return
    out.print(f"{manifest.name}  {manifest.digest()}", markup=False)
    out.print(_stage_table(manifest))
    for title, facts in (
        ("operating point", {stage: f"{point.rule}; {point.data}" for stage, point in manifest.operating_points.items()}),
        ("calibration", {stage: f"{it.slope:.4f} * logit + {it.intercept:.4f}; {it.data}" for stage, it in manifest.calibration.items()}),
        ("preprocessing", manifest.preprocessing.model_dump()),
        ("training data", manifest.training_data),
        ("metrics", manifest.metrics),
    ):
        for name, value in facts.items():
            out.print(f"{title}: {name} = {value}", markup=False, soft_wrap=True)
    code, license = manifest.code_version or "not stated", manifest.license or "not stated"
    out.print(f"heatmap: {manifest.heatmap}   code: {code}   license: {license}", markup=False)


def _stage_table(manifest: "BundleManifest") -> "Table":
    from rich import box
    from rich.table import Table

    table = Table("stage", "network", "pixels", "threshold", "sensitivity", "specificity", box=box.SIMPLE)
    for stage, network in manifest.networks.items():
        point = manifest.operating_points.get(stage)
        shown = [""] * 3 if point is None else [f"{point.threshold:.4f}", _share(point.sensitivity), _share(point.specificity)]
        table.add_row(stage, network.architecture, str(network.input_size), *shown)
    return table


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    run(app)

"""`screening bundle`: look at a bundle, check it, pack it, write its card."""

from typing import TYPE_CHECKING, Annotated

import typer

from jobs import bundle_registry
from jobs.console import err, out, print_json, run

if TYPE_CHECKING:
    from rich.table import Table

    from schemas.bundle import BundleManifest

app = typer.Typer(
    help="Look at a bundle of weights, check it, pack it, write its card; say which one judges.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

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

        screening bundle verify bundles/cxr-public-2 --digest 5f0c1f7b2a90
    """
    from jobs.display import Steps
    from screening.bundle import checks

    with Steps(err) as steps:
        manifest = checks.verify(url, digest, steps.show)
    if json:
        print_json({"bundle": url, "name": manifest.name, "digest": manifest.digest(), "valid": True})
    else:
        out.print(f"{url}: valid\n{manifest.name}  {manifest.digest()}", markup=False)


@app.command()
def show(url: Url, json: Json = False) -> None:
    """Show what a bundle's manifest says: networks, operating points, training data, metrics. Reads no weights.

    Example:

        screening bundle show bundles/cxr-public-2
    """
    from screening.bundle.checks import load_manifest

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


@app.command()
def pack(
    url: Url,
    output: Annotated[str, typer.Argument(help="folder or URL of the packed bundle", metavar="OUT")],
    name: Annotated[str | None, typer.Option(help="of the packed bundle  [default: the same]")] = None,
    license: Annotated[str | None, typer.Option(help="of the weights, as its SPDX identifier  [default: the same]")] = None,
    json: Json = False,
) -> None:
    """Write a bundle in half the size: weights as float16, all else as it was.

    It is another bundle, with another digest, and its scores differ in the third digit: evaluate it before it is released.

    Example:

        screening bundle pack out/trained bundles/cxr-public-2
    """
    from jobs.checks import check_bundle
    from jobs.display import Steps

    check_bundle(url)
    with Steps(err) as steps:
        from train.release.packing import pack, weights_megabytes

        steps.show("packing", 0, 0)
        manifest = pack(url, output, name, license)
        megabytes = weights_megabytes(output, manifest)
    if json:
        print_json({"bundle": output, "name": manifest.name, "digest": manifest.digest(), "megabytes": megabytes})
    else:
        out.print(f"{output}: {manifest.name} {manifest.digest()[:12]}, {megabytes:.1f} MB of weights", markup=False, soft_wrap=True)


@app.command()
def card(
    url: Url,
    metrics: Annotated[str, typer.Option(help="metrics.json that `screening evaluate` wrote for this bundle: a path or a URL")],
    notes: Annotated[str | None, typer.Option(help="a Markdown file that goes into the card as it is")] = None,
    crossval: Annotated[list[str] | None, typer.Option(help="crossval.json of `screening crossval`, one a stage")] = None,
) -> None:
    """Write MODEL_CARD.md into a bundle's folder: data, licences, intended use, limits, and every figure that was measured.

    Exit code 2 where the metrics are of another bundle.

    Example:

        screening bundle card bundles/cxr-public-2 --metrics out/evaluation/metrics.json
    """
    from json import loads

    from jobs.display import Steps
    from screening.errors import UsageError
    from screening.storage import read_bytes

    try:
        measured, said = loads(read_bytes(metrics)), "" if notes is None else read_bytes(notes).decode()
        unseen = [loads(read_bytes(file)) for file in crossval or ()]
    except (OSError, ValueError) as error:
        raise UsageError(f"--metrics {metrics}, --notes or --crossval cannot be read: {error}") from error
    with Steps(err):
        from train.release.model_card import CARD_FILE, write_card

        write_card(url, measured, said, unseen)
    out.print(f"{url}/{CARD_FILE}", markup=False, soft_wrap=True)


for _name, _command in bundle_registry.COMMANDS.items():
    app.command(_name)(_command)


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

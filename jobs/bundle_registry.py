"""`screening bundle register`, `promote`, `rollback`, `list` and `history`: which bundle judges, who said so and why."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.console import out, print_json

if TYPE_CHECKING:
    from schemas.registry import RegistryEntry

Results = Annotated[
    str, typer.Argument(help="folder or URL that is --results of `screening run`; may be one that nothing was written to yet")
]
Why = Annotated[str, typer.Option(help="the reason, for those who read the history")]
Who = Annotated[str | None, typer.Option(help="who does it  [default: the user and the machine]")]
Pointer = Annotated[
    str | None, typer.Option(help="let a server that follows this file answer with the bundle at its operating points, too: current.json")
]
Json = Annotated[bool, typer.Option("--json", help="print the answer as JSON")]


def register(
    results: Results,
    bundle: Annotated[str, typer.Argument(help="the folder of the bundle: a path or an fsspec URL")],
    why: Why,
    operating_points: Annotated[
        str | None, typer.Option(help="file that `screening thresholds --save` or `screening shadow` wrote for this bundle")
    ] = None,
    who: Who = None,
    json: Json = False,
) -> None:
    """Make a bundle known beside the results, with its own operating points or with others. Changes no run.

    The same bundle with other operating points is another one, with another digest.

    Example:

        screening bundle register s3://insurance/screening s3://insurance/bundles/2020-06 --why "retrained with the spring's studies"
    """
    from jobs.checks import check_bundle, check_operating_points
    from schemas.bundle import Overrides
    from screening.registry import steps
    from screening.results.layout import ResultsLayout

    manifest = check_bundle(bundle)
    points = check_operating_points(operating_points, manifest) if operating_points else Overrides()
    _say(steps.register(ResultsLayout(results), bundle, points, who=who or steps.this_user(), why=why), json)


def promote(
    results: Results,
    digest: Annotated[str, typer.Argument(help="the first digits of the digest of a registered bundle")],
    why: Why,
    max_auroc_loss: Annotated[
        float, typer.Option(help="AUROC that may be lost against the present bundle, by the interval's limit")
    ] = 0.05,
    max_rate_change: Annotated[float, typer.Option(help="change of the share of positives, up or down, by the interval's limit")] = 0.05,
    max_disagreement: Annotated[float, typer.Option(help="share of radiographs that the two bundles may call differently")] = 0.2,
    without_shadow: Annotated[
        str | None, typer.Option(help="promote it without a shadow run, or in spite of one: the reason, which the history keeps")
    ] = None,
    who: Who = None,
    pointer: Pointer = None,
    json: Json = False,
) -> None:
    """Let a registered bundle judge from the next run on: `screening run` and `nightly` use it unless another one is named.

    Rows of the bundle before it stay. The next run scores every object of the archive with the new one. The bundle must have judged within
    the margins beside the present one in a `screening shadow` run. Exit code 1 where it has not, and nothing is written.

    Example:

        screening bundle promote s3://insurance/screening 1a2b3c4d5e6f --why "keeps its sensitivity, finds fewer false positives"
    """
    from screening.registry import steps
    from screening.registry.gate import Margins
    from screening.results.layout import ResultsLayout

    _check_pointer(pointer)
    margins = Margins(max_auroc_loss, max_rate_change, max_disagreement)
    by = who or steps.this_user()
    entry = steps.promote(ResultsLayout(results), digest, who=by, why=why, margins=margins, without_shadow=without_shadow)
    _follow(pointer, entry)
    _say(entry, json)


def rollback(results: Results, why: Why, who: Who = None, pointer: Pointer = None, json: Json = False) -> None:
    """Let the bundle judge again that did so before the last promotion; once more goes back further.

    Example:

        screening bundle rollback s3://insurance/screening --why "three times as many positives at one site"
    """
    from screening.registry import steps
    from screening.results.layout import ResultsLayout

    _check_pointer(pointer)
    entry = steps.rollback(ResultsLayout(results), who=who or steps.this_user(), why=why)
    _follow(pointer, entry)
    _say(entry, json)


def list_bundles(results: Results, json: Json = False) -> None:
    """Show the registered bundles, their operating points, and which of them is promoted.

    Example:

        screening bundle list s3://insurance/screening
    """
    from screening.registry.history import promoted, read_history, registered
    from screening.results.layout import ResultsLayout

    entries = read_history(ResultsLayout(results))
    judges = promoted(entries)
    rows = [
        {"promoted": judges is not None and judges.bundle_digest == digest, **entry.model_dump(mode="json")}
        for digest, entry in registered(entries).items()
    ]
    if json:
        print_json(rows)
        return
    columns = ("bundle", "digest", "promoted", "stage 2 at", "stage 3 at", "registered", "by", "folder")
    _print(columns, [_bundle_cells(row) for row in rows], f"{results}: no bundle is registered")


def history(results: Results, json: Json = False) -> None:
    """Show every entry of the registry, the oldest first: what was done with which bundle, when, by whom and why.

    Example:

        screening bundle history s3://insurance/screening
    """
    from screening.registry.history import read_history
    from screening.results.layout import ResultsLayout

    entries = read_history(ResultsLayout(results))
    if json:
        print_json([entry.model_dump(mode="json") for entry in entries])
        return
    rows = [
        [str(it.number), f"{it.when:%Y-%m-%d %H:%M}", it.action, it.bundle_name, it.bundle_digest[:12], it.who, _reason(it)]
        for it in entries
    ]
    _print(("entry", "when (UTC)", "what", "bundle", "digest", "by", "why"), rows, f"{results}: the registry has no entry")


COMMANDS = {"register": register, "promote": promote, "rollback": rollback, "list": list_bundles, "history": history}


def _check_pointer(pointer: str | None) -> None:
    """Raise UsageError where no server would follow the file, before anything is promoted."""
    from screening.bundle.pointer import is_pointer
    from screening.errors import check_usage

    check_usage(pointer is None or is_pointer(pointer), f"--pointer {pointer}: the file that a server follows ends in .json")


def _follow(pointer: str | None, entry: "RegistryEntry") -> None:
    """Name the entry's bundle, its digest and its operating points in the file that servers follow."""
    if pointer is None:
        return
    from screening.bundle.pointer import BundlePointer, point_to
    from screening.registry import steps

    _, points = steps.judging(entry)
    point_to(pointer, BundlePointer(bundle_url=entry.bundle_url, bundle_digest=entry.bundle_digest, **dict(points)))


def _reason(entry: "RegistryEntry") -> str:
    """Return why, and what a promotion rests on."""
    if entry.without_shadow is not None:
        return f"{entry.why} (without shadow: {entry.without_shadow})"
    return entry.why if entry.shadow_id is None else f"{entry.why} (shadow {entry.shadow_id})"


def _say(entry: "RegistryEntry", json: bool) -> None:
    if json:
        print_json(entry.model_dump(mode="json"))
        return
    said = {"register": "is registered", "promote": "is promoted", "rollback": "is promoted again"}[entry.action]
    out.print(f"{entry} {said}", markup=False, soft_wrap=True)


def _bundle_cells(row: dict[str, Any]) -> list[str]:
    points = [f"{row['operating_points'][stage]['threshold']:.4f}" for stage in ("pneumonia", "covid")]
    return [
        row["bundle_name"],
        row["bundle_digest"][:12],
        "yes" if row["promoted"] else "",
        *points,
        row["when"][:10],
        row["who"],
        row["bundle_url"],
    ]


def _print(columns: tuple[str, ...], rows: list[list[str]], nothing: str) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if not rows:
        out.print(nothing, markup=False)
        return
    table = Table(*columns, box=box.SIMPLE)
    for row in rows:
        table.add_row(*map(Text, row))
    out.print(table)

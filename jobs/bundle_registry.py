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
Pointer = Annotated[str | None, typer.Option(help="let a server that follows this file answer with the bundle, too: current.json")]
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
    who: Who = None,
    pointer: Pointer = None,
    json: Json = False,
) -> None:
    """Let a registered bundle judge from the next run on: `screening run` and `nightly` use it unless another one is named.

    Rows of the bundle before it stay. The next run scores every object of the archive with the new one.

    Example:

        screening bundle promote s3://insurance/screening 1a2b3c4d5e6f --why "keeps its sensitivity, finds fewer false positives"
    """
    from screening.registry import steps
    from screening.results.layout import ResultsLayout

    entry = steps.promote(ResultsLayout(results), digest, who=who or steps.this_user(), why=why)
    _follow(pointer, entry)
    _say(entry, json)


def rollback(results: Results, why: Why, who: Who = None, pointer: Pointer = None, json: Json = False) -> None:
    """Let the bundle judge again that did so before the last promotion; once more goes back further.

    Example:

        screening bundle rollback s3://insurance/screening --why "three times as many positives at one site"
    """
    from screening.registry import steps
    from screening.results.layout import ResultsLayout

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
        [str(it.number), f"{it.when:%Y-%m-%d %H:%M}", it.action, it.bundle_name, it.bundle_digest[:12], it.who, it.why] for it in entries
    ]
    _print(("entry", "when (UTC)", "what", "bundle", "digest", "by", "why"), rows, f"{results}: the registry has no entry")


COMMANDS = {"register": register, "promote": promote, "rollback": rollback, "list": list_bundles, "history": history}


def _follow(pointer: str | None, entry: "RegistryEntry") -> None:
    """Name the entry's bundle in the file that servers follow. Raises UsageError where they would answer at other thresholds."""
    if pointer is None:
        return
    from schemas.bundle import Overrides
    from screening.bundle.pointer import is_pointer, point_to
    from screening.errors import UsageError
    from screening.registry import steps

    if not is_pointer(pointer):
        raise UsageError(f"--pointer {pointer}: the file that a server follows ends in .json")
    if steps.judging(entry)[1] != Overrides():
        raise UsageError(f"--pointer {pointer} was left as it is: a server answers at the bundle's own operating points, {entry} does not")
    point_to(pointer, entry.bundle_url)


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

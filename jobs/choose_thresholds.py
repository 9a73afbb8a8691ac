"""`screening thresholds`: what every threshold gives, and the choice of one."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.analytics_source import (
    Bundles,
    CasesFiles,
    Columns,
    Delimiter,
    Encoding,
    EpisodeDays,
    Indeterminate,
    Json,
    Reference,
    Repeated,
    Results,
    Undated,
    WindowAfter,
    WindowBefore,
    print_links,
)
from jobs.console import EXIT_FAILED, err, out, print_json, run_command

if TYPE_CHECKING:
    from schemas.operating_points import OperatingPoints
    from screening.analytics.thresholds import Target


def command(
    results: Results = None,
    reference: Reference = None,
    cases: CasesFiles = None,
    column: Columns = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    bundle: Bundles = None,
    unit: Annotated[str, typer.Option(help="unit of analysis: instance, study or patient")] = "patient",
    by: Annotated[str | None, typer.Option(help="per subgroup: sex, age_band, site, view or vendor")] = None,
    pairs: Annotated[bool, typer.Option("--pairs", help="thresholds of both stages, instead of stage 3's alone")] = False,
    prevalence: Annotated[float | None, typer.Option(help="share of cases among those screened  [default: as in the data]")] = None,
    cost_screen: Annotated[float | None, typer.Option(help="of screening one person, in any currency")] = None,
    cost_test: Annotated[float | None, typer.Option(help="of one RT-PCR test, in the same currency")] = None,
    screened_per_day: Annotated[float | None, typer.Option(help="people screened a day  [default: those a night of the results]")] = None,
    sensitivity: Annotated[float | None, typer.Option(help="choose: at least that sensitivity; WHO's screening profile says 0.90")] = None,
    specificity: Annotated[float | None, typer.Option(help="choose: at least that specificity; WHO's screening profile says 0.70")] = None,
    capacity: Annotated[float | None, typer.Option(help="choose: at most that many RT-PCR tests a day")] = None,
    save: Annotated[
        str | None, typer.Option(help="write the chosen one, or with --by site one for each site, to this JSON file, for this bundle alone")
    ] = None,
    min_people: Annotated[
        int, typer.Option(min=1, help="with --by site --save: positives, and negatives, that a site needs for a point of its own")
    ] = 100,
    rows: Annotated[int, typer.Option(min=2, help="thresholds shown in the table; --json gives all")] = 20,
    window_before: WindowBefore = 14,
    window_after: WindowAfter = 21,
    undated: Undated = False,
    repeated: Repeated = "positive",
    indeterminate: Indeterminate = "apart",
    episode_days: EpisodeDays = 90,
    json: Json = False,
) -> None:
    """Show what every threshold gives: cases found and missed, RT-PCR tests needed, cost for each case; and choose one.

    Exits 1 when no threshold keeps what is asked.

    Example:

        screening thresholds s3://results/nightly --reference rt_pcr.parquet --prevalence 0.01 --sensitivity 0.90 --specificity 0.70
    """
    from jobs.analytics_source import open_source
    from jobs.display import Steps
    from screening.analytics import thresholds
    from screening.analytics.linking import LinkRule, describe_links
    from train.release.site_points import choose_by_site

    target = thresholds.Target(sensitivity, specificity, capacity)
    question = thresholds.Question(unit, by, prevalence, cost_screen, cost_test, screened_per_day)
    rule = LinkRule(window_before, window_after, undated, repeated, indeterminate, episode_days)
    _check(target, save, pairs, by)
    source, text = (results, reference, cases, column, bundle, rule), {"encoding": encoding, "delimiter": delimiter}
    with Steps(err) as steps, open_source(*source, **text, on_progress=steps.show) as connection:
        steps.show("working out every threshold", 0, 0)
        thresholds.ask(connection, question)
        found = thresholds.table(connection, pairs=pairs)
        answer = {
            **describe_links(connection),
            "units": thresholds.units(connection),
            "notes": [thresholds.GATE] if pairs else [],
            "thresholds": found,
        }
        data = results or ", ".join(cases or ())
        if save and by:
            _save_by_site(choose_by_site(connection, found, target, data, answer["link_rule"], min_people), answer, json, save)
            return
    chosen = _choose(found, target) if target else {}
    answer |= {"target": str(target), "chosen": list(chosen.values())} if target else {}
    if save and all(chosen.values()):
        (row,) = chosen.values()
        _save(save, row, target, data, answer["link_rule"])
    _print(answer, pairs, rows, json, save)
    if target and not (chosen and all(chosen.values())):
        raise typer.Exit(EXIT_FAILED)


def _check(target: "Target", save: str | None, pairs: bool, by: str | None) -> None:
    from screening.errors import UsageError

    if save and not target:
        raise UsageError("--save writes the chosen threshold: say what to choose by --sensitivity, --specificity or --capacity")
    if save and by not in (None, "site"):
        raise UsageError("--save writes operating points for all or, with --by site, for each site: a run knows no other subgroups")
    if save and by and target.capacity is not None:
        raise UsageError("--capacity counts the tests of all sites together, and --by site chooses for each: choose by --sensitivity")
    if pairs and by:
        raise UsageError("--pairs gives thresholds for all people together, and --by for each subgroup: leave out one of them")
    if pairs and target.capacity is not None:
        raise UsageError("--capacity counts tests at the bundle's stage-2 point, which --pairs moves: leave out one of them")


def _choose(rows: list[dict[str, Any]], target: "Target") -> dict[str, dict[str, Any] | None]:
    """Return subgroup → the chosen row, None where none keeps the target."""
    from screening.analytics.thresholds import choose, one_bundle

    groups: dict[str, list[dict[str, Any]]] = {}
    for row in one_bundle(rows):
        groups.setdefault(row.get("subgroup", "all"), []).append(row)
    return {subgroup: choose(members, target) for subgroup, members in groups.items()}


def _save(url: str, row: dict[str, Any], target: "Target", data: str, rule: str) -> None:
    from screening.analytics import thresholds
    from screening.bundle import operating_points

    operating_points.save(url, thresholds.operating_points(row, target, data, rule))


def _save_by_site(points: "OperatingPoints", answer: dict[str, Any], json: bool, save: str) -> None:
    import pyarrow as pa

    from jobs.tables import answer_table
    from screening.analytics.thresholds import SAME_DATA
    from screening.bundle import operating_points
    from train.release.site_points import describe

    operating_points.save(save, points)
    rows = describe(points)
    if json:
        print_json(answer | {"sites": rows})
        return
    print_links(answer)
    out.print()
    out.print(answer_table(pa.Table.from_pylist(rows), "Operating points of stage 3, by site"))
    out.print(SAME_DATA)
    out.print(f"saved in {save}", markup=False)


def _print(answer: dict[str, Any], pairs: bool, rows: int, json: bool, save: str | None) -> None:
    import pyarrow as pa

    from jobs.tables import answer_table
    from screening.analytics.thresholds import thinned

    if json:
        print_json(answer)
        return
    out.print(answer_table(pa.Table.from_pylist(answer["units"]), "Units"))
    out.print()
    print_links(answer)
    for note in answer["notes"]:
        out.print(note, markup=False)
    found = answer["thresholds"]
    shown = thinned(found, rows * rows if pairs else rows)
    if shown:
        shares = ", ".join(sorted({f"{100 * row['prevalence']:.3g} %" for row in found if row["prevalence"] is not None}))
        out.print(f"PPV, NPV and what follows them are for a prevalence of {shares}. Percentages with 95 % Wilson intervals.")
        title = "Pairs of thresholds" if pairs else "Thresholds of stage 3, at the bundle's stage-2 point"
        out.print()
        out.print(answer_table(_for_people(shown), f"{title}: {len(shown)} of {len(found)}"))
    else:
        out.print("\nno verified unit has a stage-3 score: there is nothing to put a threshold at")
    if "chosen" in answer:
        _print_chosen(answer, save)


def _print_chosen(answer: dict[str, Any], save: str | None) -> None:
    from jobs.tables import answer_table
    from screening.analytics.thresholds import SAME_DATA

    kept = [row for row in answer["chosen"] if row]
    out.print()
    if kept:
        out.print(answer_table(_for_people(kept), f"Chosen: {answer['target']}"))
        out.print(SAME_DATA)
    if len(kept) < len(answer["chosen"]) or not kept:
        out.print(f"no threshold keeps {answer['target']}" + (" in some subgroups" if kept else ""), style="red")
    elif save:
        out.print(f"saved in {save}", markup=False)


_PROPORTIONS = {"sensitivity": "sens. %", "specificity": "spec. %", "ppv": "PPV %", "npv": "NPV %"}
_NUMBERS = {
    "pneumonia_threshold": "stage 2 at",
    "covid_threshold": "stage 3 at",
    "threshold": "threshold",
    "tp": "TP",
    "fp": "FP",
    "fn": "FN",
    "tn": "TN",
}
_YIELD = {
    "tests_per_day": "tests/day",
    "screened_per_case": "screen/case",
    "tests_per_case": "tests/case",
    "missed_per_100000": "missed/100k",
    "tests_per_100000": "tests/100k",
    "cost_per_case": "cost/case",
}


def _for_people(rows: list[dict[str, Any]]):
    """Return rows as a table: percentages with their intervals, and no column that says the same everywhere."""
    import pyarrow as pa

    shown = []
    for row in rows:
        cells = {"bundle_digest": row["bundle_digest"], "subgroup": row.get("subgroup")}
        cells |= {head: _number(row.get(name)) for name, head in _NUMBERS.items()}
        cells |= {"": "as run" if row["as_run"] else "", "basis": row.get("basis")}
        cells |= {head: _percent(row, name) for name, head in _PROPORTIONS.items()}
        shown.append(cells | {head: _number(row.get(name)) for name, head in _YIELD.items()})
    same = {name for name in ("bundle_digest", "subgroup") if len({cells[name] for cells in shown}) == 1}
    kept = [name for name in shown[0] if name not in same and any(cells[name] is not None for cells in shown)]
    return pa.Table.from_pylist([{name: cells[name] for name in kept} for cells in shown])


def _percent(row: dict[str, Any], name: str) -> str | None:
    value, low, high = row[name], row.get(f"{name}_low"), row.get(f"{name}_high")
    if value is None:
        return None
    return f"{100 * value:.1f}" if low is None else f"{100 * value:.1f} ({100 * low:.1f}-{100 * high:.1f})"


def _number(value: float | None) -> str | None:
    """Return 4 significant digits, and every digit of a whole number."""
    if value is None:
        return None
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"


if __name__ == "__main__":
    run_command(command)

"""`screening monitor`: what the last nights were like, and whether a stated limit is crossed."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.analytics_source import (
    Bundles,
    Columns,
    Delimiter,
    Encoding,
    EpisodeDays,
    Indeterminate,
    Json,
    Reference,
    Repeated,
    Undated,
    WindowAfter,
    WindowBefore,
    print_match,
)
from jobs.console import EXIT_FAILED, err, out, print_json, run_command

if TYPE_CHECKING:
    from screening.analytics.monitoring import AlertLimits, Finding, Watch


def command(
    results: Annotated[str, typer.Argument(help="folder or URL that was --results of `screening run`")],
    reference: Reference = None,
    column: Columns = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    baseline: Annotated[str | None, typer.Option(help="FROM:TO, the nights that score distributions are compared with")] = None,
    limit: Annotated[list[str] | None, typer.Option(help="max_NAME=value or min_NAME=value; may be repeated")] = None,
    limits: Annotated[str | None, typer.Option(help="TOML file with a table limits, and sites.NAME for those of one site")] = None,
    nights: Annotated[int, typer.Option(min=1, help="newest nights that are shown, and that accuracy is judged over")] = 14,
    judged_nights: Annotated[int, typer.Option(min=1, help="newest nights that the other limits are judged for")] = 1,
    min_images: Annotated[int, typer.Option(min=1, help="shares and scores of fewer images are not judged")] = 30,
    bundle: Bundles = None,
    window_before: WindowBefore = 14,
    window_after: WindowAfter = 21,
    undated: Undated = False,
    repeated: Repeated = "positive",
    indeterminate: Indeterminate = "apart",
    episode_days: EpisodeDays = 90,
    json: Json = False,
) -> None:
    """Show the last nights by site: screened, refused, positive, how scores moved, speed, accuracy; exit 1 when a stated limit is crossed.

    Limits are of objects, scored, rejected_share, failed_share, pneumonia_positive_share, positive_share, lung_area_median, pneumonia_psi,
    covid_psi, images_per_second, sensitivity, specificity, and of a reason's share, as in max_lateral_view_share.

    Example:

        screening monitor s3://results/nightly --baseline 2020-03-01:2020-03-14 --limit max_rejected_share=0.2 --limit max_covid_psi=0.25
    """
    from dataclasses import asdict

    from jobs.analytics_source import open_source
    from jobs.display import Steps
    from screening.analytics import monitoring
    from screening.analytics.linking import LinkRule, match_rate
    from screening.results.layout import ResultsLayout

    stated = monitoring.with_limits(monitoring.load_limits(limits) if limits else monitoring.AlertLimits(), limit or ())
    rule = LinkRule(window_before, window_after, undated, repeated, indeterminate, episode_days)
    period = monitoring.Period.parse(baseline) if baseline else None
    _check(stated, period is not None, reference is not None)
    source = {"columns": column, "bundle": bundle, "rule": rule, "encoding": encoding, "delimiter": delimiter}
    with Steps(err) as steps, open_source(results, reference, **source, on_progress=steps.show) as connection:
        steps.show("looking at the last nights", 0, 0)
        match = match_rate(connection)
        watched = monitoring.watch(connection, ResultsLayout(results), nights=nights, baseline=period, reference=reference is not None)
    watched = monitoring.check_limits(watched, stated, judged_nights=judged_nights, min_images=min_images)
    if json:
        print_json(asdict(watched) | {"match": match})
    else:
        _print(watched)
        print_match(match)
    if watched.crossed:
        raise typer.Exit(EXIT_FAILED)


def _check(limits: "AlertLimits", baseline: bool, reference: bool) -> None:
    """Raise UsageError for limits that nothing could ever cross."""
    from screening.errors import UsageError

    if not baseline and any(name.endswith("_psi") for name in limits.names()):
        raise UsageError("a limit of PSI, by --limit or --limits, compares with a baseline: give --baseline FROM:TO")
    if not reference and limits.names() & {"sensitivity", "specificity"}:
        raise UsageError("a limit of accuracy, by --limit or --limits, needs the RT-PCR results: give --reference FILE")


def _print(watched: "Watch") -> None:
    if not watched.nights:
        out.print("no rows yet")
        return
    newest = max(row["screen_date"] for row in watched.nights)
    _table("Nights, all sites", [row for row in watched.nights if row["site"] == "all sites"], _night, ("site",))
    _table(f"Sites, night of {newest}", [row for row in watched.nights if row["screen_date"] == newest], _night, ("screen_date",))
    of_newest = [row for row in watched.reasons if row["screen_date"] == newest and row["site"] == "all sites"]
    _table(f"Refused, night of {newest}, all sites", of_newest, _reason, ("screen_date", "site"))
    _table("Scores", [row for row in watched.scores if row["site"] == "all sites" or row["screen_date"] == newest], _score, ())
    _table("COVID-19 against RT-PCR, radiographs", watched.accuracy, _accuracy, ())
    _table("Runs", watched.runs, _run, ())
    for finding in watched.not_judged:
        err.print(f"not judged: {_words(finding)}: {finding.why_not_judged}", markup=False)
    for finding in watched.crossed:
        err.print(f"limit crossed: {_words(finding)}: {finding.value:.4g} (n = {finding.n})", style="red", markup=False)


def _table(title: str, rows: list[dict[str, Any]], cells_of, hidden: tuple[str, ...]) -> None:
    """Print rows, without the bundle where all have the same."""
    import pyarrow as pa

    from jobs.tables import answer_table

    if not rows:
        return
    bundles = {row["bundle_digest"] for row in rows}
    unseen = {*hidden, *({"bundle_digest"} if len(bundles) == 1 else ())}
    cells = [{name: value for name, value in cells_of(row).items() if name not in unseen} for row in rows]
    table: pa.Table = pa.Table.from_pylist(cells)
    out.print(answer_table(table, title))
    out.print()


def _where(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("bundle_digest", "screen_date", "site")}


def _night(row: dict[str, Any]) -> dict[str, Any]:
    areas = [row[f"lung_area_{name}"] for name in ("low", "median", "high")]
    return _where(row) | {
        "objects": row["objects"],
        "scored": row["scored"],
        "rejected %": _percent(row, "rejected_share"),
        "failed %": _percent(row, "failed_share"),
        "pneumonia %": _percent(row, "pneumonia_positive_share"),
        "positive": row["covid_positive"],
        "positive %": _percent(row, "positive_share"),
        "lung area 5, 50, 95 %": None if areas[1] is None else " ".join(f"{area:.2f}" for area in areas),
    }


def _reason(row: dict[str, Any]) -> dict[str, Any]:
    share = {"share": row["share"], "share_low": row["low"], "share_high": row["high"]}
    return _where(row) | {"outcome": row["outcome"], "reason": row["reason"], "k": row["k"], "n": row["n"], "%": _percent(share, "share")}


def _score(row: dict[str, Any]) -> dict[str, Any]:
    deciles = row["deciles"]
    return _where(row) | {
        "stage": row["stage"],
        "n": row["n"],
        "deciles 1, 5, 9": f"{deciles[0]:.3f} {deciles[4]:.3f} {deciles[8]:.3f}",
        "baseline n": row["baseline_n"],
        "PSI": row["psi"],
        "by chance about": row["psi_by_chance"],
    }


def _accuracy(row: dict[str, Any]) -> dict[str, Any]:
    return _where(row) | {
        "scored": row["scored"],
        "verified %": _percent(row, "verified_share"),
        "open": row["open"],
        "": "incomplete" if row["incomplete"] else "",
        "TP": row["tp"],
        "FP": row["fp"],
        "FN": row["fn"],
        "TN": row["tn"],
        "sensitivity %": _percent(row, "sensitivity"),
        "specificity %": _percent(row, "specificity"),
    }


def _run(row: dict[str, Any]) -> dict[str, Any]:
    shown = {name: row[name] for name in ("bundle_digest", "screen_date", "run_id", "kind", "status", "images")}
    return shown | {"seconds": row["wall_seconds"], "images/s": row["images_per_second"], "executions": row["executions"]}


def _percent(row: dict[str, Any], name: str) -> str | None:
    if row[name] is None:
        return None
    return f"{100 * row[name]:.1f} ({100 * row[f'{name}_low']:.1f}-{100 * row[f'{name}_high']:.1f})"


def _words(finding: "Finding") -> str:
    night = f" on {finding.screen_date}" if finding.screen_date else ""
    return f"{finding.limit} at {finding.site}{night}, bundle {finding.bundle_digest[:12]}"


if __name__ == "__main__":
    run_command(command)

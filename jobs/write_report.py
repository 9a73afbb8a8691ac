"""`screening report`: everything that an agency asks of a screening, as one HTML file that opens offline."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.analytics_source import (
    CasesFiles,
    Columns,
    Delimiter,
    Encoding,
    EpisodeDays,
    Indeterminate,
    Json,
    Prevalence,
    Reference,
    Repeated,
    Results,
    Threshold,
    Undated,
    WindowAfter,
    WindowBefore,
    print_match,
)
from jobs.console import err, out, print_json, run_command

if TYPE_CHECKING:
    from screening.report.facts import Facts

DEFAULT_TITLE = "Screening of chest radiographs: diagnostic accuracy"


def command(
    results: Results = None,
    reference: Reference = None,
    output: Annotated[str, typer.Option(help="file or URL of the HTML page")] = "report.html",
    cases: CasesFiles = None,
    column: Columns = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    threshold: Threshold = None,
    bundle: Annotated[
        str | None, typer.Option(help="the bundle whose digest begins so  [default: of several, the one that screened last]")
    ] = None,
    title: Annotated[str, typer.Option(help="heading of the page")] = DEFAULT_TITLE,
    smallest_cell: Annotated[int, typer.Option(help="groups of fewer persons are not shown")] = 5,
    gallery: Annotated[int, typer.Option(help="radiographs shown as cases, 0 to 12; 0 leaves all pictures out")] = 12,
    timeline: Annotated[int, typer.Option(help="persons shown in the timeline at most")] = 120,
    prevalence: Prevalence = None,
    window_before: WindowBefore = 14,
    window_after: WindowAfter = 21,
    undated: Undated = False,
    repeated: Repeated = "positive",
    indeterminate: Indeterminate = "apart",
    episode_days: EpisodeDays = 90,
    pseudonym_key: Annotated[
        Path | None, typer.Option(help="key file of a run with --encrypt-urls, to show radiographs  [default: as for `screening run`]")
    ] = None,
    json: Json = False,
) -> None:
    """Write one HTML file in the order of STARD 2015 that opens offline: flow, accuracy, thresholds, subgroups, lead time, cases.

    Without a reference table the sections that need one say so. Pictures are read from archive and heatmaps where these are at hand.

    Example:

        screening report s3://results/nightly --reference rt_pcr.parquet --output report.html
    """
    from jobs.analytics_source import open_source
    from jobs.display import Steps
    from jobs.keys import existing_key
    from screening.analytics.linking import LinkRule
    from screening.report.facts import ReportOptions
    from screening.report.write import render
    from screening.storage import put_atomic

    options = ReportOptions(title, smallest_cell, gallery, timeline, prevalence)
    rule = LinkRule(window_before, window_after, undated, repeated, indeterminate, episode_days)
    source = (results, reference, cases, column, [bundle] if bundle else None, rule)
    read = {"encoding": encoding, "delimiter": delimiter, "threshold": threshold}
    with Steps(err) as steps, open_source(*source, **read, on_progress=steps.show) as connection:
        page, facts = render(connection, results, options, existing_key(pseudonym_key), steps.show)
    put_atomic(output, page.encode())
    _print(facts, output, len(page.encode()), json)


def _print(facts: "Facts", output: str, size: int, json: bool) -> None:
    answer = {
        "output": output,
        "bytes": size,
        "bundle_digest": facts.digest or None,
        "link_rule": facts.link_rule,
        "match": facts.match or None,
    } | _figures(facts)
    if json:
        print_json(answer)
        return
    if facts.match:
        print_match(facts.match)
    out.print(f"{output}: {size / 1e6:.1f} MB, opens in any browser, also offline", markup=False, soft_wrap=True)
    for digest in facts.other_bundles:
        out.print(f"  not in it: the answers of bundle {digest[:12]}; choose with --bundle", markup=False)


def _figures(facts: "Facts") -> dict[str, Any]:
    """Return what the head of the page says, each proportion with k, n and its interval."""
    row = next((row for row in facts.accuracy if (row["unit"], row["question"]) == ("patient", "covid")), None)
    if row is None:
        return {"unit": "patient", "accuracy": None, "lead_time": None}
    accuracy = {name: {part: row[f"{name}{part and '_' + part}"] for part in ("", "k", "n", "low", "high")} for name in _MEASURES}
    shares = {name: {"share" if part == "" else part: value for part, value in parts.items()} for name, parts in accuracy.items()}
    counted = {name: row[name] for name in ("units", "indeterminate", "unverified", "not_scored")}
    lead_time = [{name: day[name] for name in ("days", "k", "n", "share", "low", "high")} for day in facts.lead_summary]
    return {"unit": "patient", "accuracy": shares | counted, "lead_time": lead_time}


_MEASURES = ("sensitivity", "specificity", "ppv", "npv")


if __name__ == "__main__":
    run_command(command)

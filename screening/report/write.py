"""The report: one HTML file in the order of STARD 2015 that opens offline, with every chart as inline SVG and its numbers beside it.

The page holds no script, and its content security policy forbids any request: images are data in the file itself.
"""

from datetime import UTC, datetime

import duckdb

from schemas.progress import OnProgress, unwatched
from screening.page.head import head
from screening.page.markup import Markup, tag, together
from screening.page.section import Section, notice
from screening.page.wording import NOTHING, count, day, interval, share
from screening.report.closing import closing
from screening.report.curves import curves
from screening.report.early import early
from screening.report.facts import Facts, ReportOptions, ViewRow, gather
from screening.report.findings import findings
from screening.report.gallery import open_cases
from screening.report.methods import READINGS, methods
from screening.report.sites import sites

__all__ = ["Facts", "ReportOptions", "gather", "head", "render", "write_page"]


def render(
    connection: duckdb.DuckDBPyConnection,
    results_url: str | None,
    options: ReportOptions | None = None,
    pseudonym_key: bytes | None = None,
    on_progress: OnProgress = unwatched,
) -> tuple[str, Facts]:
    """Return the report as one HTML page, and the facts that it states.

    connection: as `analytics.connect` gives it. results_url: where manifests and heatmaps lie; None where the answers came from elsewhere.
    pseudonym_key: opens radiographs whose file names the run has encrypted.
    """
    facts = gather(connection, results_url, options or ReportOptions(), on_progress)
    on_progress("reading cases and drawing the page", 0, 0)
    return write_page(facts, results_url, datetime.now(UTC), pseudonym_key), facts


def write_page(facts: Facts, results_url: str | None, written: datetime, pseudonym_key: bytes | None = None) -> str:
    """Return the page that states these facts."""
    cases = open_cases(facts.gallery, results_url, pseudonym_key)
    chapters = {
        "Methods": methods(facts),
        "Results": [*findings(facts), *curves(facts), sites(facts), *early(facts)],
        "Cases and limits": closing(facts, cases),
    }
    main = tag(
        "main",
        _header(facts, written),
        *(section.markup() for sections in chapters.values() for section in sections),
        tag("footer", "For research; not a medical device. Made by chest-screening from the results and the reference table alone."),
        id="top",
    )
    body = tag("body", tag("a", "Skip to the report", href="#top", class_="skip"), tag("div", _contents(chapters), main, class_="page"))
    page = tag("html", head(facts.options.title), body, lang="en")
    return f"<!doctype html>\n{page}"


def _contents(chapters: dict[str, list[Section]]) -> Markup:
    def entry(section: Section) -> Markup:
        return tag("li", tag("a", section.title, href=f"#{section.name}"))

    lists = [[tag("strong", name), tag("ol", *map(entry, sections))] for name, sections in chapters.items()]
    return tag("nav", together(lists), aria_label="Contents")


def _header(facts: Facts, written: datetime) -> Markup:
    scope = facts.scope
    words = [f"Written {written:%Y-%m-%d %H:%M} UTC."]
    if scope is not None:
        dates = f"{day(scope['first_radiograph'])} to {day(scope['last_radiograph'])}"
        words.insert(0, f"Radiographs of {dates}, judged by {facts.name} ({facts.digest[:12]}).")
    lead = tag("p", " ".join(words), class_="lead")
    standard = notice(READINGS) if facts.agreement else None
    return tag("header", tag("h1", facts.options.title), lead, standard, tag("ul", *_key_figures(facts), class_="keys"))


def _key_figures(facts: Facts) -> list[Markup]:
    """Return the summary: what a reader who stops here should know."""
    scope = facts.scope
    if scope is None:
        return [_key("0", "objects screened", "")]
    keys = [_key(count(scope["scored"]), "radiographs scored", f"of {count(scope['objects'])} objects, {count(scope['persons'])} persons")]
    row = next((row for row in facts.of_question(facts.accuracy, "covid") if row["unit"] == "patient"), None)
    if row is None:
        return [*keys, _key(NOTHING, "accuracy", "no RT-PCR results were given")]
    for name in ("sensitivity", "specificity"):
        counts = f"{count(row[f'{name}_k'])}/{count(row[f'{name}_n'])} persons; 95% CI {interval(row[f'{name}_low'], row[f'{name}_high'])}"
        if facts.optimism:
            corrected = facts.optimism.get(f"{name}_corrected")
            counts += (
                "; apparent" if corrected is None else f"; apparent, {share(corrected)} when corrected for the choice of the threshold"
            )
        keys.append(_key(share(row[name]), name, counts))
    if (curve := facts.aurocs.get("covid")) is not None:
        keys.append(_key(f"{curve['auroc']:.3f}", "AUROC of the cascade", _interval_of(curve)))
    two = next((summary for summary in facts.lead_summary if summary["days"] == 2), None)
    if two is not None:
        keys.append(
            _key(
                share(two["share"]),
                "detected 2 or more days early",
                f"{count(two['k'])}/{count(two['n'])}; 95% CI {interval(two['low'], two['high'])}",
            )
        )
    keys.append(
        _key(
            count(row["unverified"]),
            "persons unverified",
            f"{count(row['indeterminate'])} indeterminate, {count(row['not_scored'])} not scored",
        )
    )
    return keys


def _key(figure: str, name: str, detail: str) -> Markup:
    return tag("li", tag("b", figure), name, tag("span", detail))


def _interval_of(curve: ViewRow) -> str:
    counts = f"{count(curve['positives'])} positive, {count(curve['negatives'])} negative persons"
    return counts if curve["auroc_low"] is None else f"{counts}; 95% CI {curve['auroc_low']:.3f} to {curve['auroc_high']:.3f}"

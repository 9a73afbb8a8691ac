"""Everything a report says, asked once: rows of the views, and what the manifests of runs and bundle know."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb

from schemas.bundle import BundleManifest
from schemas.progress import OnProgress, counter, unwatched
from schemas.run import RunManifest
from screening.analytics.agreement import measure_agreement
from screening.analytics.chosen import chosen_here, correct_points
from screening.analytics.linking import checked_match
from screening.analytics.predictive_values import measure_decision_curve, measure_predictive_values
from screening.analytics.sites import calibrate, pool
from screening.analytics.small_cells import hold_back
from screening.analytics.sql_files import read_sql
from screening.analytics.thresholds import Question
from screening.analytics.time_curves import lead_curve, onset_curve
from screening.analytics.views import ViewRow, ViewRows
from screening.errors import UsageError
from screening.page.markup import Markup
from screening.page.section import empty
from screening.results.layout import ResultsLayout
from screening.results.manifests import bundle_of, list_runs

REPORT_VIEWS = ("report_scope", "report_participants", "report_ends")
# only with a reference table
VERIFIED_VIEWS = ("report_persons", "report_roc", "report_verification", "report_intervals", "report_lead_days",
                   "report_timeline", "report_gallery")  # fmt: skip

# answers with cells that may be small: the view that each comes from
VIEW_OF = {
    "participants": "report_participants",
    "timeline": "report_timeline",
    "subgroups": "subgroups",
    "lead_by_onset": "lead_time_by_onset",
}

VIEWS_ASKED, VERIFIED_VIEWS_ASKED = 3, 16  # by `_answers`, without a reference table and further ones with it
LEAD_DAYS = [1, 2, 3, 5, 7, 10, 14]  # detected at least that many days before confirmation


@dataclass(frozen=True)
class ReportOptions:
    """What can be chosen of a report."""

    title: str = "Screening of chest radiographs: diagnostic accuracy"
    smallest_cell: int = 5  # subgroups of fewer persons are not shown, for who they are could be guessed
    cases: int = 12  # in the gallery; 0 leaves it out
    timeline_rows: int = 120  # persons in the timeline
    prevalence: float | None = None  # share of cases that predictive values and net benefit are for; None is that of the verified persons

    def __post_init__(self) -> None:
        if not 0 <= self.cases <= 12:
            raise UsageError(f"{self.cases} cases: the gallery shows 0 to 12")
        if self.smallest_cell < 1 or self.timeline_rows < 1:
            raise UsageError("the smallest cell and the rows of the timeline are 1 or more")
        Question(prevalence=self.prevalence)


@dataclass(frozen=True)
class Facts:
    """What is known of one bundle's answers. Lists are empty where nothing is; `scope` is None where nothing was screened."""

    options: ReportOptions
    has_reference: bool
    link_rule: str
    scope: ViewRow | None
    other_bundles: list[str] = field(default_factory=list)
    flow: ViewRows = field(default_factory=list)
    ends: ViewRows = field(default_factory=list)
    participants: ViewRows = field(default_factory=list)
    accuracy: ViewRows = field(default_factory=list)
    verification: ViewRows = field(default_factory=list)
    roc: ViewRows = field(default_factory=list)
    aurocs: dict[str, ViewRow] = field(default_factory=dict)
    subgroups: ViewRows = field(default_factory=list)
    site_means: ViewRows = field(default_factory=list)
    site_calibration: ViewRows = field(default_factory=list)
    calibration: ViewRows = field(default_factory=list)
    brier: ViewRows = field(default_factory=list)
    gate_loss: ViewRows = field(default_factory=list)
    predictive_values: ViewRows = field(default_factory=list)
    decision_curve: ViewRows = field(default_factory=list)
    intervals: ViewRows = field(default_factory=list)
    lead_days: ViewRows = field(default_factory=list)
    lead_summary: ViewRows = field(default_factory=list)
    lead_by_onset: ViewRows = field(default_factory=list)
    lead_curve: ViewRows = field(default_factory=list)
    onset_curve: ViewRows = field(default_factory=list)
    timeline: ViewRows = field(default_factory=list)
    gallery: ViewRows = field(default_factory=list)
    runs: list[RunManifest] = field(default_factory=list)
    bundle: BundleManifest | None = None
    name: str = ""  # of the bundle, or of the file of cases
    agreement: ViewRows = field(
        default_factory=list
    )  # of readers with the cascade and each other, where readings are the reference standard
    match: ViewRow = field(default_factory=dict)  # persons whom the reference table and the radiographs have in common: `match_rate`
    optimism: ViewRow = field(default_factory=dict)  # `analytics.chosen.correct_points`, where a threshold was chosen on these people
    made_elsewhere: bool = False  # answers of another product, from a file of cases

    @property
    def digest(self) -> str:
        """Digest of the bundle; empty where nothing was screened."""
        return self.scope["bundle_digest"] if self.scope else ""

    def of_question(self, rows: ViewRows, question: str) -> ViewRows:
        """Return the rows of one question."""
        return [row for row in rows if row["question"] == question]


def gather(
    connection: duckdb.DuckDBPyConnection, results_url: str | None, options: ReportOptions, on_progress: OnProgress = unwatched
) -> Facts:
    """Ask everything of a connection that `analytics.connect` gave; of several bundles, the one that screened last.

    results_url: where the manifests of the runs lie; None where the answers came from elsewhere.
    """
    (told,) = _rows(connection, "select rule, getvariable('has_reference') as has_reference from link_rule")
    rule, has_reference = told["rule"], told["has_reference"]
    _create_views(connection, options, has_reference)
    scopes = _rows(connection, "from report_scope")
    if not scopes:
        return Facts(options, has_reference, rule, None)
    scope, others = scopes[0], [row["bundle_digest"] for row in scopes[1:]]
    digest = scope["bundle_digest"]
    runs = _runs(results_url, digest)
    bundle = bundle_of(runs, digest)
    (named,) = _rows(connection, "select name from bundles where bundle_digest = $bundle", {"bundle": digest})
    return Facts(
        options,
        has_reference,
        rule,
        scope,
        others,
        runs=runs,
        bundle=bundle,
        name=runs[-1].bundle_name if runs else named["name"],
        match=checked_match(connection) if has_reference else {},
        optimism=_optimism(connection, digest, runs, bundle) if has_reference else {},
        made_elsewhere=results_url is None,
        **_with_sites(
            connection,
            digest,
            options,
            _answers(connection, digest, options if results_url else replace(options, cases=0), has_reference, on_progress),
        ),
    )


def _answers(
    connection: duckdb.DuckDBPyConnection, digest: str, options: ReportOptions, has_reference: bool, on_progress: OnProgress
) -> dict[str, Any]:
    count = counter(on_progress, "asking the views", VIEWS_ASKED + (VERIFIED_VIEWS_ASKED if has_reference else 0))

    def ask(view: str, rest: str = "") -> ViewRows:
        rows = _rows(connection, f"from {view} where bundle_digest = $bundle {rest}", {"bundle": digest})
        count(1)
        return rows

    answers: dict[str, Any] = {"flow": ask("flow"), "ends": ask("report_ends"), "participants": ask("report_participants")}
    if not has_reference:
        return answers
    names = ("roc", "verification", "intervals", "lead_days", "timeline")
    answers |= {name: ask(f"report_{name}") for name in names}
    answers |= {"accuracy": ask("stage_accuracy"), "lead_summary": ask("lead_time_summary")}
    answers |= {"calibration": ask("calibration", "and unit = 'patient'"), "brier": ask("brier", "and unit = 'patient'")}
    answers |= {"lead_by_onset": ask("lead_time_by_onset"), "gate_loss": ask("gate_loss")}
    answers["subgroups"] = ask("subgroups", "and unit = 'patient' and question = 'covid'")
    question = Question(prevalence=options.prevalence)
    for name, measure in (("predictive_values", measure_predictive_values), ("decision_curve", measure_decision_curve)):
        answers[name] = [row for row in measure(connection, question) if row["bundle_digest"] == digest]
        count(1)
    areas = ask("auroc", "and unit = 'patient' and auroc is not null")
    answers["aurocs"] = {row["question"]: row for row in areas}
    answers["agreement"] = measure_agreement(connection, digest)
    answers["lead_curve"] = lead_curve(connection, min_cell=options.smallest_cell, digest=digest)
    answers["onset_curve"] = onset_curve(connection, min_cell=options.smallest_cell, digest=digest)
    answers["gallery"] = _chosen_cases(ask("report_gallery", f"and place <= {options.cases:d}"), options.cases)
    return answers


def _optimism(connection: duckdb.DuckDBPyConnection, digest: str, runs: list[RunManifest], bundle: BundleManifest | None) -> ViewRow:
    points = chosen_here(runs, bundle)
    return correct_points(connection, digest, points) if points else {}


def _held_back(answers: dict[str, Any], smallest: int) -> dict[str, Any]:
    """Return the answers without small cells and what gives them away, so that no part of the page can show them."""
    views = {name: view for name, view in VIEW_OF.items() if name in answers}
    shown = hold_back({view: answers[name] for name, view in views.items()}, smallest)
    return answers | {name: shown[view] for name, view in views.items()}


def _with_sites(connection: duckdb.DuckDBPyConnection, digest: str, options: ReportOptions, answers: dict[str, Any]) -> dict[str, Any]:
    """Return the answers without small cells, and what the sites tell whose cells are not held back."""
    answers = _held_back(answers, options.smallest_cell)
    sites = [row for row in answers.get("subgroups", []) if row["subgroup"] == "site"]
    if not sites:
        return answers
    calibration = calibrate(connection, sites, min_cell=options.smallest_cell, digest=digest)
    return answers | {"site_means": pool(sites), "site_calibration": calibration}


def _create_views(connection: duckdb.DuckDBPyConnection, options: ReportOptions, has_reference: bool) -> None:
    connection.execute("set variable report_timeline_rows = $rows", {"rows": options.timeline_rows})
    connection.execute("set variable lead_days_asked = $days", {"days": LEAD_DAYS})
    for name in (*REPORT_VIEWS, *(VERIFIED_VIEWS if has_reference else ())):
        connection.execute(read_sql("report", name))


def _rows(connection: duckdb.DuckDBPyConnection, query: str, parameters: ViewRow | None = None) -> ViewRows:
    return connection.sql(query, params=parameters).to_arrow_table().to_pylist()


def _chosen_cases(rows: ViewRows, cases: int) -> ViewRows:
    """Return at most `cases` rows, a third of each kind where there are that many."""
    kinds = ("true positive", "false positive", "false negative")
    of_kind = [[row for row in rows if row["kind"] == kind][: -(-cases // len(kinds))] for kind in kinds]
    return [row for group in of_kind for row in group][:cases]


def _runs(results_url: str | None, digest: str) -> list[RunManifest]:
    if results_url is None:
        return []
    return [run for run in list_runs(ResultsLayout(results_url)) if run.bundle_digest == digest]


def why_nothing(facts: Facts, *, reference: bool = True) -> Markup | None:
    """Return why a section that needs answers (and a reference table) is empty; None where it is not."""
    if facts.scope is None:
        return empty("Empty, because nothing was screened yet: the results hold no rows.")
    if reference and not facts.has_reference:
        return empty("Empty, because no RT-PCR results were given: write the report with --reference FILE.")
    return None


QUESTIONS = {
    "covid": "Whole cascade against RT-PCR",
    "stage_3": "Stage 3 alone against RT-PCR",
    "gate": "Stage 2 against RT-PCR (the gate)",
    "pneumonia": "Stage 2 against the radiologist's reading",
}


def area(row: Mapping[str, Any]) -> str:
    """Return a row of the view `auroc` in words, with DeLong's interval where there is one."""
    if row["auroc_low"] is None:
        return f"{row['auroc']:.3f}"
    return f"{row['auroc']:.3f} ({row['auroc_low']:.3f} to {row['auroc_high']:.3f})"

"""The steps of a night, each the library's own function of the command that has its name."""

import duckdb

from schemas.nightly import NightlyConfig, NightRecord, StepName, StepRecord
from schemas.run import RunManifest
from screening.analytics import monitoring
from screening.analytics.views import connect
from screening.nightly.alert import tell
from screening.report.facts import ReportOptions
from screening.report.write import render
from screening.results.check import damage_named
from screening.results.layout import ResultsLayout
from screening.run.progress import ShowProgress
from screening.run.redrive import Redrive, redrive
from screening.run.screen import Night, screen
from screening.storage import put_atomic


def do(name: StepName, config: NightlyConfig, night: Night, record: NightRecord, step: StepRecord, show: ShowProgress) -> None:
    """Carry out one step, and write down what came of it in `step`, and in `record` what concerns the whole night."""
    if name == "run":
        _run(config, night, record, step, show)
    elif name == "redrive":
        _redrive(config, night, record, step, show)
    elif name == "monitor":
        _monitor(config, night, record, step)
    else:
        _report(config, night, record, step)


def _run(config: NightlyConfig, night: Night, record: NightRecord, step: StepRecord, show: ShowProgress) -> None:
    last: RunManifest | None = None
    for last in screen(night, show):
        step.runs.append(last.run_id)
    assert last is not None
    if last.status == "stopped":
        step.status = "stopped"
    counts = last.counts
    step.detail = f"{counts.written} of {counts.objects} objects answered, {counts.covid_positive} COVID-19 positive, {_not_scored(last)}"
    if counts.left_for_later:
        step.detail += f", {counts.left_for_later} left for the next night"
    if last.not_promoted:
        step.detail += f"; {last.not_promoted}"
        tell(config.alert, "not_promoted", last.not_promoted, record)


def _redrive(config: NightlyConfig, night: Night, record: NightRecord, step: StepRecord, show: ShowProgress) -> None:
    if not config.redrive.enabled or record.step("run").status == "stopped":
        step.status, step.detail = "skipped", "the deadline has passed" if config.redrive.enabled else "not asked for"
        return
    request = Redrive(night.results_url, night.pseudonym_key, night.bundle_url, frozenset(config.redrive.reasons), night.config.machine)
    runs = redrive(request, show)
    step.runs = [run.run_id for run in runs]
    tried, failed = sum(run.counts.planned for run in runs), sum(run.counts.outcomes.get("failed", 0) for run in runs)
    step.detail = f"{tried} rows scored again, {failed} of them failed again" if runs else "no failed rows"


def _monitor(config: NightlyConfig, night: Night, record: NightRecord, step: StepRecord) -> None:
    asked = config.monitor
    if not asked.enabled:
        step.status, step.detail = "skipped", "not asked for"
        return
    stated = monitoring.load_limits(asked.limits_file) if asked.limits_file else monitoring.AlertLimits()
    stated = monitoring.with_limits(stated, [f"{name}={value}" for name, value in asked.limits.items()])
    period = monitoring.Period.parse(asked.baseline) if asked.baseline else None
    layout = ResultsLayout(night.results_url)
    with _opened(config, night) as connection, damage_named(night.results_url):
        watched = monitoring.watch(connection, layout, nights=asked.nights, baseline=period, reference=config.reference is not None)
    watched = monitoring.check_limits(watched, stated, judged_nights=asked.judged_nights, min_images=asked.min_images)
    step.detail = f"{len(watched.crossed)} limits crossed"
    if watched.crossed:
        named = "; ".join(f"{found.limit} at {found.site}: {found.value:.4g} (n = {found.n})" for found in watched.crossed)
        step.detail += f": {named}"
        tell(config.alert, "limit_crossed", named, record)


def _report(config: NightlyConfig, night: Night, record: NightRecord, step: StepRecord) -> None:
    asked = config.report
    if not asked.enabled:
        step.status, step.detail = "skipped", "not asked for"
        return
    output = asked.output or night.layout.report(record.screen_date)
    options = ReportOptions(asked.title, cases=asked.gallery)
    with _opened(config, night) as connection, damage_named(night.results_url):
        page, _ = render(connection, night.results_url, options, night.pseudonym_key)
    put_atomic(output, page.encode())
    step.detail = output


def _opened(config: NightlyConfig, night: Night) -> duckdb.DuckDBPyConnection:
    return connect(night.results_url, config.reference)


def _not_scored(run: RunManifest) -> str:
    outcomes = run.counts.outcomes
    return f"{outcomes.get('rejected', 0)} rejected, {outcomes.get('failed', 0)} failed"

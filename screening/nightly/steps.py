"""The steps of a night, each the library's own function of the command that has its name."""

from collections import Counter
from collections.abc import Callable, Sequence

import duckdb

from schemas.nightly import NightlyConfig, NightRecord, StepName, StepRecord
from schemas.run import RunManifest
from screening.analytics import monitoring
from screening.analytics.views import connect
from screening.nightly.alert import tell
from screening.report.facts import ReportOptions
from screening.report.write import render
from screening.results.check import damage_named
from screening.results.compaction import compact
from screening.results.layout import ResultsLayout
from screening.results.retention import expired_heatmaps, in_words, remove_expired
from screening.run.progress import ShowProgress
from screening.run.redrive import Redrive, redrive
from screening.run.screen import Night, screen
from screening.storage import put_atomic


def do(
    name: StepName,
    config: NightlyConfig,
    night: Night,
    record: NightRecord,
    step: StepRecord,
    show: ShowProgress,
    check_lock: Callable[[], None],
) -> None:
    """Carry out one step, and write down what came of it in `step`, and in `record` what concerns the whole night."""
    if name == "run":
        _run(config, night, record, step, show)
    elif name == "redrive":
        _redrive(config, night, record, step, show)
    elif name == "compact":
        _compact(config, night, step, check_lock)
    elif name == "retain":
        _retain(config, night, step, check_lock)
    elif name == "monitor":
        _monitor(config, night, record, step)
    else:
        _report(config, night, record, step)


def _run(config: NightlyConfig, night: Night, record: NightRecord, step: StepRecord, show: ShowProgress) -> None:
    runs = []
    for run in screen(night, show):
        runs.append(run)
        step.runs.append(run.run_id)
    last = runs[-1]
    if last.status == "stopped":
        step.status = "stopped"
    step.detail = _answered(runs)
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


def _compact(config: NightlyConfig, night: Night, step: StepRecord, check_lock: Callable[[], None]) -> None:
    if not config.compact.enabled:
        step.status, step.detail = "skipped", "not asked for"
        return
    done = compact(night.layout, target_bytes=config.compact.target_mb * 2**20, check_lock=check_lock)
    merged, left = sum(one.merged for one in done), sum(one.left for one in done)
    step.detail = f"{merged} files merged, {left} hold all rows"


def _retain(config: NightlyConfig, night: Night, step: StepRecord, check_lock: Callable[[], None]) -> None:
    days = config.retain.heatmaps_after
    if days is None:
        step.status, step.detail = "skipped", "not asked for"
        return
    expired = expired_heatmaps(night.layout, days, night.config.rows.screen_date)
    remove_expired(night.layout, expired, days, check_lock=check_lock)
    sums = in_words(expired)
    step.detail = f"{sums['files']} heatmap files of {sums['nights']} nights removed"


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


def _answered(runs: Sequence[RunManifest]) -> str:
    """Return what the runs of one night did together: those that had died and were resumed, then tonight's."""
    written, positive = sum(run.counts.written for run in runs), sum(run.counts.covid_positive for run in runs)
    outcomes = sum((Counter(run.counts.outcomes) for run in runs), Counter())
    last = runs[-1].counts
    words = f"{written} of {last.objects} objects answered" + (f" in {len(runs)} runs" if len(runs) > 1 else "")
    words += f", {positive} COVID-19 positive, {outcomes['rejected']} rejected, {outcomes['failed']} failed"
    return words + (f", {last.left_for_later} left for the next night" if last.left_for_later else "")

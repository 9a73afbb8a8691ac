"""Is tonight like other nights? What was screened by night and site, how its scores moved, and which stated limits were crossed.

The figures are views (`analytics/sql/monitor*.sql`) and run manifests. A limit is `max_NAME` or `min_NAME` of a measure, stated by the
agency; nothing is judged that was not asked for, and what could not be judged is said.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import duckdb

from schemas.reasons import Reason
from screening.analytics.views import ViewRow
from screening.errors import UsageError
from screening.results.layout import ResultsLayout
from screening.results.manifests import list_runs
from screening.storage import read_bytes

ALL_SITES = "all sites"

# measure → (view, the column that counts what it is a share or a quantile of)
MEASURES = {
    "objects": ("monitor", None),
    "scored": ("monitor", None),
    "rejected_share": ("monitor", "objects"),
    "failed_share": ("monitor", "objects"),
    "pneumonia_positive_share": ("monitor", "scored"),
    "positive_share": ("monitor", "scored"),
    "lung_area_median": ("monitor", "scored"),
    "pneumonia_psi": ("monitor_scores", "n"),
    "covid_psi": ("monitor_scores", "n"),
    "sensitivity": ("monitor_accuracy", None),
    "specificity": ("monitor_accuracy", None),
    "images_per_second": ("runs", "images"),
}
REASON_MEASURES = {f"{reason}_share": str(reason) for reason in Reason}


@dataclass(frozen=True)
class Limit:
    """One stated limit."""

    measure: str
    value: float
    upper: bool  # crossed above `value`; else below it

    @classmethod
    def parse(cls, name: str, value: object) -> "Limit":
        """Return the limit `max_NAME` or `min_NAME`; raises UsageError for a measure that does not exist or a value that is no number."""
        side, _, measure = name.partition("_")
        if side not in ("max", "min") or measure not in MEASURES | REASON_MEASURES:
            known = f"{', '.join(MEASURES)}, or before a reason and _share, as in max_lateral_view_share"
            raise UsageError(f"no limit {name}: write max_ or min_ before one of {known}")
        try:
            return cls(measure, float(str(value)), side == "max")
        except ValueError:
            raise UsageError(f"limit {name}: {value!r} is not a number") from None

    def crossed_by(self, value: float) -> bool:
        """Return whether a value lies beyond."""
        return value > self.value if self.upper else value < self.value

    def __str__(self) -> str:
        return f"{'max' if self.upper else 'min'}_{self.measure}={self.value:g}"


@dataclass(frozen=True)
class AlertLimits:
    """Limits for every site, and others in their place for some."""

    everywhere: tuple[Limit, ...] = ()
    sites: Mapping[str, tuple[Limit, ...]] = field(default_factory=dict)

    def of(self, site: str) -> list[Limit]:
        """Return the limits of a site, or of all sites together."""
        chosen = {(limit.measure, limit.upper): limit for limit in (*self.everywhere, *self.sites.get(site, ()))}
        return list(chosen.values())

    def names(self) -> set[str]:
        """Return every measure with a limit."""
        return {limit.measure for limits in (self.everywhere, *self.sites.values()) for limit in limits}


@dataclass(frozen=True)
class Period:
    """Nights from the first to the last one, both included."""

    first: date
    last: date

    @classmethod
    def parse(cls, text: str) -> "Period":
        """Return FROM:TO, two ISO dates; raises UsageError for anything else."""
        try:
            first, last = map(date.fromisoformat, text.split(":"))
        except ValueError:
            raise UsageError(f"a period is FROM:TO, as in 2020-03-01:2020-03-14, not {text!r}") from None
        if last < first:
            raise UsageError(f"the period {text} ends before it begins")
        return cls(first, last)


@dataclass(frozen=True)
class Finding:
    """A limit beside what was found. `value` is None where there was too little to judge by."""

    bundle_digest: str
    screen_date: date | None
    site: str
    limit: str
    value: float | None
    n: int
    why_not_judged: str = ""


@dataclass(frozen=True)
class Watch:
    """The figures of the newest nights, and what became of the limits."""

    nights: list[ViewRow]
    reasons: list[ViewRow]
    scores: list[ViewRow]
    accuracy: list[ViewRow]
    runs: list[ViewRow]
    crossed: list[Finding] = field(default_factory=list)
    not_judged: list[Finding] = field(default_factory=list)


def load_limits(url: str) -> AlertLimits:
    """Return the limits of a TOML file: a table `limits`, and `sites."NAME"` for those of one site. Raises UsageError."""
    try:
        tables = tomllib.loads(read_bytes(url).decode())
    except FileNotFoundError:
        raise UsageError(f"{url} does not exist") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{url} is not TOML: {error}") from None
    if unknown := sorted(tables.keys() - {"limits", "sites"}):
        raise UsageError(f"{url}: no table {', '.join(unknown)}: write [limits], and [sites.'NAME'] for one site")
    return AlertLimits(_limits(tables.get("limits", {})), {site: _limits(table) for site, table in tables.get("sites", {}).items()})


def with_limits(limits: AlertLimits, texts: Iterable[str]) -> AlertLimits:
    """Return the limits with further ones, `max_NAME=value` each, in the place of those of the same name."""
    pairs = [text.partition("=") for text in texts]
    more = tuple(Limit.parse(name.strip(), value.strip()) for name, _, value in pairs)
    return AlertLimits((*limits.everywhere, *more), limits.sites)


def watch(connection: duckdb.DuckDBPyConnection, layout: ResultsLayout, *, nights: int, baseline: Period | None, reference: bool) -> Watch:
    """Return the figures of the newest nights of each bundle, oldest first. `reference`: the connection has a reference table."""
    connection.execute("set variable baseline_from = $day", {"day": baseline and baseline.first})
    connection.execute("set variable baseline_to = $day", {"day": baseline and baseline.last})
    connection.execute(
        "create or replace temporary table shown_nights as "
        "select * exclude (place) from (select *, row_number() over (partition by bundle_digest order by screen_date desc) as place "
        "from (select distinct bundle_digest, screen_date from instance_rows)) where place <= $nights",
        {"nights": nights},
    )
    views = {"nights": "monitor", "reasons": "monitor_reasons", "scores": "monitor_scores", "accuracy": "monitor_accuracy"}
    figures = {name: _newest(connection, view) if reference or name != "accuracy" else [] for name, view in views.items()}
    shown = {(row["bundle_digest"], row["screen_date"]) for row in figures["nights"]}
    return Watch(**figures, runs=[run for run in _runs(layout) if (run["bundle_digest"], run["screen_date"]) in shown])


def check_limits(watched: Watch, limits: AlertLimits, *, judged_nights: int = 1, min_images: int = 30) -> Watch:
    """Return the figures with the limits that the newest nights cross, and those that could not be judged.

    Shares, quantiles and PSI of fewer than `min_images` are not judged. Counts of a site that sent nothing are 0. Accuracy is judged over
    all complete nights shown together, for one night has few cases.
    """
    crossed: list[Finding] = []
    not_judged: list[Finding] = []
    for finding, limit in _measured(watched, limits, judged_nights, min_images):
        if finding.value is None:
            not_judged.append(finding)
        elif limit.crossed_by(finding.value):
            crossed.append(finding)
    return Watch(watched.nights, watched.reasons, watched.scores, watched.accuracy, watched.runs, crossed, not_judged)


def _measured(watched: Watch, limits: AlertLimits, judged_nights: int, min_images: int) -> Iterable[tuple[Finding, Limit]]:
    for bundle in dict.fromkeys(row["bundle_digest"] for row in watched.nights):
        of_bundle = [row for row in watched.nights if row["bundle_digest"] == bundle]
        dates = sorted({row["screen_date"] for row in of_bundle})
        for site in dict.fromkeys(row["site"] for row in of_bundle):
            for limit in limits.of(site):
                view, count = MEASURES.get(limit.measure, ("monitor_reasons", "n"))
                if view == "runs":
                    if site == ALL_SITES:
                        yield from _of_runs(watched.runs, bundle, dates[-judged_nights:], limit)
                elif view == "monitor_accuracy":
                    yield _accuracy(watched.accuracy, bundle, site, limit, min_images), limit
                else:
                    for night in dates[-judged_nights:]:
                        value, n = _value(watched, view, count, (bundle, night, site), limit.measure)
                        yield _finding((bundle, night, site), limit, value, n, min_images if count else 0), limit


def _value(watched: Watch, view: str, count: str | None, key: tuple, measure: str) -> tuple[float | None, int]:
    """Return a measure and the number that it rests on."""
    night = _row_of(watched.nights, key)
    if view == "monitor":
        n = night.get(count, 0) if count else night.get("objects", 0)
        return night.get(measure, None if count else 0), n
    if view == "monitor_scores":
        row = _row_of(watched.scores, key, stage=measure.removesuffix("_psi"))
        return row.get("psi"), row.get("n", 0)
    row = _row_of(watched.reasons, key, reason=REASON_MEASURES[measure])
    n = night.get("objects", 0)
    return row.get("share", 0.0 if n else None), n


def _row_of(rows: Sequence[ViewRow], key: tuple, **columns: str) -> ViewRow:
    of_place = (row for row in rows if (row["bundle_digest"], row["screen_date"], row["site"]) == key)
    return next((row for row in of_place if all(row[name] == value for name, value in columns.items())), {})


def _finding(key: tuple, limit: Limit, value: float | None, n: int, least: int) -> Finding:
    if n < least:
        return Finding(*key, str(limit), None, n, f"fewer than {least} images")
    return Finding(*key, str(limit), value, n, "" if value is not None else "no baseline at this site, or nothing to measure")


def _accuracy(rows: Sequence[ViewRow], bundle: str, site: str, limit: Limit, least: int) -> Finding:
    complete = [row for row in rows if (row["bundle_digest"], row["site"]) == (bundle, site) and not row["incomplete"]]
    hit, missed = ("tp", "fn") if limit.measure == "sensitivity" else ("tn", "fp")
    k, n = sum(row[hit] for row in complete), sum(row[hit] + row[missed] for row in complete)
    if n < least:
        return Finding(bundle, None, site, str(limit), None, n, f"fewer than {least} verified radiographs in complete nights")
    return Finding(bundle, None, site, str(limit), k / n, n)


def _of_runs(runs: Sequence[ViewRow], bundle: str, dates: Sequence[date], limit: Limit) -> Iterable[tuple[Finding, Limit]]:
    for run in runs:
        if run["bundle_digest"] == bundle and run["screen_date"] in dates and run["images"]:
            yield Finding(bundle, run["screen_date"], f"run {run['run_id']}", str(limit), run[limit.measure], run["images"]), limit


def _limits(table: Mapping[str, object]) -> tuple[Limit, ...]:
    return tuple(Limit.parse(name, value) for name, value in table.items())


def _newest(connection: duckdb.DuckDBPyConnection, view: str) -> list[ViewRow]:
    relation = connection.sql(f"select {view}.* from {view} semi join shown_nights using (bundle_digest, screen_date)")
    return sorted(relation.to_arrow_table().to_pylist(), key=_place)  # a join keeps no order


def _place(row: ViewRow) -> tuple:
    """All sites before each one, stage 2 before stage 3, frequent reasons before rare ones."""
    return row["bundle_digest"], row["screen_date"], row.get("stage") == "covid", row["site"] != ALL_SITES, row["site"], -row.get("k", 0)


def _runs(layout: ResultsLayout) -> Iterable[ViewRow]:
    for run in list_runs(layout):
        yield {
            "bundle_digest": run.bundle_digest,
            "screen_date": run.screen_date,
            "run_id": run.run_id,
            "kind": run.kind,
            "status": run.status,
            "images": run.times.images,
            "wall_seconds": run.times.wall_seconds,
            "images_per_second": run.times.images_per_second,
            "executions": run.executions,
        }

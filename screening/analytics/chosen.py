"""Which operating points were chosen on the people that an answer is about, and what they give on other people."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from schemas.bundle import BundleManifest, OperatingPoint
from schemas.run import RunManifest
from screening.analytics.optimism import REPLICATES, correct_choice, load_units
from screening.analytics.thresholds import Question, Target
from screening.results.layout import ResultsLayout
from screening.results.manifests import bundle_of, list_runs

BOTH_STAGES = "the thresholds of both stages were chosen together"
UNREAD = "the rule is none that `screening thresholds` writes"
NO_CHOICE = "no threshold keeps the rule on these people, or there are too many of them for it to matter"


def chosen_here(runs: Sequence[RunManifest], bundle: BundleManifest | None) -> dict[str, OperatingPoint]:
    """Return stage → operating point of those that were chosen on answers of the results folder that these runs wrote."""
    here = {_place(run.results_url) for run in runs}
    return {stage: point for stage, point in (bundle.operating_points if bundle else {}).items() if _place(point.data) in here}


def measure_optimism(
    connection: duckdb.DuckDBPyConnection, results_url: str | None, unit: str = "patient", replicates: int = REPLICATES, seed: int = 0
) -> list[dict[str, Any]]:
    """Return `correct_points`, with the name, of every bundle of a results folder of which a threshold was chosen on its people."""
    if results_url is None:
        return []
    runs = list(list_runs(ResultsLayout(results_url)))
    names = connection.sql("select bundle_digest, name from bundles order by name").fetchall()
    found = []
    for digest, name in names:
        points = chosen_here([run for run in runs if run.bundle_digest == digest], bundle_of(runs, digest))
        if points:
            found.append({"name": name} | correct_points(connection, digest, points, unit, replicates, seed))
    return found


def correct_points(
    connection: duckdb.DuckDBPyConnection,
    bundle_digest: str,
    points: Mapping[str, OperatingPoint],
    unit: str = "patient",
    replicates: int = REPLICATES,
    seed: int = 0,
) -> dict[str, Any]:
    """Return what the choice of these points gives on other people, for the whole cascade.

    Keys: bundle_digest, unit, question, rule, the columns of `optimism.correct_choice` where the choice could be repeated, and `why_not`,
    which says why it could not; null where it could.
    """
    rule = next(iter(points.values())).rule
    row: dict[str, Any] = {"bundle_digest": bundle_digest, "unit": unit, "question": "covid", "rule": rule, "why_not": None}
    if set(points) != {"covid"}:
        return row | {"why_not": BOTH_STAGES}
    target = Target.read(rule)
    if target is None:
        return row | {"why_not": UNREAD}
    corrected = correct_choice(load_units(connection, bundle_digest, Question(unit)), target, replicates, seed)
    return row | corrected if corrected else row | {"why_not": NO_CHOICE}


def _place(url: str) -> str:
    return url.rstrip("/") if "://" in url and not url.startswith("file://") else os.path.abspath(url.removeprefix("file://"))

"""Everything that is said of accuracy, in one answer: the views of `analytics/sql/` for one unit of analysis, and the bootstrap."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import duckdb
import numpy as np

from schemas.progress import OnProgress, counter, unwatched
from screening.analytics.agreement import measure_agreement
from screening.analytics.clustered import clustered_accuracy
from screening.analytics.linking import describe_links
from screening.analytics.small_cells import hold_back
from screening.analytics.views import ViewRow
from screening.errors import UsageError
from screening.metrics import BOOTSTRAP_REPLICATES, clustered_bootstrap, delong_paired

UNITS = ("instance", "study", "patient")
QUESTIONS = ("pneumonia", "gate", "stage_3", "covid")  # in the order of the flow


def measure_accuracy(
    connection: duckdb.DuckDBPyConnection,
    unit: str = "patient",
    *,
    min_cell: int = 5,
    replicates: int = BOOTSTRAP_REPLICATES,
    seed: int = 0,
    on_progress: OnProgress = unwatched,
) -> dict[str, Any]:
    """Return all that is said of accuracy for one unit of analysis.

    Keys: link_rule and reference (see `analytics.linking`), unit, min_cell, and lists of rows: accuracy, verification, auroc, gate_loss,
    clustered, paired, paired_auroc, subgroups, brier, calibration, agreement (by radiograph, where the reference standard is a folder of
    readings).
    connection: of `screening.analytics`. Subgroups with no value but unknown are left out. min_cell: cells of subgroups with fewer units
    are held back, and with them what gives them away: see `analytics.small_cells`; 1 holds nothing back.
    replicates, seed: of the bootstrap over patients, 0 replicates for none. Raises UsageError for a unit that is none.
    """
    if unit not in UNITS:
        raise UsageError(f"--unit {unit}: it is {', '.join(UNITS)}")
    on_progress("gathering the scores", 0, 0)
    units = _definite_units(connection, unit)
    areas = _rows(connection, "select * from auroc where unit = $unit", unit)
    count = counter(on_progress, "bootstrap of the ROC areas", len(areas))
    for area in areas:
        area |= _bootstrap(units.get((area["bundle_digest"], area["question"])), replicates, seed)
        count(1)

    def view(query: str) -> Callable[[], list[ViewRow]]:
        return lambda: _rows(connection, query, unit)

    asked = {
        "accuracy": view("select * from stage_accuracy where unit = $unit"),
        "verification": view("select * from verification where unit = $unit"),
        "auroc": lambda: sorted(areas, key=lambda row: (row["name"], QUESTIONS.index(row["question"]))),
        "gate_loss": view("select * from gate_loss where $unit is not null"),
        "clustered": lambda: _with_names(connection, clustered_accuracy(connection, unit)),
        "paired": lambda: _paired(connection, unit),
        "paired_auroc": lambda: _paired_areas(connection, units),
        "subgroups": view(
            "select * from subgroups where unit = $unit and question in ('covid', 'pneumonia') "
            "qualify bool_or(subgroup_value <> 'unknown') over (partition by bundle_digest, question, subgroup) "
            "order by bundle_digest, question, subgroup, band_order(subgroup_value), subgroup_value"
        ),
        "brier": view("select * from brier where unit = $unit and question in ('pneumonia', 'stage_3', 'covid')"),
        "calibration": view("select * from calibration where unit = $unit and question in ('pneumonia', 'stage_3', 'covid')"),
        "agreement": lambda: measure_agreement(connection),
    }
    count = counter(on_progress, "asking the views", len(asked))
    answers = {}
    for name, ask in asked.items():
        answers[name] = ask()
        count(1)
    return {**describe_links(connection), "unit": unit, "min_cell": min_cell, **hold_back(answers, min_cell)}


def _rows(connection: duckdb.DuckDBPyConnection, query: str, unit: str) -> list[ViewRow]:
    """Return the rows of a query with the name of their bundle first."""
    return _with_names(connection, connection.sql(query, params={"unit": unit}).to_arrow_table().to_pylist())


def _with_names(connection: duckdb.DuckDBPyConnection, rows: list[ViewRow]) -> list[ViewRow]:
    names = _names(connection)
    return [{"name": names[row["bundle_digest"]]} | row for row in rows]


def _names(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(connection.sql("select bundle_digest, name from bundles").fetchall())


def _definite_units(connection: duckdb.DuckDBPyConnection, unit: str) -> dict[tuple[str, str], dict[str, np.ndarray]]:
    """Return (bundle, question) → unit_id, patient, positive and score of the units that a ROC curve has."""
    judged = connection.execute(
        "select bundle_digest, question, unit_id, coalesce(patient_pseudonym, unit_id) as patient, truth = 'positive' as positive, score "
        "from judgements where unit = $unit and truth in ('positive', 'negative') and score is not null order by unit_id",
        {"unit": unit},
    ).fetchnumpy()
    keys = np.array([f"{digest}/{question}" for digest, question in zip(judged["bundle_digest"], judged["question"], strict=True)], str)
    return {
        tuple(key.split("/")): {
            "unit_id": np.asarray(judged["unit_id"])[keys == key].astype(str),
            "patient": np.asarray(judged["patient"])[keys == key].astype(str),
            "positive": np.asarray(judged["positive"])[keys == key].astype(bool),
            "score": np.asarray(judged["score"])[keys == key].astype(np.float64),
        }
        for key in np.unique(keys)
    }


def _bootstrap(units: dict[str, np.ndarray] | None, replicates: int, seed: int) -> ViewRow:
    """Return the interval of the area by a bootstrap over patients; null where there are none to draw."""
    if units is None or not replicates or units["positive"].all() or not units["positive"].any():
        return {"bootstrap_low": None, "bootstrap_high": None, "replicates": 0, "patients": None}
    area = clustered_bootstrap(units["positive"], units["score"], units["patient"], replicates, seed)
    patients = len(np.unique(units["patient"]))
    return {"bootstrap_low": area.low, "bootstrap_high": area.high, "replicates": replicates, "patients": patients}


def _paired(connection: duckdb.DuckDBPyConnection, unit: str) -> list[ViewRow]:
    rows, names = _rows(connection, "select * from paired_accuracy where unit = $unit", unit), _names(connection)
    return [row | {"other_name": names[row["other_digest"]]} for row in rows]


def _paired_areas(connection: duckdb.DuckDBPyConnection, units: dict[tuple[str, str], dict[str, np.ndarray]]) -> list[ViewRow]:
    """Return DeLong's paired comparison of every two bundles over the units that both have a score for."""
    names, rows = _names(connection), []
    for one, two in combinations(sorted(names), 2):
        for question in QUESTIONS:
            first, second = units.get((one, question)), units.get((two, question))
            if first is None or second is None:
                continue
            _, here, there = np.intersect1d(first["unit_id"], second["unit_id"], assume_unique=True, return_indices=True)
            same = first["positive"][here] == second["positive"][there]
            here, there = here[same], there[same]
            positive = first["positive"][here]
            if positive.all() or not positive.any():
                continue
            compared = delong_paired(positive, first["score"][here], second["score"][there])
            pair = {"name": names[one], "other_name": names[two], "bundle_digest": one, "other_digest": two, "question": question}
            rows.append(pair | vars(compared))
    return rows

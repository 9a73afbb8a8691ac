"""What an answer is worth at a stated prevalence: the views predictive_values and decision_curve."""

from typing import Any

import duckdb

from screening.analytics.thresholds import Question, ask

Rows = list[dict[str, Any]]


def measure_predictive_values(connection: duckdb.DuckDBPyConnection, question: Question) -> Rows:
    """Return rows of the view predictive_values with the name of their bundle, for the unit, prevalence and costs of the question."""
    return _rows(connection, "predictive_values", question)


def measure_decision_curve(connection: duckdb.DuckDBPyConnection, question: Question) -> Rows:
    """Return rows of the view decision_curve with the name of their bundle, for the unit and prevalence of the question."""
    return _rows(connection, "decision_curve", question)


def _rows(connection: duckdb.DuckDBPyConnection, view: str, question: Question) -> Rows:
    ask(connection, question)
    names = dict(connection.sql("select bundle_digest, name from bundles").fetchall())
    rows = connection.sql(f"from {view} where unit = $unit", params={"unit": question.unit}).to_arrow_table().to_pylist()
    return [{"name": names[row["bundle_digest"]]} | row for row in rows]

"""What a threshold gives on other people than those that it was chosen on: Harrell's bootstrap of the choice itself.

A rule that picks the best of many thresholds picks luck too, so its sensitivity and specificity on the people of the choice are apparent
ones. The bootstrap repeats the choice on samples of these people. Its optimism is the mean, over the samples, of what the chosen threshold
gives in the sample less what it gives on all of them. The corrected figure is the apparent one less the optimism (Harrell, Lee and Mark
1996). Its interval is the Wilson interval of the apparent figure, moved by the optimism (Noma et al. 2021, location-shifted interval).
"""

from dataclasses import dataclass
from math import floor
from typing import Any

import duckdb
import numpy as np

from screening.analytics.thresholds import Question, Target, ask
from screening.metrics import wilson

REPLICATES = 500
MOST_UNITS = 1_000_000  # of more, the optimism is below a thousandth, and a bootstrap of them would take minutes
MOST_TRIED = 50  # thresholds that `choose_corrected` tries
ROUNDED = 10_000
MEASURES = ("sensitivity", "specificity")


@dataclass(frozen=True)
class Units:
    """Scored units that a threshold is chosen on, in any order.

    value: (N,) float64, the score that a threshold is put at; NaN where no threshold reaches the unit. positive, negative: (N,) bool, by
    the reference standard; neither where it does not tell. person: (N,) int, equal for units of one person. per_day: units a day.
    """

    value: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    person: np.ndarray
    per_day: float


@dataclass(frozen=True)
class Choice:
    """A chosen threshold with what it gives, as shares in [0, 1]."""

    threshold: float
    sensitivity: float
    specificity: float


class Curve:
    """The thresholds of some units, from the highest; each draw of units is given by how often it has each unit."""

    def __init__(self, units: Units):
        reached = np.flatnonzero(~np.isnan(units.value))
        self._order = reached[np.argsort(-units.value[reached], kind="stable")]
        values = units.value[self._order]
        self._starts = np.flatnonzero(np.diff(values, prepend=np.inf))
        self.values = values[self._starts]  # distinct, falling
        self._units = units
        self._all = self._called(np.ones(units.value.size))

    def choose(self, times: np.ndarray, target: Target) -> Choice | None:
        """Return the choice that `thresholds.choose` makes among the units of a draw, None where none keeps the target.

        times: (N,), how often the draw has each unit. A threshold lies midway between two neighbouring scores of the draw.
        """
        positives, negatives, screened, drawn = self._called(times)
        drawn_at = np.flatnonzero(drawn)
        totals = [float(times @ mask) for mask in (self._units.positive, self._units.negative)]
        if not drawn_at.size or not all(totals):
            return None
        sensitivity, specificity = positives[drawn_at] / totals[0], 1 - negatives[drawn_at] / totals[1]
        able = np.ones(drawn_at.size, bool)
        for share, wanted in ((sensitivity, target.sensitivity), (specificity, target.specificity)):
            able &= wanted is None or share >= wanted - 1e-12
        if target.capacity is not None:
            able &= self._units.per_day * screened[drawn_at] / times.sum() <= target.capacity
        if not able.any():
            return None
        first, second = (specificity, sensitivity) if target.sensitivity is not None else (sensitivity, specificity)
        best = np.lexsort((-np.arange(drawn_at.size), second, first, able))[-1]
        value = self.values[drawn_at[best]]
        below = self.values[drawn_at[best + 1]] if best + 1 < drawn_at.size else (0.0 if value > 0 else value)
        return Choice(float((value + below) / 2), float(sensitivity[best]), float(specificity[best]))

    def give(self, threshold: float) -> Choice:
        """Return what a threshold gives among all units."""
        place = int(np.searchsorted(-self.values, -threshold, side="right")) - 1
        true, false = (self._all[0][place], self._all[1][place]) if place >= 0 else (0.0, 0.0)
        return Choice(threshold, float(true / self._units.positive.sum()), float(1 - false / self._units.negative.sum()))

    def _called(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return, per distinct score, positives, negatives and units at or above it, and units that have it."""
        if not self.values.size:
            return (np.zeros(0),) * 4
        weights = times[self._order]
        masks = (self._units.positive[self._order], self._units.negative[self._order], np.ones(weights.size))
        at = [np.add.reduceat(weights * mask, self._starts) for mask in masks]
        return np.cumsum(at[0]), np.cumsum(at[1]), np.cumsum(at[2]), at[2]


def correct_choice(units: Units, target: Target, replicates: int = REPLICATES, seed: int = 0) -> dict[str, Any] | None:
    """Return what choosing by `target` gives, None where no threshold keeps it, or where there are more than MOST_UNITS.

    Keys: rule, threshold, replicates, and for sensitivity and specificity k, n, the apparent share, its optimism and the corrected share
    with its 95 % interval: `sensitivity`, `sensitivity_optimism`, `sensitivity_corrected`, `sensitivity_corrected_low` and `_high`. The
    corrected ones are null where fewer than half of the draws of persons had a threshold that keeps the target.
    """
    curve = Curve(units)
    chosen = curve.choose(np.ones(units.value.size), target) if units.value.size <= MOST_UNITS else None
    if chosen is None:
        return None
    persons, person = np.unique(units.person, return_inverse=True)
    random, optimisms = np.random.default_rng(seed), []
    for _ in range(replicates):
        times = np.bincount(random.integers(0, persons.size, persons.size), minlength=persons.size)[person].astype(np.float64)
        if (drawn := curve.choose(times, target)) is not None:
            given = curve.give(drawn.threshold)
            optimisms.append([getattr(drawn, name) - getattr(given, name) for name in MEASURES])
    found: dict[str, Any] = {"rule": str(target), "threshold": chosen.threshold, "replicates": len(optimisms)}
    means = np.mean(optimisms, axis=0) if len(optimisms) > replicates / 2 else (None, None)
    for name, total, optimism in zip(MEASURES, (units.positive.sum(), units.negative.sum()), means, strict=True):
        found |= _corrected(name, getattr(chosen, name), int(total), None if optimism is None else float(optimism))
    return found


def _corrected(name: str, share: float, n: int, optimism: float | None) -> dict[str, Any]:
    k = round(share * n)
    low, high = wilson(k, n)
    moved = [None if optimism is None else min(1.0, max(0.0, value - optimism)) for value in (share, low, high)]
    corrected = dict(zip(("corrected", "corrected_low", "corrected_high"), moved, strict=True))
    return {name: share} | {f"{name}_{part}": value for part, value in {"k": k, "n": n, "optimism": optimism, **corrected}.items()}


def load_units(connection: duckdb.DuckDBPyConnection, bundle_digest: str, question: Question | None = None, subgroup: str = "all") -> Units:
    """Return the scored units of a bundle and subgroup, of the view threshold_units. connection: of `screening.analytics`."""
    question = question or Question()
    ask(connection, question)
    own = {"instance": "object_id", "study": "coalesce(StudyInstanceUID, object_id)", "patient": "coalesce(patient_pseudonym, object_id)"}
    found = connection.execute(
        f"""
        with persons as (
            select {own[question.unit]} as unit_id, min(coalesce(patient_pseudonym, object_id)) as person
            from instance_rows
            where bundle_digest = $bundle
            group by all
        )
        select coalesce(covid_value, 'nan')::double as value, truth is not distinct from 'positive' as positive,
            truth is not distinct from 'negative' as negative, hash(person) as person
        from threshold_units inner join persons using (unit_id)
        where bundle_digest = $bundle and subgroup = $subgroup and scored
        order by unit_id
        """,
        {"bundle": bundle_digest, "subgroup": subgroup},
    ).fetchnumpy()
    ((nights, scored),) = connection.execute(
        "select (select count(distinct screen_date) from instance_rows where bundle_digest = $bundle), "
        "(select count(*) from threshold_units where bundle_digest = $bundle and scored)",
        {"bundle": bundle_digest},
    ).fetchall()
    columns = {name: np.asarray(found[name]) for name in ("value", "positive", "negative", "person")}
    size = columns["value"].size
    return Units(**columns, per_day=question.screened_per_day * size / scored if question.screened_per_day else size / max(1, nights))


def choose_corrected(
    units: Units, target: Target, rows: list[dict[str, Any]], replicates: int = REPLICATES, seed: int = 0
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the row whose corrected sensitivity and specificity keep the target, with the correction; None where none does.

    rows: of the view thresholds. The rule is made stricter until it keeps its promise on other people: of the thresholds that keep the
    target here, in the order of the choice, each is taken for a rule that asks for as much as it gives.
    """
    asked = "sensitivity" if target.sensitivity is not None else "specificity"
    other = "specificity" if asked == "sensitivity" else "sensitivity"
    able = [row for row in rows if row[asked] and row[asked] >= (getattr(target, asked) or 0) - 1e-12]
    for row in sorted(able, key=lambda row: (row[other] or 0.0, row["threshold"]), reverse=True)[:MOST_TRIED]:
        share = floor(row[asked] * ROUNDED) / ROUNDED  # as a rule is written, so that it can be read again
        stricter = Target(**{asked: share, other: getattr(target, other), "capacity": target.capacity})
        found = correct_choice(units, stricter, replicates, seed)
        if found is None or found["sensitivity_corrected"] is None:
            continue
        if all(getattr(target, name) is None or found[f"{name}_corrected"] >= getattr(target, name) - 1e-12 for name in MEASURES):
            return row, found
    return None

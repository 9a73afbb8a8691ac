"""What a shadow run found: the paired comparison of two bundles, and the thresholds at which the candidate does as the current one does."""

from typing import Any

import duckdb
import numpy as np

from schemas.shadow import Difference, Stage, StageComparison
from screening.analytics.accuracy import measure_accuracy
from screening.analytics.agreement import agreement_of

Columns = dict[str, np.ndarray]
STAGES: tuple[Stage, ...] = ("pneumonia", "covid")

_PAIRS = """
select
    candidate.pneumonia_positive as candidate_pneumonia,
    current.pneumonia_positive as current_pneumonia,
    candidate.covid_positive as candidate_covid,
    current.covid_positive as current_covid,
    (candidate.pneumonia_logit - current.pneumonia_logit)::double as pneumonia_shift,
    (candidate.covid_logit - current.covid_logit)::double as covid_shift,
    coalesce(candidate.pneumonia_probability, candidate.pneumonia_score)::double as pneumonia_value,
    coalesce(candidate.covid_probability, candidate.covid_score)::double as covid_value,
    {truth} as ill
from instances as candidate
inner join instances as current using (object_id)
{verdicts}
where candidate.bundle_digest = $candidate and current.bundle_digest = $current and candidate.outcome = 'scored'
order by object_id
"""
_VERDICTS = "left join reference_verdicts on object_id = reference_verdicts.object_id and reference_verdicts.bundle_digest = $current"


def pairs(connection: duckdb.DuckDBPyConnection, candidate: str, current: str, *, reference: bool) -> Columns:
    """Return the radiographs that both bundles scored, column by column: calls (bool), the candidate's values, and `ill` (bool).

    Shifts are candidate less current, NaN where one of the two has no logit. Without a reference table nobody is `ill`.
    """
    query = _PAIRS.format(truth="coalesce(rt_pcr = 'positive', false)" if reference else "false", verdicts=_VERDICTS if reference else "")
    found = connection.execute(query, {"candidate": candidate, "current": current}).fetchnumpy()
    return {
        name: np.ma.filled(values.astype(np.float64), np.nan) if values.dtype.kind == "f" else np.asarray(values)
        for name, values in found.items()
    }


def compare_stages(connection: duckdb.DuckDBPyConnection, found: Columns) -> dict[Stage, StageComparison]:
    """Return what both bundles call positive in each stage."""
    return {stage: _stage(connection, found, stage) for stage in STAGES}


def _stage(connection: duckdb.DuckDBPyConnection, found: Columns, stage: Stage) -> StageComparison:
    ours, theirs = found[f"candidate_{stage}"].astype(bool), found[f"current_{stage}"].astype(bool)
    cells = [int(np.sum(cell)) for cell in (ours & theirs, ours & ~theirs, ~ours & theirs, ~ours & ~theirs)]
    shift = found[f"{stage}_shift"]
    shift = shift[~np.isnan(shift)]
    agreed = agreement_of(ours.astype(str).tolist(), theirs.astype(str).tolist())
    return StageComparison(
        **dict(zip(("both", "candidate_only", "current_only", "neither"), cells, strict=True)),
        agreement=agreed.observed,
        kappa=agreed.kappa,
        positive_rate=_rates(connection, cells),
        logit_shift=float(shift.mean()) if shift.size else None,
        logit_pairs=int(shift.size),
    )


def _rates(connection: duckdb.DuckDBPyConnection, cells: list[int]) -> Difference:
    """Return the difference of two shares from the cells both, first only, second only, neither, as the view paired_accuracy does."""
    n = sum(cells)
    low, high, p = connection.execute(
        "select paired_low($a, $b, $c, $d), paired_high($a, $b, $c, $d), mcnemar_exact($b, $c)", dict(zip("abcd", cells, strict=True))
    ).fetchall()[0]
    ours, theirs = (cells[0] + cells[1]) / n, (cells[0] + cells[2]) / n
    return Difference(candidate=ours, current=theirs, difference=ours - theirs, low=low, high=high, p=p, n=n)


def compare_accuracy(connection: duckdb.DuckDBPyConnection, candidate: str) -> dict[str, Difference | None]:
    """Return sensitivity, specificity and auroc of the cascade by person, candidate less current; None where a class is absent."""
    measured = measure_accuracy(connection, "patient", replicates=0)
    shares = {row["truth"]: _shares(row, candidate) for row in measured["paired"] if row["question"] == "covid"}
    areas = [_areas(row, candidate) for row in measured["paired_auroc"] if row["question"] == "covid"]
    return {"sensitivity": shares.get("positive"), "specificity": shares.get("negative"), "auroc": areas[0] if areas else None}


def _shares(row: dict[str, Any], candidate: str) -> Difference:
    return _directed(row, candidate, row["share"], row["other_share"], (row["difference_low"], row["difference_high"]), row["n"])


def _areas(row: dict[str, Any], candidate: str) -> Difference:
    return _directed(row, candidate, row["first"], row["second"], (row["low"], row["high"]), row["positives"] + row["negatives"])


def _directed(
    row: dict[str, Any], candidate: str, first: float, second: float, limits: tuple[float | None, float | None], n: int
) -> Difference:
    """Return a difference of the views, first less second by digest, as candidate less current."""
    low, high = limits
    if row["bundle_digest"] != candidate:
        first, second = second, first
        low, high = (None if high is None else -high), (None if low is None else -low)
    return Difference(candidate=first, current=second, difference=first - second, low=low, high=high, p=row["p"], n=n)


def matching_thresholds(found: Columns, *, among: np.ndarray) -> dict[Stage, float]:
    """Return the candidate's thresholds at which it calls as many of some radiographs as the current bundle does, in each stage.

    among: (N,) bool. All radiographs match the positive rate, those of the ill the sensitivity. A stage in which the current bundle calls
    none of them is absent. A threshold lies midway between two values; equal values may make it call more.
    """
    thresholds: dict[Stage, float] = {}
    passed = among
    for stage in STAGES:
        wanted = int(np.sum(found[f"current_{stage}"].astype(bool) & among))
        values = found[f"{stage}_value"][passed]
        values = np.sort(values[~np.isnan(values)])[::-1]
        if not wanted or not values.size:
            break
        last = values[min(wanted, values.size) - 1]
        below = values[values < last]
        thresholds[stage] = float((last + below[0]) / 2) if below.size else float(last)
        passed = passed & (found[f"{stage}_value"] >= thresholds[stage])
    return thresholds

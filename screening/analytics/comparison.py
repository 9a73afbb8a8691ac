"""Two bundles, or two products, on the same units: is the first no worse than the second by more than a stated margin?"""

from typing import Any

import duckdb
import numpy as np

from screening.analytics.accuracy import UNITS
from screening.analytics.linking import describe_links
from screening.analytics.views import ViewRow, ViewRows
from screening.errors import UsageError
from screening.statistics.clusters import Moments, clustered_share, moments
from screening.statistics.paired import check_margin, non_inferiority

CLUSTERS = ("unit", "person", "site")  # what is taken to be independent
MEASURES = {"positive": "sensitivity", "negative": "specificity"}

PAIRED = """
select
    one.question,
    one.truth,
    hash(
        case $cluster
            when 'unit' then one.unit_id
            when 'site' then coalesce(one.InstitutionName, 'unknown')
            else coalesce(one.patient_pseudonym, one.unit_id)
        end
    ) as cluster,
    one.called = (one.truth = 'positive') as first_right,
    two.called = (two.truth = 'positive') as second_right
from (from judgements where bundle_digest = $first and unit = $unit and cell in ('tp', 'fp', 'fn', 'tn')) as one
inner join (from judgements where bundle_digest = $second and unit = $unit and cell in ('tp', 'fp', 'fn', 'tn')) as two
    on one.unit_id = two.unit_id and one.question = two.question and one.truth = two.truth
"""


def compare(
    connection: duckdb.DuckDBPyConnection,
    first: str,
    second: str,
    unit: str = "patient",
    *,
    margin: float,
    cluster: str = "person",
) -> dict[str, Any]:
    """Return whether the first of two is non-inferior to the second in sensitivity and in specificity, by the units that both answered.

    Keys: link_rule, reference and match (see `analytics.linking`), first, second, unit, cluster, margin, and rows, one for each question
    and measure where both scored a unit of that truth: n, clusters, only_first, only_second, of either `first_` and `second_` the k,
    share, low and high, then difference with low and high, design_effect, p and non_inferior.

    first, second: names or digests, or how these begin, of bundles or files of cases. margin: how much worse the first may be, in (0, 1).
    cluster: of CLUSTERS; units of one cluster may be alike. Intervals and test: see `statistics.paired` and `statistics.clusters`; where
    each cluster is one unit, they are those of independent units.
    Raises UsageError for an argument that is none, and where first or second is not one of what was opened.
    """
    if unit not in UNITS:
        raise UsageError(f"--unit {unit}: it is {', '.join(UNITS)}")
    if cluster not in CLUSTERS:
        raise UsageError(f"--cluster {cluster}: it is {', '.join(CLUSTERS)}")
    check_margin(margin)
    names = dict(connection.sql("select bundle_digest, name from bundles").fetchall())
    one, two = (_chosen(names, given) for given in (first, second))
    if one == two:
        raise UsageError(f"{first} and {second} are the same: name two")
    by = "unit" if cluster == "person" and unit == "patient" else cluster
    asked = {"first": one, "second": two, "unit": unit, "cluster": by}
    units = connection.execute(PAIRED, asked).fetchnumpy()
    return {
        **describe_links(connection),
        "first": names[one],
        "second": names[two],
        "unit": unit,
        "cluster": cluster,
        "margin": margin,
        "rows": _rows(units, margin, by),
    }


def _chosen(names: dict[str, str], given: str) -> str:
    """Return the digest of the bundle or file whose name or digest begins so."""
    found = [digest for digest, name in names.items() if name == given] or [
        digest for digest, name in names.items() if digest.startswith(given) or name.startswith(given)
    ]
    if len(found) != 1:
        raise UsageError(f"{given}: {'several begin' if found else 'none begins'} so: there are {', '.join(sorted(names.values()))}")
    return found[0]


def _rows(units: dict[str, np.ndarray], margin: float, by: str) -> ViewRows:
    rows = []
    for question in ("covid", "pneumonia", "gate", "stage_3"):
        for truth, measure in MEASURES.items():
            own = (units["question"] == question) & (units["truth"] == truth)
            if own.any():
                cluster = np.asarray(units["cluster"])[own]
                right = [np.asarray(units[name])[own].astype(int) for name in ("first_right", "second_right")]
                rows.append({"question": question, "measure": measure} | _compared(cluster, *right, margin, by))
    return rows


def _compared(cluster: np.ndarray, first: np.ndarray, second: np.ndarray, margin: float, by: str) -> ViewRow:
    """Return one comparison. first, second: (N,), 1 where the answer was right, else 0."""
    difference = moments(cluster, first - second)
    only_first, only_second = int((first > second).sum()), int((first < second).sum())
    told: ViewRow = {"n": difference.n, "clusters": difference.clusters, "only_first": only_first, "only_second": only_second}
    for name, right in (("first", first), ("second", second)):
        of = moments(cluster, right)
        _, low, high = clustered_share(of, independent=by == "unit")
        told |= {f"{name}_k": int(of.total), f"{name}_share": of.share, f"{name}_low": low, f"{name}_high": high}
    effect = 1.0 if by == "unit" else _design_effect(difference, only_first + only_second)
    if effect is None:
        return told | {"difference": difference.share} | dict.fromkeys(("low", "high", "design_effect", "p", "non_inferior"))
    counts = (count / effect for count in (only_first, only_second, difference.n))
    tested = non_inferiority(*counts, margin, None if by == "unit" else difference.clusters)
    return told | vars(tested) | {"design_effect": effect}


def _design_effect(difference: Moments, discordant: int) -> float | None:
    """Return the design effect of a paired difference: against the variance of independent pairs."""
    return difference.design_effect((discordant / difference.n - difference.share**2) / difference.n)

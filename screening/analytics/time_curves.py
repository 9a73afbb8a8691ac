"""What changes with the days, as curves with their bands: lead time as a survival curve, and sensitivity by days since onset."""

import duckdb
import numpy as np

from screening.analytics.views import ViewRows
from screening.statistics.logistic import share_by_day
from screening.statistics.survival import kaplan_meier

MISSED = -np.inf  # the lead time of a person who was not found
POPULATIONS = {"confirmed": "true", "found": "detected"}  # all confirmed persons with a scored radiograph, and those of them who were found

LEAD_TIMES = """
select
    bundle_digest,
    detected,
    coalesce(if(detected, lead_days, null)::double, if(detected, lead_days_at_least, null)::double, '-infinity'::double) as days,
    not detected or lead_days is not null as ended,
    count(*) as persons
from lead_time
where (not detected or lead_days is not null or lead_days_at_least is not null) and ($digest is null or bundle_digest = $digest)
group by all
"""
SINCE_ONSET = """
select bundle_digest, hash(coalesce(patient_pseudonym, object_id)) as person, days_since_onset as days, called
from judgements
where
    unit = 'instance' and question = 'covid' and truth = 'positive' and called is not null and days_since_onset is not null
    and ($digest is null or bundle_digest = $digest)
order by bundle_digest, object_id
"""


def lead_curve(connection: duckdb.DuckDBPyConnection, *, min_cell: int = 5, digest: str | None = None) -> ViewRows:
    """Return the share of persons whose lead time is at least so many days, by Kaplan and Meier with Greenwood's interval.

    Rows: bundle_digest, population (of POPULATIONS), days from 0, at_risk (persons whose lead time is known to be, or may be, that long),
    share, low and high; from the day on which fewer than min_cell are at risk there are none. A person who was not found has no lead time,
    and is never among those with a lead time of 0 days or more. The lead time of a person whose confirmation has no date is censored after
    lead_days_at_least days; where that is unknown, too, the person takes no part. digest: of the one bundle that is asked about.
    """
    persons = connection.execute(LEAD_TIMES, {"digest": digest}).fetchnumpy()
    rows: ViewRows = []
    for bundle in sorted(set(persons["bundle_digest"])):
        for population in POPULATIONS:
            taken = (persons["bundle_digest"] == bundle) & (persons["detected"] | (population == "confirmed"))
            days, units = np.asarray(persons["days"], float)[taken], np.asarray(persons["persons"], int)[taken]
            curve = kaplan_meier(days, np.asarray(persons["ended"], bool)[taken], units)
            for day in range(int(max(days.max(initial=0), 0)) + 1):
                at_risk = int(units[days >= day].sum())
                if at_risk < min_cell:
                    break
                share, low, high = curve.at_least(day)
                told = {"days": day, "at_risk": at_risk, "share": share, "low": low, "high": high}
                rows.append({"bundle_digest": bundle, "population": population} | told)
    return rows


def onset_curve(connection: duckdb.DuckDBPyConnection, *, min_cell: int = 5, digest: str | None = None) -> ViewRows:
    """Return the sensitivity of one radiograph by days since onset with its pointwise band: see `statistics.logistic.share_by_day`.

    Rows: bundle_digest, days, share, low, high and form (spline or line); none where too few radiographs were missed, or found. Radiographs
    are those of the unit instance whose reference standard is positive and that have a day of onset; several of one person are a cluster.
    The curve reaches from the first to the last day that has at least min_cell persons on it or beyond. digest: of the one bundle that is
    asked about.
    """
    radiographs = connection.execute(SINCE_ONSET, {"digest": digest}).fetchnumpy()
    rows: ViewRows = []
    for bundle in sorted(set(radiographs["bundle_digest"])):
        own = radiographs["bundle_digest"] == bundle
        days, called = np.asarray(radiographs["days"], float)[own], np.asarray(radiographs["called"], bool)[own]
        _, person = np.unique(np.asarray(radiographs["person"])[own], return_inverse=True)
        at = _days_with_enough(days, person, min_cell)
        curve = share_by_day(days, called, person, at) if at.size else None
        if curve is not None:
            form = "spline" if curve.knots else "line"
            columns = zip(at, curve.share, curve.low, curve.high, strict=True)
            rows += [
                {"bundle_digest": bundle, "days": int(day), "share": float(share), "low": float(low), "high": float(high), "form": form}
                for day, share, low, high in columns
            ]
    return rows


def _days_with_enough(days: np.ndarray, person: np.ndarray, min_cell: int) -> np.ndarray:
    """Return every day from the one that min_cell persons have a radiograph on or before, to the one that as many have one on or after."""
    persons = int(person.max(initial=-1)) + 1
    if persons < min_cell:
        return np.array([])
    first, last = np.full(persons, np.inf), np.full(persons, -np.inf)
    np.minimum.at(first, person, days)
    np.maximum.at(last, person, days)
    return np.arange(np.sort(first)[min_cell - 1], np.sort(last)[-min_cell] + 1)

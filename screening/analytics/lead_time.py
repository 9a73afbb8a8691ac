"""Lead time against RT-PCR, summed and by person: the views of `analytics/sql/lead_time*.sql` as one answer."""

from collections.abc import Sequence
from typing import Any

import duckdb

from screening.analytics.linking import describe_links
from screening.analytics.small_cells import hold_back
from screening.analytics.time_curves import lead_curve, onset_curve
from screening.analytics.views import ViewRows
from screening.errors import UsageError

TIMING = """
select
    bundle_digest,
    timing,
    count(*) as k,
    (sum(count(*)) over (partition by bundle_digest))::bigint as n,
    k / n as share,
    wilson_low(k, n) as low,
    wilson_high(k, n) as high,
    sum(radiographs)::bigint as radiographs,
    sum(radiographs_after)::bigint as radiographs_after
from lead_time
group by bundle_digest, timing
order by bundle_digest, list_position(['before', 'same day', 'after', 'dates missing', 'missed'], timing)
"""
FALSE_ALERTS = """
select distinct
    bundle_digest,
    false_alerts as false_alerts_k,
    false_alerts_n,
    false_alerts_share as false_alerts,
    false_alerts_low,
    false_alerts_high
from lead_time_summary
order by bundle_digest
"""
LONGEST = """
select *, coalesce(onset_band(days_since_onset), 'unknown') as onset
from lead_time where lead_days is not null
qualify row_number() over (partition by bundle_digest order by lead_days desc, patient_pseudonym) <= $persons
order by bundle_digest, lead_days desc, patient_pseudonym
"""


def measure_lead_time(
    connection: duckdb.DuckDBPyConnection, days: Sequence[int] = (1, 2, 5), *, persons: int = 10, min_cell: int = 5
) -> dict[str, Any]:
    """Return link_rule and reference (see `analytics.linking`), unit, min_cell, and rows: summary, timing, false_alerts, by_onset,
    curve and onset_curve (see `analytics.time_curves`), longest.

    days: at least that many before confirmation, each 0 or more. persons: how many of the longest lead times. min_cell: bands of days
    since onset with fewer persons are held back, and with them what gives them away: see `analytics.small_cells`. Raises UsageError for
    negative days.
    """
    if min(days, default=0) < 0:
        raise UsageError("--days are days before confirmation: 0 or more")
    connection.execute("set variable lead_days_asked = $days", {"days": sorted(set(days))})
    names = dict(connection.sql("select bundle_digest, name from bundles").fetchall())

    def named(rows: ViewRows) -> ViewRows:
        return [{"name": names[row["bundle_digest"]]} | row for row in rows]

    def rows(query: str, **parameters: int) -> ViewRows:
        return named(connection.sql(query, params=parameters or None).to_arrow_table().to_pylist())

    shown = hold_back({"lead_time_by_onset": rows("from lead_time_by_onset"), "longest": rows(LONGEST, persons=persons)}, min_cell)
    return {
        **describe_links(connection),
        "unit": "patient",
        "min_cell": min_cell,
        "summary": rows("from lead_time_summary"),
        "timing": rows(TIMING),
        "false_alerts": rows(FALSE_ALERTS),
        "by_onset": shown["lead_time_by_onset"],
        "curve": named(lead_curve(connection, min_cell=min_cell)),
        "onset_curve": named(onset_curve(connection, min_cell=min_cell)),
        "longest": shown["longest"],
    }

"""Sensitivity and specificity with intervals that respect persons and sites: units of one may be alike, and are less evidence then."""

import duckdb

from screening.analytics.views import ViewRows
from screening.statistics.clusters import Moments, clustered_share

MOMENTS = """
with units as (
    select
        bundle_digest,
        question,
        truth,
        cell in ('tp', 'tn') as right_answer,
        unnest(if($unit = 'patient', ['site'], ['person', 'site'])) as cluster,
        if(cluster = 'site', coalesce(InstitutionName, 'unknown'), coalesce(patient_pseudonym, unit_id)) as cluster_id
    from judgements
    where unit = $unit and cell in ('tp', 'fp', 'fn', 'tn')
),
clusters as (
    select bundle_digest, question, truth, cluster, count(*) as n, count(*) filter (right_answer) as k
    from units
    group by bundle_digest, question, truth, cluster, cluster_id
)
select
    bundle_digest,
    question,
    if(truth = 'positive', 'sensitivity', 'specificity') as measure,
    cluster,
    count(*) as clusters,
    sum(k)::bigint as k,
    sum(n)::bigint as n,
    sum(k * k)::double as squares,
    sum(k * n)::double as products,
    sum(n * n)::double as sizes
from clusters
group by bundle_digest, question, measure, cluster
order by bundle_digest, question, measure, cluster
"""


def clustered_accuracy(connection: duckdb.DuckDBPyConnection, unit: str = "patient") -> ViewRows:
    """Return sensitivity and specificity by bundle, question and kind of cluster: site, and person where a person may have several units.

    Columns: bundle_digest, question, measure, cluster, clusters (how many), k, n, share, design_effect, low and high: the 95 % interval of
    `statistics.clusters.clustered_share`, None with one cluster. Units without a site are one site together.
    """
    rows = connection.sql(MOMENTS, params={"unit": unit}).to_arrow_table().to_pylist()
    return [_row(row) for row in rows]


def _row(row: dict) -> dict:
    of = Moments(row["clusters"], row["k"], row["n"], *(row.pop(name) for name in ("squares", "products", "sizes")))
    effect, low, high = clustered_share(of)
    return row | {"share": of.share, "design_effect": effect, "low": low, "high": high}

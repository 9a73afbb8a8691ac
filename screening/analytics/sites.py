"""How accuracy and calibration differ between sites: random effects over them, and each site's own calibration.

Sites that are held back take no part in the random effects, because whoever knows all sites but one could work that one out of the mean.
"""

from dataclasses import asdict
from typing import Any

import duckdb
import numpy as np

from schemas.progress import OnProgress, counter, unwatched
from screening.analytics.accuracy import UNITS
from screening.analytics.linking import describe_links
from screening.analytics.small_cells import UNKNOWN, hold_back
from screening.analytics.views import ViewRow, ViewRows
from screening.errors import UsageError
from screening.statistics.logistic import calibration
from screening.statistics.random_effects import random_effects_share

MEASURES = ("sensitivity", "specificity")
CALIBRATED = ("pneumonia", "stage_3", "covid")  # questions whose values are, or stand for, probabilities
COMPARED = ("site", "vendor", "view", "sex")  # subgroups of the view subgroups
EVERYWHERE = "all"

SITES = """
from subgroups
where unit = $unit and subgroup = $by and question in ('covid', 'pneumonia')
order by bundle_digest, question, subgroup_value
"""
VALUES = """
select
    bundle_digest,
    question,
    coalesce(site, 'unknown') as site,
    hash(coalesce(patient_pseudonym, unit_id)) as person,
    truth = 'positive' as positive,
    value
from (
    select
        *,
        case $by when 'site' then InstitutionName when 'vendor' then Manufacturer when 'view' then ViewPosition else PatientSex end as site
    from judgements
)
where
    unit = $unit and question in ('pneumonia', 'stage_3', 'covid') and truth in ('positive', 'negative') and value between 0 and 1
    and ($digest is null or bundle_digest = $digest)
"""


def measure_sites(
    connection: duckdb.DuckDBPyConnection,
    unit: str = "patient",
    *,
    by: str = "site",
    min_cell: int = 5,
    on_progress: OnProgress = unwatched,
) -> dict[str, Any]:
    """Return how accuracy and calibration differ between sites, or vendors, views or sexes.

    Keys: link_rule, reference and match (see `analytics.linking`), unit, by, min_cell, and rows: random_effects (by bundle, question and
    measure), sites (of the view subgroups) and calibration (by bundle, question and site, the first of which is EVERYWHERE).
    connection: of `screening.analytics.views`. min_cell: cells of sites with fewer units are held back, and with them what gives them away:
    see `analytics.small_cells`. Raises UsageError for a unit or a `by` that is none.
    """
    if unit not in UNITS:
        raise UsageError(f"--unit {unit}: it is {', '.join(UNITS)}")
    if by not in COMPARED:
        raise UsageError(f"--by {by}: it is {', '.join(COMPARED)}")
    names = dict(connection.sql("select bundle_digest, name from bundles").fetchall())
    on_progress("asking the sites", 0, 0)
    known = connection.sql(SITES, params={"unit": unit, "by": by}).to_arrow_table().to_pylist()
    sites = [{"name": names[row["bundle_digest"]]} | row for row in hold_back({"subgroups": known}, min_cell)["subgroups"]]
    return {
        **describe_links(connection),
        "unit": unit,
        "by": by,
        "min_cell": min_cell,
        "random_effects": pool(sites),
        "sites": sites,
        "calibration": calibrate(connection, sites, unit, by=by, min_cell=min_cell, on_progress=on_progress),
    }


def pool(sites: ViewRows) -> ViewRows:
    """Return the random-effects mean of the sites that are shown, for each bundle, question and measure that has one.

    sites: rows of the view subgroups, of one subgroup, with null where a figure is held back. The value UNKNOWN is no site. Rows have the
    columns of `statistics.random_effects.RandomEffects`, and `hidden`, how many sites are held back and so take no part.
    """
    rows = []
    for digest, question in dict.fromkeys((row["bundle_digest"], row["question"]) for row in sites):
        own = [row for row in sites if (row["bundle_digest"], row["question"]) == (digest, question) and row["subgroup_value"] != UNKNOWN]
        for measure in MEASURES:
            shown = [row for row in own if row[f"{measure}_n"]]
            if shown:
                k, n = (np.array([row[f"{measure}_{part}"] for row in shown]) for part in "kn")
                hidden = sum(row[f"{measure}_n"] is None for row in own)
                what = {name: shown[0][name] for name in ("name", "bundle_digest", "question") if name in shown[0]} | {"measure": measure}
                rows.append(what | asdict(random_effects_share(k, n)) | {"hidden": hidden})
    return rows


def calibrate(
    connection: duckdb.DuckDBPyConnection,
    sites: ViewRows,
    unit: str = "patient",
    *,
    by: str = "site",
    min_cell: int = 5,
    digest: str | None = None,
    on_progress: OnProgress = unwatched,
) -> ViewRows:
    """Return the calibration everywhere and of each site that may be shown, by bundle and question, without any count.

    sites: as in `pool`. A site is left out where a figure of it is held back, or where fewer than min_cell of its positives or of its
    negatives have a value. Intervals respect persons, where these have several units. digest: of the one bundle that is asked about.
    """
    names = dict(connection.sql("select bundle_digest, name from bundles order by bundle_digest").fetchall())
    units = connection.execute(VALUES, {"unit": unit, "by": by, "digest": digest}).fetchnumpy()
    held = {row["subgroup_value"] for row in sites if any(row[f"{measure}_n"] is None for measure in MEASURES)}
    rows: ViewRows = []
    asked = [(digest, question) for digest in ([digest] if digest else names) for question in CALIBRATED]
    count = counter(on_progress, "calibration by site", len(asked))
    for digest, question in asked:
        of_question = _where(units, (units["bundle_digest"] == digest) & (units["question"] == question))
        what = {"name": names[digest], "bundle_digest": digest, "question": question}
        if of_question["value"].size:
            rows.append(what | {"site": EVERYWHERE} | _row(of_question, unit))
        for site in sorted(set(of_question["site"]) - held):
            own = _where(of_question, of_question["site"] == site)
            if min(own["positive"].sum(), (~own["positive"]).sum()) >= min_cell:
                rows.append(what | {"site": site} | _row(own, unit))
        count(1)
    return rows


def _where(units: dict[str, np.ndarray], chosen: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.asarray(values)[chosen] for name, values in units.items()}


def _row(units: dict[str, np.ndarray], unit: str) -> ViewRow:
    found = calibration(units["value"], units["positive"], None if unit == "patient" else units["person"])
    return {name: value for name, value in asdict(found).items() if name not in ("n", "positives")}

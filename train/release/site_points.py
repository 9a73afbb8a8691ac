"""Operating points and calibration of single sites, each chosen on that site's people: a site with other machines is another population."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import duckdb
import numpy as np
from scipy.special import expit

from schemas.bundle import Calibration, OperatingPoint, SitePoints
from schemas.operating_points import Evidence, OperatingPoints
from screening.analytics.thresholds import Target, choose, one_bundle, operating_points
from screening.errors import ResultsError
from train.release.calibration import fit_platt

LEAST_PEOPLE = 100  # with the disease, and without it (Collins, Ogundimu and Altman 2016, Statistics in Medicine 35:214-226)
NO_SITES = ("unknown", "several", "all")  # what the view thresholds calls units that belong to no one site


def choose_by_site(
    connection: duckdb.DuckDBPyConnection, rows: Sequence[dict[str, Any]], target: Target, data: str, rule: str, least: int = LEAST_PEOPLE
) -> OperatingPoints:
    """Return operating points of every site that has people enough, and why each other site keeps the bundle's.

    connection: asked by site (`thresholds.ask`). rows: its view `thresholds`. data and rule: as in `thresholds.operating_points`.
    least: units with a positive and as many with a negative reference standard that a site needs.
    Where the bundle has a calibration of stage 3, each such site gets a calibration of its own, too. A threshold is then on that one's
    probabilities, and calls the same people. Raises UsageError where the rows are of several bundles, ResultsError where there are none
    or no site gets points of its own.
    """
    own: dict[str, SitePoints] = {}
    evidence: dict[str, Evidence] = {}
    kept: dict[str, str] = {}
    digest = one_bundle(list(rows))[0]["bundle_digest"]
    for site, positives, negatives in _people(connection):
        members = [row for row in rows if row["subgroup"] == site]
        if min(positives, negatives) < least:
            kept[site] = f"{positives} positive and {negatives} negative of at least {least} each"
        elif (row := choose(members, target)) is None:
            kept[site] = f"no threshold keeps {target}"
        else:
            chosen = operating_points(row, target, f"{data}, site {site}", rule)
            own[site], evidence[site] = _own(connection, site, chosen.points["covid"]), chosen.evidence
    if not own:
        raise ResultsError(f"no site gets an operating point of its own: {'; '.join(f'{site}: {why}' for site, why in kept.items())}")
    return OperatingPoints(bundle_digest=digest, chosen=date.today(), sites=own, site_evidence=evidence, kept=kept)


def describe(points: OperatingPoints) -> list[dict[str, Any]]:
    """Return one row a site: its own point with k of n, or why it keeps the bundle's."""
    rows: list[dict[str, Any]] = []
    for site, own in points.sites.items():
        point, found = own.operating_points["covid"], points.site_evidence[site]
        line = own.calibration.get("covid")
        rows.append(
            {
                "site": site,
                "threshold": point.threshold,
                "sensitivity": f"{found.sensitivity_k:.0f}/{found.sensitivity_n:.0f}",
                "specificity": f"{found.specificity_k:.0f}/{found.specificity_n:.0f}",
                "calibration": "the bundle's" if line is None else f"{line.slope:.3f} * logit + {line.intercept:.3f}",
                "keeps": None,
            }
        )
    nothing = dict.fromkeys(("threshold", "sensitivity", "specificity", "calibration"))
    return rows + [{"site": site, **nothing, "keeps": f"the bundle's point: {why}"} for site, why in points.kept.items()]


def _people(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, int, int]]:
    """Return each site with its scored units that the reference standard calls positive, and negative."""
    counted = connection.execute(
        "select subgroup, count(*) filter (scored and truth = 'positive'), count(*) filter (scored and truth = 'negative') "
        "from threshold_units group by subgroup order by subgroup"
    ).fetchall()
    return [row for row in counted if row[0] not in NO_SITES]


def _own(connection: duckdb.DuckDBPyConnection, site: str, point: OperatingPoint) -> SitePoints:
    """Return a site's point on its own calibration, where the bundle calibrates and the site's radiographs allow it."""
    calibrates, logits, values, labels = _radiographs(connection, site)
    line = fit_platt(labels, logits, point.data) if calibrates and 0 < labels.sum() < labels.size else None
    if line is None:
        return SitePoints(operating_points={"covid": point})
    moved = point.model_copy(update={"threshold": _moved(point.threshold, line, logits, values)})
    return SitePoints(operating_points={"covid": moved}, calibration={"covid": line})


def _moved(threshold: float, line: Calibration, logits: np.ndarray, values: np.ndarray) -> float:
    """Return the threshold on another calibration that parts the radiographs as this one does: midway between the logits beside it."""
    called = values >= threshold
    low = logits[~called].max(initial=-np.inf)
    high = logits[called].min(initial=np.inf)
    between = (low + high) / 2 if np.isfinite(low + high) else low + 1 if np.isfinite(low) else high - 1
    return float(expit(line.slope * between + line.intercept))


def _radiographs(connection: duckdb.DuckDBPyConnection, site: str) -> tuple[bool, np.ndarray, np.ndarray, np.ndarray]:
    """Return whether the bundle calibrates stage 3, and of what it judged there: logits, values as run, truth by the reference standard."""
    found: Mapping[str, np.ndarray] = connection.execute(
        "select covid_probability is not null as calibrated, covid_logit as logit, "
        "coalesce(covid_probability, covid_score)::double as value, rt_pcr = 'positive' as positive "
        "from instances join reference_verdicts using (bundle_digest, object_id) "
        "where counts and pneumonia_positive and covid_logit is not null and InstitutionName = $site "
        "and rt_pcr in ('positive', 'negative')",
        {"site": site},
    ).fetchnumpy()
    calibrated, logits, values, labels = (np.asarray(found[name]) for name in ("calibrated", "logit", "value", "positive"))
    return bool(calibrated.any()), logits.astype(np.float64), values, labels.astype(bool)

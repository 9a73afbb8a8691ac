"""Agreement of readers with the cascade and with each other: Cohen's kappa over the radiographs that both judged."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np

from schemas.reading import Finding
from screening.analytics.views import ViewRow, ViewRows
from screening.metrics import Z_95

# question → what a finding is to it
QUESTIONS: dict[str, Callable[[str], str]] = {
    "finding": lambda finding: finding,  # normal, pneumonia or covid
    "pneumonia": lambda finding: "no" if finding == Finding.NORMAL else "yes",  # of any kind: stage 2
    "covid": lambda finding: "yes" if finding == Finding.COVID else "no",  # the whole cascade
}
DEFINITE = (Finding.NORMAL, Finding.PNEUMONIA, Finding.COVID)


@dataclass(frozen=True)
class Agreement:
    """Agreement of two judges on `n` objects, in [0, 1], and Cohen's kappa, in [-1, 1], with its 95 % interval.

    Kappa is None where chance alone gives full agreement, because both used one category only; so are its limits, and all where `n` is 0.
    """

    n: int
    observed: float | None
    expected: float | None
    kappa: float | None
    low: float | None
    high: float | None


def agreement_of(first: Sequence[str], second: Sequence[str]) -> Agreement:
    """Return the agreement of two judges, who gave the categories `first[i]` and `second[i]` to object i.

    Kappa: Cohen 1960, of scikit-learn. Its interval is the large-sample one, kappa ± 1.96 standard errors, of Fleiss, Cohen and Everitt
    (Psychological Bulletin 1969;72:323-327, equation 13), kept within [-1, 1].
    """
    n = len(first)
    if not n:
        return Agreement(0, None, None, None, None, None)
    categories = sorted({*first, *second})
    places = {name: place for place, name in enumerate(categories)}
    shares = np.zeros((len(categories), len(categories)))
    for one, two in zip(first, second, strict=True):
        shares[places[one], places[two]] += 1 / n
    rows, columns = shares.sum(1), shares.sum(0)
    observed, expected = float(np.trace(shares)), float(rows @ columns)
    if len(categories) == 1:
        return Agreement(n, observed, expected, None, None, None)
    from sklearn.metrics import cohen_kappa_score

    kappa = float(cohen_kappa_score(first, second))
    half = Z_95 * _standard_error(shares, observed, expected) / math.sqrt(n)
    return Agreement(n, observed, expected, kappa, max(-1.0, kappa - half), min(1.0, kappa + half))


def _standard_error(shares: np.ndarray, observed: float, expected: float) -> float:
    """Return the standard error of kappa times the root of n; `shares` is (categories, categories) and sums to 1."""
    margins = shares.sum(0)[:, None] + shares.sum(1)[None, :]  # of category i by the second judge, and of j by the first
    kept = (1 - expected) - margins.T * (1 - observed)
    diagonal = float((np.diag(shares) * np.diag(kept) ** 2).sum())
    beside = (1 - observed) ** 2 * float(((shares - np.diag(np.diag(shares))) * margins**2).sum())
    variance = (diagonal + beside - (observed * expected - 2 * expected + observed) ** 2) / (1 - expected) ** 4
    return math.sqrt(max(0.0, variance))


def measure_agreement(connection: duckdb.DuckDBPyConnection, bundle_digest: str | None = None) -> ViewRows:
    """Return one row per two judges and question: who, the fields of `Agreement`, and how many radiographs stand beside it.

    name: of the bundle or of the second reader. beside: radiographs that one of the two found unreadable, or that the cascade did not
    score. hidden: of n, those of which no score had been shown to the reader. Empty without readings.
    bundle_digest: compare readers with this bundle only.
    """
    pairs = connection.sql(
        "select reading_pairs.*, coalesce(bundles.name, second) as name from reading_pairs left join bundles on second = bundle_digest "
        "where kind = 'reader' or $bundle is null or second = $bundle order by kind, first, second, radiograph",
        params={"bundle": bundle_digest},
    )
    grouped: dict[tuple[str, str, str], ViewRows] = {}
    for row in pairs.to_arrow_table().to_pylist():
        grouped.setdefault((row["kind"], row["first"], row["second"]), []).append(row)
    return [_row(rows, question) for rows in grouped.values() for question in QUESTIONS]


def _row(rows: ViewRows, question: str) -> ViewRow:
    judged = [row for row in rows if row["first_finding"] in DEFINITE and row["second_finding"] in DEFINITE]
    category = QUESTIONS[question]
    found = agreement_of([category(row["first_finding"]) for row in judged], [category(row["second_finding"]) for row in judged])
    who = {name: rows[0][name] for name in ("kind", "first", "second", "name")}
    counts = {"beside": len(rows) - len(judged), "hidden": sum(row["scores_hidden"] for row in judged)}
    return who | {"question": question} | vars(found) | counts

"""Which threshold to screen with: every one with its yield, from the views of `analytics/sql/`, and the choice among them.

A choice is by target (at least so much sensitivity, specificity, or both: WHO's screening profile is 0.90 and 0.70) or by capacity
(at most so many RT-PCR tests a day). It is made on the same people that its figures are of, which flatters it: `analytics.optimism` says
by how much. Confirm it on others.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import duckdb
from pydantic import ValidationError

from schemas.bundle import DIGEST_LENGTH, OperatingPoint
from schemas.operating_points import Evidence, OperatingPoints
from screening.analytics.small_cells import Counted, find_hidden
from screening.errors import ResultsError, UsageError

UNITS = ("instance", "study", "patient")
SUBGROUPS = ("sex", "age_band", "site", "view", "vendor")
SHOWN = 20  # thresholds of a table for people

GATE = (
    "Stage 3 judged only what stage 2 called positive, and the audit sample of the rest. Pairs below the bundle's stage-2 point are "
    "estimates from that sample (basis 'audit sample'), or unknown (basis 'not observed'): for those, run with a lower stage-2 point, "
    "or a larger audit fraction."
)
SAME_DATA = "Figures are of the people that the threshold was chosen on: confirm it on others."


@dataclass(frozen=True)
class Question:
    """What the yield of a threshold is computed for."""

    unit: str = "patient"
    by: str | None = None
    prevalence: float | None = None  # share of cases among those screened, in [0, 1]; None takes that of the verified units
    cost_screen: float | None = None  # of one screening, in any currency
    cost_test: float | None = None  # of one RT-PCR test, in the same
    screened_per_day: float | None = None  # units; None takes those a night of the results

    def __post_init__(self) -> None:
        _check(self.unit in UNITS, f"unit {self.unit!r}: there are {', '.join(UNITS)}")
        _check(self.by is None or self.by in SUBGROUPS, f"--by {self.by}: there are {', '.join(SUBGROUPS)}")
        _check(self.prevalence is None or 0 < self.prevalence < 1, "--prevalence is a share in (0, 1), for example 0.01")
        _check((self.cost_screen is None) == (self.cost_test is None), "give both --cost-screen and --cost-test, or neither")
        _check(all(cost is None or cost >= 0 for cost in (self.cost_screen, self.cost_test)), "a cost is not negative")
        _check(self.screened_per_day is None or self.screened_per_day > 0, "--screened-per-day is more than 0")

    @property
    def stated(self) -> bool:
        """Whether a prevalence or costs are asked for, and not only what the data have."""
        return self.prevalence is not None or self.cost_test is not None


@dataclass(frozen=True)
class Target:
    """What the chosen threshold must keep; None asks nothing."""

    sensitivity: float | None = None  # at least, in (0, 1]
    specificity: float | None = None  # at least, in (0, 1]
    capacity: float | None = None  # RT-PCR tests a day, at most

    def __post_init__(self) -> None:
        for name in ("sensitivity", "specificity"):
            value = getattr(self, name)
            _check(value is None or 0 < value <= 1, f"--{name} is a share in (0, 1], for example 0.90")
        _check(self.capacity is None or self.capacity > 0, "--capacity is more than 0 RT-PCR tests a day")

    def __bool__(self) -> bool:
        return any(value is not None for value in asdict(self).values())

    def __str__(self) -> str:
        words = [f"{name}>={value:g}" for name in ("sensitivity", "specificity") if (value := getattr(self, name)) is not None]
        return ", ".join(words + ([f"tests_per_day<={self.capacity:g}"] if self.capacity is not None else []))

    @classmethod
    def read(cls, rule: str) -> "Target | None":
        """Return the target that `str` wrote as this rule; None where the rule says something else."""
        names = {"sensitivity>=": "sensitivity", "specificity>=": "specificity", "tests_per_day<=": "capacity"}
        found = {names.get(match[1]): float(match[2]) for match in re.finditer(r"(\w+[<>]=)([\d.e+-]+)(?:, |$)", rule)}
        target = cls(**found) if found and None not in found else None
        return target if str(target) == rule else None


def ask(connection: duckdb.DuckDBPyConnection, question: Question) -> None:
    """Set the variables that the views thresholds and threshold_pairs answer for."""
    for name, value in asdict(question).items():
        variable = {"unit": "threshold_unit", "by": "threshold_by"}.get(name, name)
        connection.execute(f"set variable {variable} = $value", {"value": value})


def units(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return per bundle how many units there are, with a definite reference standard and without."""
    return _rows(
        connection,
        "select bundle_digest, unit, count(*) as units, count(*) filter (scored and truth = 'positive') as positives, "
        "count(*) filter (scored and truth = 'negative') as negatives, "
        "count(*) filter (scored and truth = 'indeterminate') as indeterminate, "
        "count(*) filter (scored and truth is null) as unverified, count(*) filter (not scored) as not_scored, "
        "count(*) filter (not scored and truth = 'positive') as not_scored_positive "
        "from threshold_units group by all order by all",
    )


def table(connection: duckdb.DuckDBPyConnection, *, pairs: bool = False) -> list[dict[str, Any]]:
    """Return every threshold of stage 3 with its yield, or every pair of the two stages'."""
    return _rows(connection, "from threshold_pairs" if pairs else "from thresholds")


def without_small_subgroups(rows: list[dict[str, Any]], smallest: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rows of subgroups that may be shown, and the names of those that are held back: see `analytics.small_cells`.

    A subgroup is held back with all its thresholds where it has fewer than `smallest` positives, negatives or units, but not none, or where
    one with so few would follow from the totals less its figures.
    """
    tables: dict[str, dict[str, dict[str, int]]] = {}
    for row in rows:
        counts = {"positive": row["tp"] + row["fn"], "negative": row["fp"] + row["tn"], "all": row["screened"]}
        tables.setdefault(row["bundle_digest"], {})[row["subgroup"]] = counts
    hidden = find_hidden((Counted("subgroup", cells) for cells in tables.values()), smallest)
    held = frozenset().union(*hidden.values())
    return [row for row in rows if row["subgroup"] not in held], sorted(held)


def thinned(rows: list[dict[str, Any]], shown: int = SHOWN) -> list[dict[str, Any]]:
    """Return about `shown` rows of each bundle and subgroup, evenly spread, with the first, the last and those as run."""
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["bundle_digest"], row.get("subgroup")), []).append(row)
    kept = []
    for members in groups.values():
        last, places = len(members) - 1, max(1, min(shown, len(members)) - 1)
        wanted = {round(place * last / places) for place in range(places + 1)}
        kept += [row for number, row in enumerate(members) if number in wanted or row["as_run"]]
    return kept


def choose(rows: list[dict[str, Any]], target: Target) -> dict[str, Any] | None:
    """Return the row that keeps the target, of one bundle and subgroup; None where no row does.

    Among those that do: with a sensitivity asked for, the most specific; else the most sensitive. Rows with nothing known are passed over.
    """
    able = [row for row in rows if _keeps(row, target)]
    if not able:
        return None
    first, second = ("specificity", "sensitivity") if target.sensitivity is not None else ("sensitivity", "specificity")
    return max(able, key=lambda row: (row[first] or 0.0, row[second] or 0.0, _threshold(row)))


def one_bundle(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows; raises UsageError where they are of several bundles, ResultsError where there are none."""
    digests = sorted({row["bundle_digest"][:DIGEST_LENGTH] for row in rows})
    _check(len(digests) < 2, f"a threshold is chosen for one bundle: give --bundle, there are {', '.join(digests)}")
    if not rows:
        raise ResultsError("no verified unit has a stage-3 score: there is nothing to put a threshold at")
    return rows


def operating_points(row: Mapping[str, Any], target: Target, data: str, rule: str) -> OperatingPoints:
    """Return a chosen row as a file of operating points. `data`: what it was chosen on. `rule`: the link rule in words.

    Raises UsageError for scores outside [0, 1]: no bundle of this project gives those.
    """
    figures = {"sensitivity": row["sensitivity"], "specificity": row["specificity"], "rule": str(target), "data": data}
    thresholds = {"covid": row.get("threshold", row.get("covid_threshold"))}
    if "pneumonia_threshold" in row:
        thresholds["pneumonia"] = row["pneumonia_threshold"]
    try:
        points = {stage: OperatingPoint(threshold=threshold, **figures) for stage, threshold in thresholds.items()}
    except ValidationError:
        raise UsageError("these scores are not in [0, 1]: operating points are saved for bundles of this project alone") from None
    return OperatingPoints(bundle_digest=row["bundle_digest"], chosen=date.today(), points=points, evidence=_evidence(row, rule))


def _evidence(row: Mapping[str, Any], rule: str) -> Evidence:
    said = {
        "bundle_digest",
        "unit",
        "subgroup",
        "basis",
        "prevalence",
        "threshold",
        "covid_threshold",
        "pneumonia_threshold",
        "tp",
        "fp",
        "fn",
        "tn",
    }
    said |= {f"{name}{limit}" for name in ("sensitivity", "specificity") for limit in ("", "_low", "_high")}
    return Evidence(
        unit=row["unit"],
        sensitivity_k=row["tp"],
        sensitivity_n=row["tp"] + row["fn"],
        sensitivity_interval=_interval(row, "sensitivity"),
        specificity_k=row["tn"],
        specificity_n=row["tn"] + row["fp"],
        specificity_interval=_interval(row, "specificity"),
        basis=row.get("basis", "observed"),
        prevalence=row["prevalence"],
        link_rule=rule,
        others={name: value for name, value in row.items() if name not in said},
    )


def _interval(row: Mapping[str, Any], name: str) -> tuple[float, float] | None:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return None if low is None else (low, high)


def _keeps(row: Mapping[str, Any], target: Target) -> bool:
    wanted = {name: getattr(target, name) for name in ("sensitivity", "specificity")}
    if any(value is not None and (row[name] is None or row[name] < value - 1e-12) for name, value in wanted.items()):
        return False
    if row.get("basis") == "not observed":
        return False
    return target.capacity is None or row["tests_per_day"] <= target.capacity


def _threshold(row: Mapping[str, Any]) -> float:
    return row["threshold"] if "threshold" in row else row["covid_threshold"]


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    try:
        return connection.sql(query).to_arrow_table().to_pylist()
    except duckdb.InvalidInputException as error:  # the view says which argument is missing
        raise UsageError(str(error).removeprefix("Invalid Input Error: ")) from error


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise UsageError(message)

"""Every answer at once, as tables of figures: no row of them is a person, and small subgroups are hidden as in the answers themselves."""

from typing import Any

import duckdb

from schemas.progress import OnProgress, unwatched
from screening.analytics import thresholds
from screening.analytics.accuracy import measure_accuracy
from screening.analytics.lead_time import measure_lead_time
from screening.analytics.linking import describe_links
from screening.analytics.sites import measure_sites
from screening.analytics.small_cells import hold_back
from screening.analytics.time_curves import lead_curve, onset_curve
from screening.analytics.views import ViewRows

WITHOUT_REFERENCE = ("flow", "monitor", "monitor_reasons", "monitor_scores")  # views of which no row is a person
OF_PERSONS = ("longest",)  # parts of answers that name single persons by their pseudonyms
ELSEWHERE = ("sites", "onset_curve")  # parts of answers that stand in another table


def all_tables(
    connection: duckdb.DuckDBPyConnection,
    *,
    has_reference: bool,
    unit: str = "patient",
    min_cell: int = 5,
    on_progress: OnProgress = unwatched,
) -> dict[str, ViewRows]:
    """Return name → rows of every answer: the flow, the nights, and with a reference standard accuracy, lead time and thresholds.

    connection: of `screening.analytics.views.connect` or `connect_cases`. unit: as in `measure_accuracy`. min_cell: small cells are held
    back over all tables together, see `analytics.small_cells`. The table `about` says in words by which rule tests were linked. Tables
    without a row are left out. Raises UsageError for a unit that is none.
    """
    on_progress("asking the views", 0, 0)
    found: dict[str, ViewRows] = {name: connection.sql(f"from {name}").to_arrow_table().to_pylist() for name in WITHOUT_REFERENCE}
    links = describe_links(connection)
    if has_reference:
        found |= _rows_of(measure_accuracy(connection, unit, min_cell=1, on_progress=on_progress), "")
        found |= _rows_of(measure_lead_time(connection, min_cell=1), "lead_time_")
        found |= {"lead_time_curve": lead_curve(connection, min_cell=min_cell), "onset_curve": onset_curve(connection, min_cell=min_cell)}
        thresholds.ask(connection, thresholds.Question(unit))
        found["thresholds"] = thresholds.thinned(thresholds.table(connection))
        found |= _rows_of(measure_sites(connection, unit, min_cell=min_cell), "sites_")
    found = hold_back(found, min_cell)
    about = [{"what": "link rule", "said": links["link_rule"]}, {"what": "unit of analysis", "said": unit}]
    about += [{"what": f"reference table, {name}", "said": str(links["reference"][name])} for name in ("rows", "used")]
    about.append({"what": "subgroups are hidden below", "said": f"{min_cell} verified units"})
    return {"about": about} | {name: rows for name, rows in found.items() if rows}


def _rows_of(answer: dict[str, Any], prefix: str) -> dict[str, ViewRows]:
    """Return the parts of an answer that are rows of figures."""
    return {
        f"{prefix}{name}": rows
        for name, rows in answer.items()
        if isinstance(rows, list) and name not in (*OF_PERSONS, *ELSEWHERE) and all(isinstance(row, dict) for row in rows)
    }

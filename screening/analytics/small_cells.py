"""Small cells are held back, and so is every figure from which one could be computed: three persons of one hospital may be known.

A cell counts the units of one category of a characteristic: all of them, or those positive or negative by the reference standard. It is
small where it counts at least one unit and fewer than `smallest`. The category `unknown` describes nobody and is never small by itself.

A small cell follows from its total where the other cells of its column are shown, and from the count of all units where those of the other
answer are shown. The same cells stand in several tables and for several bundles. So what is held back is decided once for everything that
an answer shows, per characteristic:

* Where a cell is small in any table, its category is held back in all of them. Further categories join, the smallest first, until those
  held back count together at least `smallest` units in every column. Then each of them could be 0, and any could be `smallest` or more.
* The count of all units of a category is held back too, unless the units without an answer of the reference standard leave it as open.
* Where even all categories together are too few, all are held back, those of nobody too.

A characteristic with one category is shown, because it says what the total says. That nobody is in a cell may follow from a total of 0.
Characteristics are taken to be unrelated: a column given by --group whose values are unions of another's values is not looked through.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
Rows = list[Row]
Hidden = dict[tuple[str, str], frozenset[str]]  # (characteristic, kind) → the categories that are held back

KINDS = ("positive", "negative", "all")  # of the units that a cell counts
UNKNOWN = "unknown"
ONSET = "days since onset"
OF_SITES = ("monitor", "monitor_reasons", "monitor_scores")  # tables that count objects of each site


@dataclass(frozen=True)
class Counted:
    """What one table counts of one characteristic: category → kind → number of units; a kind that it does not show is absent."""

    characteristic: str
    cells: Mapping[str, Mapping[str, int]]

    def sum(self, kind: str, categories: Iterable[str]) -> int:
        """Return how many units of a kind these categories have together."""
        return sum(self.cells[name].get(kind, 0) for name in categories if name in self.cells)


@dataclass(frozen=True)
class Form:
    """Where a view has its cells: the columns that tell its tables apart, that of the category, and those of each kind of cell."""

    tables: tuple[str, ...]
    category: str
    counts: Mapping[str, str]  # kind → its column
    figures: Mapping[str, tuple[str, ...]]  # kind → the columns that are held back with it
    characteristic: str | None = None  # its column; None where all rows are of days since onset


SENSITIVITY, SPECIFICITY = (tuple(f"{name}{part}" for part in ("", "_k", "_n", "_low", "_high")) for name in ("sensitivity", "specificity"))
FORMS = {
    "subgroups": Form(
        ("bundle_digest", "question"),
        "subgroup_value",
        {"positive": "sensitivity_n", "negative": "specificity_n", "all": "units"},
        {"positive": (*SENSITIVITY, "verified"), "negative": (*SPECIFICITY, "verified"), "all": ("units",)},
        "subgroup",
    ),
    "lead_time_by_onset": Form(
        ("bundle_digest",), "onset", {"positive": "n"}, {"positive": ("k", "n", "detected", "share", "low", "high")}
    ),
    "report_participants": Form(
        ("bundle_digest",),
        "category",
        {"positive": "positive", "negative": "negative", "all": "persons"},
        {"positive": ("positive",), "negative": ("negative",), "all": ("persons",)},
        "characteristic",
    ),
}


def hold_back(tables: Mapping[str, Rows], smallest: int) -> dict[str, Rows]:
    """Return what one answer shows, name of the view → rows, with null in the place of every figure that is held back.

    Known are the views of FORMS, report_timeline, those of monitoring and the persons with the `longest` lead times; other tables are
    returned as they are. Rows of a view of FORMS get a column `suppressed`, and a category that is held back stands in each of its tables.
    smallest: 1 holds nothing back.
    """
    counted = [table for name, form in FORMS.items() for table in _counted(tables.get(name, []), form).values()]
    hidden = find_hidden(counted, smallest)
    masked = {name: _masked(rows, FORMS[name], hidden) if name in FORMS else rows for name, rows in tables.items()}
    for name in masked.keys() & {"longest", "report_timeline"}:
        masked[name] = _without_onset(masked[name], hidden)
    if any(("site", kind) in hidden for kind in KINDS):
        masked |= {name: [row for row in masked[name] if row["site"] == "all sites"] for name in masked.keys() & set(OF_SITES)}
    return masked


def find_hidden(tables: Iterable[Counted], smallest: int) -> Hidden:
    """Return the categories that are held back, of every characteristic and kind that has some."""
    by_characteristic: dict[str, list[Counted]] = {}
    for table in tables:
        by_characteristic.setdefault(table.characteristic, []).append(table)
    hidden: Hidden = {}
    for characteristic, members in by_characteristic.items():
        if len({category for table in members for category in table.cells}) < 2:
            continue
        of_answer = {kind: _grown(_small(members, kind, smallest), members, kind, smallest) for kind in KINDS[:2]}
        told = _small(members, "all", smallest) | _telling(members, of_answer, smallest)
        found = of_answer | {"all": _grown(told, members, "all", smallest)}
        hidden |= {(characteristic, kind): frozenset(categories) for kind, categories in found.items() if categories}
    return hidden


def _small(tables: list[Counted], kind: str, smallest: int) -> set[str]:
    cells = ((category, counts.get(kind, 0)) for table in tables for category, counts in table.cells.items())
    return {category for category, count in cells if 0 < count < smallest and category != UNKNOWN}


def _grown(held: set[str], tables: list[Counted], kind: str, smallest: int) -> set[str]:
    """Return `held` with the categories that must join, so that no column of this kind gives one of them away."""
    if not held:
        return held
    columns = [table for table in tables if table.sum(kind, table.cells)]
    categories = {category for table in tables for category in table.cells}
    largest = {category: max((table.sum(kind, [category]) for table in columns), default=0) for category in categories}
    others = sorted((category for category in categories - held if largest[category]), key=lambda category: (largest[category], category))
    for joins in [None, *others]:
        held = held if joins is None else held | {joins}
        if len(held) > 1 and all(table.sum(kind, held) >= smallest for table in columns):
            return held
    return categories


def _telling(tables: list[Counted], held: Mapping[str, set[str]], smallest: int) -> set[str]:
    """Return the categories whose count of all units would tell too much of those of an answer that is held back."""
    telling = set()
    touched = held["positive"] | held["negative"]
    for table in (table for table in tables if any("all" in counts for counts in table.cells.values())):
        without_answer = table.sum("all", touched) - sum(table.sum(kind, touched) for kind in held)
        for category in touched & table.cells.keys():
            shown = sum(table.sum(kind, [category]) for kind, categories in held.items() if category not in categories)
            left = table.sum("all", [category]) - shown
            if not smallest <= left <= without_answer:
                telling.add(category)
    return telling


def _counted(rows: Rows, form: Form) -> dict[tuple[Any, ...], Counted]:
    """Return what tells a table from others, with the characteristic last → what it counts."""
    cells: dict[tuple[Any, ...], dict[str, dict[str, int]]] = {}
    for row in rows:
        counts = {kind: row[column] for kind, column in form.counts.items()}
        cells.setdefault(_table_of(row, form), {})[row[form.category]] = counts
    return {table: Counted(table[-1], categories) for table, categories in cells.items()}


def _table_of(row: Row, form: Form) -> tuple[Any, ...]:
    """Return what tells the table of a row, with the characteristic last."""
    return (*(row[column] for column in form.tables), row[form.characteristic] if form.characteristic else ONSET)


def _masked(rows: Rows, form: Form, hidden: Hidden) -> Rows:
    open_units = {table: _open_units(counted, hidden) for table, counted in _counted(rows, form).items()}
    masked = []
    for row in _padded(rows, form, hidden):
        table, category = _table_of(row, form), row[form.category]
        held = {kind for kind in form.figures if category in hidden.get((table[-1], kind), ())}
        held -= {"all"} if category in open_units[table] else set()
        gone = [column for kind in held for column in form.figures[kind]]
        masked.append(row | dict.fromkeys(gone) | {"suppressed": bool(held)})
    return masked


def _open_units(table: Counted, hidden: Hidden) -> frozenset[str]:
    """Return the categories that are held back for all units alone, where a table shows that these are the positives and negatives."""
    of_answer, of_all = ([hidden.get((table.characteristic, kind), frozenset()) for kind in kinds] for kinds in (KINDS[:2], KINDS[2:]))
    left = table.sum("all", *of_all) - sum(table.sum(kind, *of_all) for kind in KINDS[:2])
    return frozenset() if left else of_all[0].difference(*of_answer)


def _padded(rows: Rows, form: Form, hidden: Hidden) -> Rows:
    """Return rows with those of categories that are held back and of whom a table counts nobody: their absence would tell that."""
    by_table: dict[tuple[Any, ...], dict[str, Rows]] = {}
    for row in rows:
        by_table.setdefault(_table_of(row, form), {}).setdefault(row[form.category], []).append(row)
    nobody = dict.fromkeys(column for columns in form.figures.values() for column in columns) | dict.fromkeys(form.counts.values(), 0)
    padded = []
    for table, categories in by_table.items():
        held = set().union(*(hidden.get((table[-1], kind), ()) for kind in form.figures))
        padded += [row for members in categories.values() for row in members]
        for category in sorted(held - categories.keys()):
            padded += [row | nobody | {form.category: category} for row in next(iter(categories.values()))]
    return padded


def _without_onset(rows: Rows, hidden: Hidden) -> Rows:
    """Take the onset of symptoms from persons whose band is held back: counting them would give the band.

    Persons of one day are ordered anew where they are ordered by it, because their order tells the onset too.
    """
    held = hidden.get((ONSET, "positive"), frozenset())
    told = ("onset", "onset_days", "symptom_onset_date", "days_since_onset")
    masked = [row | dict.fromkeys(row.keys() & set(told)) if row["onset"] in held else row for row in rows]
    if held and rows and "place" in rows[0]:
        late = float("inf")
        masked.sort(key=lambda row: (not row["detected"], row["radiograph_days"], late if row["onset_days"] is None else row["onset_days"]))
        masked = [row | {"place": number} for number, row in enumerate(masked, 1)]
    return masked

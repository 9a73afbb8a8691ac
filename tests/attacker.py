"""An attacker on small cells: what follows from the linear relations between everything that is shown."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.optimize import linprog

from screening.analytics.small_cells import FORMS, ONSET

Cell = tuple[str, str, str, str]  # view (with what tells its table), characteristic, category, column
COUNTS = {  # view → its columns of counts
    "subgroups": ("units", "sensitivity_n", "sensitivity_k", "specificity_n", "specificity_k"),
    "report_participants": ("persons", "positive", "negative"),
    "lead_time_by_onset": ("n", "detected", "k"),
}
PARTS = {"subgroups": ("units", ("sensitivity_n", "specificity_n")), "report_participants": ("persons", ("positive", "negative"))}
WITHIN = (("sensitivity_k", "sensitivity_n"), ("specificity_k", "specificity_n"), ("detected", "n"), ("k", "detected"))


class Attacker:
    """Knows what `shown` shows, the total of every column, and that counts are 0 or more; does not know the other cells of `true`.

    Both are view → rows. The relations: the cells of a column add up to its total; positives, negatives and a rest that is not shown add up
    to all units of a category, where the rest of all categories is known from the totals; a part is at most its whole. same: columns, each
    (table, column), that count the same persons.
    """

    def __init__(
        self,
        true: Mapping[str, list[dict[str, Any]]],
        shown: Mapping[str, list[dict[str, Any]]],
        same: Iterable[list[tuple[str, str]]] = (),
    ):
        self.same = list(same)
        self.true, self.shown = dict(_cells(true)), dict(_cells(shown))
        self.unknown = [cell for cell, value in self.shown.items() if value is None]
        self._number = {cell: number for number, cell in enumerate(self.unknown)}

    def small_cells_shown(self, smallest: int) -> list[Cell]:
        """Return the counts of persons from 1 to `smallest` - 1 that are shown, but for those of the unknown and of a single category."""
        whole = {("subgroups", name) for name in ("units", "sensitivity_n", "specificity_n")} | {("lead_time_by_onset", "n")}
        whole |= {("report_participants", name) for name in COUNTS["report_participants"]}
        small = [cell for cell, value in self.shown.items() if value is not None and 0 < value < smallest]
        return [cell for cell in small if (cell[0].split("/")[0], cell[3]) in whole and cell[2] != "unknown"]

    def computed(self) -> list[tuple[Any, ...]]:
        """Return the cells that are not shown, hold somebody, and have one possible value, with that value."""
        found = []
        equal, upper = self._relations()
        for cell in self.unknown:
            if self.true.get(cell, 0) == 0:
                continue
            aim = np.zeros(equal[0].shape[1])
            aim[self._number[cell]] = 1
            ends = [linprog(sign * aim, *upper, *equal, bounds=(0, None), method="highs") for sign in (1, -1)]
            assert all(end.status in (0, 3) for end in ends), [end.message for end in ends]
            low, high = ends[0].fun, -ends[1].fun if ends[1].status == 0 else np.inf
            if high - low < 0.5:
                found.append((*cell, round(low)))
        return found

    def _relations(self) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray | None, np.ndarray | None]]:
        rests = {cell[:3] for cell in self.shown if cell[3] == PARTS.get(cell[0].split("/")[0], ("",))[0]}
        place = self._number | {("rest", *rest): len(self.unknown) + number for number, rest in enumerate(sorted(rests))}
        equal, upper = [], []
        for table in dict.fromkeys((cell[0], cell[1], cell[3]) for cell in self.shown):
            members = [cell for cell in self.shown if (cell[0], cell[1], cell[3]) == table]
            total = sum(self.true.get(cell, 0) for cell in self.true if (cell[0], cell[1], cell[3]) == table)
            equal.append(({place[cell]: 1 for cell in members if cell in place}, total - self._known(members)))
        for rest in sorted(rests):
            whole, parts = PARTS[rest[0].split("/")[0]]
            cells, sign = [(*rest, whole), *((*rest, part) for part in parts)], {whole: 1}
            terms = {place[cell]: sign.get(cell[3], -1) for cell in cells if cell in place} | {place["rest", *rest]: -1}
            known = sum(sign.get(cell[3], -1) * (self.shown[cell] or 0) for cell in cells)
            equal.append((terms, -known))
        for table in {rest[:2] for rest in rests}:
            whole, parts = PARTS[table[0].split("/")[0]]
            of_table = [cell for cell in self.true if cell[:2] == table]
            total = sum(self.true[cell] * (1 if cell[3] == whole else -1) for cell in of_table if cell[3] in (whole, *parts))
            equal.append(({place["rest", *rest]: 1 for rest in rests if rest[:2] == table}, total))
        for columns in self.same:
            for category in {cell[1:3] for cell in self.shown}:
                cells = [cell for table, column in columns if (cell := (table, *category, column)) in self.shown]
                for one, other in pairwise(cells):
                    terms = ({place[one]: 1} if one in place else {}) | ({place[other]: -1} if other in place else {})
                    equal.append((terms, (self.shown[other] or 0) - (self.shown[one] or 0)))
        for part, whole in WITHIN:
            for cell in self.shown:
                if cell[3] == part and (cell in place or (*cell[:3], whole) in place) and (*cell[:3], whole) in self.shown:
                    other = (*cell[:3], whole)
                    terms = ({place[cell]: 1} if cell in place else {}) | ({place[other]: -1} if other in place else {})
                    upper.append((terms, (self.shown[other] or 0) - (self.shown[cell] or 0)))
        return _matrix(equal, len(place)), _matrix(upper, len(place)) if upper else (None, None)

    def _known(self, cells: list[Cell]) -> int:
        return sum(self.shown[cell] or 0 for cell in cells)


def _cells(tables: Mapping[str, list[dict[str, Any]]]) -> Iterator[tuple[Cell, int | None]]:
    for view, columns in COUNTS.items():
        form = FORMS[view]
        for row in tables.get(view, ()):
            characteristic = row[form.characteristic] if form.characteristic else ONSET
            table = "/".join([view, *(str(row[name]) for name in (*form.tables, "days") if name in row)])
            for column in columns:
                yield (table, characteristic, row[form.category], column), row[column]


def _matrix(rows: list[tuple[dict[int, int], float]], width: int) -> tuple[np.ndarray, np.ndarray]:
    left = np.zeros((len(rows), width))
    for number, (terms, _) in enumerate(rows):
        for column, factor in terms.items():
            left[number, column] = factor
    return left, np.array([right for _, right in rows], float)

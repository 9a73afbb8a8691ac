"""Small cells are not shown: three persons of one hospital may be known to whoever reads of them."""

from screening.page.wording import count
from screening.report.facts import ViewRow, ViewRows

COUNTS = ("persons", "positive", "negative")
UNKNOWN = "unknown"  # a category that describes nobody


def suppress(rows: ViewRows, smallest: int) -> ViewRows:
    """Return rows of the view `report_participants` with `hidden`, the names of COUNTS that must not be shown.

    Counts from 1 to `smallest` - 1 are hidden, those of the unknown alone are not. Where only one count of a characteristic is hidden, the
    next larger one is hidden too, for the first would follow from the total.
    """
    hidden: dict[int, set[str]] = {number: set() for number in range(len(rows))}
    for characteristic in dict.fromkeys(row["characteristic"] for row in rows):
        numbers = [number for number, row in enumerate(rows) if row["characteristic"] == characteristic]
        for name in COUNTS:
            small = [number for number in numbers if 0 < rows[number][name] < smallest and rows[number]["category"] != UNKNOWN]
            others = sorted((number for number in numbers if rows[number][name] and number not in small), key=lambda n: rows[n][name])
            for number in small + (others[:1] if len(small) == 1 else []):
                hidden[number].add(name)
    return [row | {"hidden": hidden[number]} for number, row in enumerate(rows)]


def shown_count(row: ViewRow, name: str, smallest: int) -> str:
    """Return one of COUNTS in words, or that it is hidden."""
    if name in row["hidden"]:
        return f"< {smallest}" if 0 < row[name] < smallest else "hidden"
    return count(row[name])

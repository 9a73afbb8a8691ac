"""Numbers in words: the same for text, tables and charts. Nothing known is a dash, never a zero."""

from datetime import date

NOTHING = "–"
HIDDEN = "hidden"  # a small cell that is held back, or what would give it away


def count(number: int | None) -> str:
    """Return a whole number with thousands set apart."""
    return NOTHING if number is None else f"{number:,}"


def shown_count(number: int | None) -> str:
    """Return a whole number as `count` does; of cells of which a missing one is held back."""
    return HIDDEN if number is None else count(number)


def share(value: float | None) -> str:
    """Return a share in [0, 1] as a percentage."""
    return NOTHING if value is None else f"{100 * value:.1f}%"


def score(value: float | None) -> str:
    """Return a score in [0, 1] with three decimals."""
    return NOTHING if value is None else f"{value:.3f}"


def day(value: date | None) -> str:
    """Return a date as ISO 8601."""
    return NOTHING if value is None else value.isoformat()


def interval(low: float | None, high: float | None) -> str:
    """Return a 95 % interval of a share."""
    return NOTHING if low is None or high is None else f"{100 * low:.1f} to {100 * high:.1f}%"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"

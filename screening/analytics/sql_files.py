"""The SQL files: one view each, or macros, found by name whatever folder they lie in."""

import functools
from pathlib import Path


@functools.cache
def sql_files(package: str) -> dict[str, Path]:
    """Return name → file of every `.sql` file below the folder `sql/` of a package of this one, e.g. of "analytics"."""
    return {file.stem: file for file in sorted(Path(__file__).parents[1].joinpath(package, "sql").rglob("*.sql"))}


def read_sql(package: str, name: str) -> str:
    """Return the text of one file. Raises KeyError where there is none of this name."""
    return sql_files(package)[name].read_text(encoding="utf-8")

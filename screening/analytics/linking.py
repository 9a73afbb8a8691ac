"""Which RT-PCR test counts for which radiograph, and what several of them say together: arguments of every answer, printed with it."""

from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from screening.errors import UsageError

REPEATED = ("positive", "nearest", "agree")
INDETERMINATE = ("apart", "positive", "negative")


@dataclass(frozen=True)
class LinkRule:
    """Which RT-PCR test counts for which radiograph of the same person; the view `link_rule` says it in words."""

    window_before_days: int = 14  # the specimen was taken at most that many days before the radiograph
    window_after_days: int = 21  # and at most that many after it
    link_undated: bool = False  # a test counts too where its date or the radiograph's is unknown
    repeated: str = "positive"  # of several tests: a positive one decides, the nearest one does, or all must agree
    indeterminate: str = "apart"  # an indeterminate result is neither, or is taken for positive, or for negative
    episode_days: int = 90  # positive tests of a person at most that many days after the first of them belong to one episode

    def __post_init__(self) -> None:
        if self.window_before_days < 0 or self.window_after_days < 0:
            raise UsageError(f"a window of {self.window_before_days} days before and {self.window_after_days} after: give 0 or more")
        if self.episode_days < 0:
            raise UsageError(f"--episode-days {self.episode_days}: give 0 or more")
        if self.repeated not in REPEATED:
            raise UsageError(f"--repeated {self.repeated}: it is {', '.join(REPEATED)}")
        if self.indeterminate not in INDETERMINATE:
            raise UsageError(f"--indeterminate {self.indeterminate}: it is {', '.join(INDETERMINATE)}")

    def variables(self) -> dict[str, object]:
        """Return the DuckDB variables that the views read."""
        fields = asdict(self)
        return {(name if name.startswith(("window", "link", "episode")) else f"link_{name}"): value for name, value in fields.items()}


def describe_links(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return link_rule in words, and reference: rows, used, and cleaning, how many cells or rows of it were cleaned, by column and reason.

    All 0 and empty where no reference table was given, or where cases have labels of their own.
    """
    ((rule,),) = connection.sql("select rule from link_rule").fetchall()
    ((rows, used),) = connection.sql("select count(*), count(*) filter (left_out is null) from reference_read").fetchall()
    cleaning = connection.sql("from reference_reasons").to_arrow_table().to_pylist()
    return {"link_rule": rule, "reference": {"rows": rows, "used": used, "cleaning": cleaning}}

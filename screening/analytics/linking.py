"""Which RT-PCR test counts for which radiograph, and what several of them say together: arguments of every answer, printed with it."""

from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from screening.errors import ReferenceTableError, UsageError

REPEATED = ("positive", "nearest", "agree")
INDETERMINATE = ("apart", "positive", "negative")
FEW_MATCHED = 0.5  # of the persons of a reference table; where fewer have a radiograph, answers warn


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
    """Return link_rule in words, reference: rows, used, and cleaning, how many cells or rows of it were cleaned, by column and reason.

    And match: see `checked_match`.

    All 0 and empty where no reference table was given, or where cases have labels of their own.
    """
    ((rule,),) = connection.sql("select rule from link_rule").fetchall()
    ((rows, used),) = connection.sql("select count(*), count(*) filter (left_out is null) from reference_read").fetchall()
    cleaning = connection.sql("from reference_reasons").to_arrow_table().to_pylist()
    return {"link_rule": rule, "reference": {"rows": rows, "used": used, "cleaning": cleaning}, "match": checked_match(connection)}


def match_rate(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return the columns of the view match_rate, and `warning`, what to check where few persons of the reference table have a radiograph.

    Few are less than FEW_MATCHED of them; without persons on either side there is nothing to warn of.
    """
    (match,) = connection.sql("from match_rate").to_arrow_table().to_pylist()
    warning = None
    if match["reference_persons"] and match["radiograph_persons"] and match["share"] < FEW_MATCHED:
        nobody = (
            f"none of the {match['reference_persons']:,} persons of the reference table has a radiograph in these results, which are of "
            f"{match['radiograph_persons']:,} others: was it made with another pseudonym key? Make it with the key of the runs, "
            "`screening pseudonymize TABLE --key FILE`, from the PatientID that the radiographs have"
        )
        few = (
            f"fewer than {FEW_MATCHED:.0%} of the persons of the reference table have a radiograph: check that its numbers are those of "
            "the radiographs, that it is of the same people, and that every night was screened"
        )
        warning = few if match["with_radiograph"] else nobody
    return match | {"warning": warning}


def checked_match(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return `match_rate`. Raises ReferenceTableError where there are persons on both sides and nobody in common."""
    match = match_rate(connection)
    if match["warning"] and not match["with_radiograph"]:
        raise ReferenceTableError(match["warning"])
    return match

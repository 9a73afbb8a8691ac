"""Cases: results made elsewhere, one person a row of a CSV or Parquet file, put through the same views as a results folder.

The columns are found by their names (`analytics.columns`) or by a mapping. All cells are taken as text, so that an identifier keeps its
zeros; `analytics/sql/case_rows.sql` reads them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import polars as pl
import pyarrow as pa

from screening.analytics.columns import find_columns
from screening.analytics.foreign_tables import TextFormat, as_texts, read_foreign
from screening.errors import UsageError

# what a file of cases may have, of the columns of `analytics.columns`
CASE_COLUMNS = (
    *("case_id", "label", "covid_positive", "covid_score", "pneumonia_positive", "pneumonia_score"),
    *("radiograph_date", "symptom_onset_date", "specimen_date", "result_date"),
    *("reading", "PatientSex", "age_years", "ViewPosition", "InstitutionName", "Manufacturer"),
)


@dataclass(frozen=True)
class Cases:
    """One file of cases: its rows under our names and under its own."""

    name: str  # of the file, without its ending
    digest: str  # stands where a bundle's digest would: 64 hex digits over the name and the bytes
    texts: (
        pa.Table
    )  # bundle_digest, object_id, object_url, case_row and every name of CASE_COLUMNS, as text; null where the file has no such column
    given: pa.Table  # every column of the file under its own name, and bundle_digest and object_id
    mapping: Mapping[str, str]  # ours → the file's own column

    def in_its_words(self, said: str) -> str:
        """Return what is said of a column, which begins with our name of it, with the file's own name instead."""
        ours, space, rest = said.partition(" ")
        return f"{self.mapping.get(ours, ours)}{space}{rest}"


def load_cases(url: str, columns: Mapping[str, str] | None = None, form: TextFormat | None = None) -> Cases:
    """Return a file of cases. `columns`: ours → the file's own name, for what the synonyms do not find. `form`: how its text is written.

    Raises UsageError where the file does not exist or a column is missing or doubtful, ReferenceTableError for what is no table.
    """
    try:
        table, data = read_foreign(url, form)
    except FileNotFoundError:
        raise UsageError(f"{url} does not exist") from None
    given = pl.DataFrame(pl.from_arrow(as_texts(table)))
    mapping = map_columns(given.columns, columns or {}, url)
    name = PurePosixPath(url).name.removesuffix(".csv").removesuffix(".parquet")
    digest = hashlib.sha256(name.encode() + b"\0" + data).hexdigest()
    row = pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
    keys = [hashlib.sha256(f"{digest}{number}".encode()).hexdigest()[:32] for number in range(1, len(given) + 1)]
    texts = given.select(
        pl.lit(digest).alias("bundle_digest"),
        pl.Series("object_id", keys, pl.String),
        (pl.lit(f"{url}#") + row.cast(pl.String)).alias("object_url"),
        row.alias("case_row"),
        *((pl.col(mapping[ours]) if ours in mapping else pl.lit(None, pl.String)).alias(ours) for ours in CASE_COLUMNS),
    )
    named = given.with_columns(texts["bundle_digest"], texts["object_id"])
    return Cases(name, digest, texts.to_arrow(), named.to_arrow(), mapping)


def map_columns(header: Sequence[str], columns: Mapping[str, str], name: str) -> dict[str, str]:
    """Return ours → the file's own column, by the mapping first and then by the synonyms. Raises UsageError where that is not clear."""
    mapping = find_columns(header, columns, name, CASE_COLUMNS)
    if not {"covid_positive", "covid_score"} & mapping.keys():
        raise UsageError(f"{name} has neither a call nor a score. Name one: --column covid_positive=COLUMN or --column covid_score=COLUMN")
    return mapping

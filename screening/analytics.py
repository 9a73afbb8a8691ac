"""Results as SQL: DuckDB views over the Parquet files of a results folder and the agency's reference table.

Each view is a file in `screening/sql/`, whose header states its grain. Needs neither torch nor Ray.
"""

import os
import re
import shutil
import tempfile
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import duckdb
import pyarrow as pa

from schemas.columns import description_of, unit_of
from schemas.heatmap import HEATMAP_SCHEMA
from schemas.instance import INSTANCE_SCHEMA
from schemas.reference import REFERENCE_SCHEMA
from screening.database import open_duckdb
from screening.errors import UsageError
from screening.layout import DIGEST_LENGTH
from screening.reference import check_reference, load_reference
from screening.storage import join, list_files, read_bytes

# in the order in which they build upon each other
VIEWS = ("instance_rows", "duplicates", "instances", "heatmaps", "link_rule", "links", "reference_verdicts", "verdicts", "flow")
REFERENCE_VIEWS = ("accuracy", "lead_time", "lead_time_summary")

COPY_THREADS = 16

_SCHEMAS = {"instance_rows": INSTANCE_SCHEMA, "instances": INSTANCE_SCHEMA, "heatmaps": HEATMAP_SCHEMA, "reference": REFERENCE_SCHEMA}


@dataclass(frozen=True)
class LinkRule:
    """Which RT-PCR test counts for which radiograph of the same person; the view `link_rule` says it in words."""

    window_before_days: int = 14  # the specimen was taken at most that many days before the radiograph
    window_after_days: int = 21  # and at most that many after it
    link_undated: bool = True  # a test counts too where its date or the radiograph's is unknown

    def __post_init__(self) -> None:
        if self.window_before_days < 0 or self.window_after_days < 0:
            raise UsageError(f"a window of {self.window_before_days} days before and {self.window_after_days} after: give 0 or more")


@dataclass(frozen=True)
class ColumnInfo:
    """One column of a view, for people."""

    name: str
    type: str
    description: str
    unit: str


def connect(
    results_url: str, reference: str | pa.Table | None = None, *, bundle: str | None = None, rule: LinkRule | None = None
) -> duckdb.DuckDBPyConnection:
    """Return an in-memory DuckDB connection with the views of `screening/sql/` over a results folder.

    reference: URL of a Parquet or CSV file, or a table (REFERENCE_SCHEMA); without one `accuracy` and `lead_time` say how to get it.
    bundle: digest, or its first digits; only its rows are seen. Where nothing was written yet the views have no rows.
    Raises UsageError for an unknown bundle, ReferenceTableError for a reference table that cannot be used.
    """
    connection = open_duckdb()
    _set_variables(connection, rule or LinkRule(), has_reference=reference is not None)
    connection.register("reference", _reference_table(reference))
    for macros in ("wilson", "needs_reference"):
        connection.execute(_sql(macros))
    parts = _parts(results_url, bundle)
    if parts:
        connection.execute("set variable instance_files = $parts", {"parts": _local_paths(parts, connection)})
    else:
        connection.register("instance_rows", INSTANCE_SCHEMA.empty_table())
    for view in (*(VIEWS if parts else VIEWS[1:]), *REFERENCE_VIEWS):
        connection.execute(_sql(view))
    return connection


def list_views() -> dict[str, str]:
    """Return the name of each view and its grain."""
    return {name: _grain(name) for name in (*VIEWS, *REFERENCE_VIEWS)} | {"reference": "one row per RT-PCR test, as the agency gave it"}


def describe(connection: duckdb.DuckDBPyConnection, view: str) -> list[ColumnInfo]:
    """Return the columns of a view with what they mean. Raises UsageError where there is no such view."""
    if view not in list_views():
        raise UsageError(f"no view {view}: there are {', '.join(sorted(list_views()))}")
    found = {field.name: (description_of(field), unit_of(field)) for field in _SCHEMAS.get(view, ())}
    if view != "reference":
        found |= {name: (text, "") for name, text in _column_comments(view).items()}
    columns = connection.execute(
        "select column_name, data_type from duckdb_columns() where table_name = $view order by column_index", {"view": view}
    ).fetchall()
    return [ColumnInfo(name, type.lower(), *found.get(name, ("", ""))) for name, type in columns]


def _set_variables(connection: duckdb.DuckDBPyConnection, rule: LinkRule, has_reference: bool) -> None:
    connection.execute("set variable window_before_days = $days", {"days": rule.window_before_days})
    connection.execute("set variable window_after_days = $days", {"days": rule.window_after_days})
    connection.execute("set variable link_undated = $yes", {"yes": rule.link_undated})
    connection.execute("set variable has_reference = $yes", {"yes": has_reference})


def _reference_table(reference: str | pa.Table | None) -> pa.Table:
    if reference is None:
        return REFERENCE_SCHEMA.empty_table()
    return load_reference(reference) if isinstance(reference, str) else check_reference(reference)


def _parts(results_url: str, bundle: str | None) -> list[str]:
    """Return the URLs of the committed parts, of one bundle where given."""
    parts = list_files(join(results_url, "instances"), ".parquet")
    if bundle is None:
        return parts
    of_bundle = [part for part in parts if f"/bundle={bundle[:DIGEST_LENGTH]}" in part]
    if not of_bundle:
        known = sorted({match[1] for part in parts if (match := re.search(r"/bundle=([0-9a-f]+)/", part))})
        raise UsageError(f"{results_url} has no rows of bundle {bundle}: there are {', '.join(known) or 'none'}")
    return of_bundle


def _local_paths(parts: list[str], connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return local paths of the parts; those of other stores are copied to temporary disk, for as long as the connection lives.

    DuckDB through fsspec asks a store some twelve times for each part and scan; here each part is one request, once.
    """
    if all(part.startswith("file://") for part in parts):
        return [part.removeprefix("file://") for part in parts]
    folder = tempfile.mkdtemp(prefix="screening-sql-")
    weakref.finalize(connection, shutil.rmtree, folder, ignore_errors=True)
    paths = [os.path.join(folder, f"{number}.parquet") for number in range(len(parts))]
    with ThreadPoolExecutor(COPY_THREADS) as pool:
        list(pool.map(_copy, parts, paths))
    return paths


def _copy(url: str, path: str) -> None:
    Path(path).write_bytes(read_bytes(url))


def _sql(name: str) -> str:
    return resources.files("screening.sql").joinpath(f"{name}.sql").read_text(encoding="utf-8")


def _grain(view: str) -> str:
    match = re.search(r"^-- grain: (.*)$", _sql(view), re.MULTILINE)
    assert match is not None, f"{view}.sql states no grain"
    return match[1]


def _column_comments(view: str) -> dict[str, str]:
    """Return the descriptions that the header of a view's file gives, lines of `--   name  description`."""
    return dict(re.findall(r"^--   (\w+)  +(.*)$", _sql(view), re.MULTILINE))

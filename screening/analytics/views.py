"""Results as SQL: DuckDB views over the Parquet files of a results folder and the agency's reference table.

Each view is a file in `analytics/sql/`, whose header states its grain. Needs neither torch nor Ray.
"""

import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from schemas.bundle import DIGEST_LENGTH
from schemas.instance import INSTANCE_SCHEMA
from schemas.progress import OnProgress, counter, unwatched
from schemas.reading import READING_SCHEMA
from screening.analytics.cases import Cases
from screening.analytics.catalogue import ColumnInfo, columns_of, comment, grain_of
from screening.analytics.foreign_tables import TextFormat
from screening.analytics.linking import LinkRule
from screening.analytics.readings import load_readings
from screening.analytics.reference import as_given, load_reference
from screening.analytics.sql_files import read_sql
from screening.analytics.template import (
    BUNDLE_NAMES,
    BUNDLE_ROWS,
    GROUP_VALUES,
    MACROS,
    READINGS,
    REFERENCE,
    REFERENCE_VIEWS,
    VIEWS,
    create,
    empty_part,
    open_views,
)
from screening.errors import ReferenceTableError, UsageError
from screening.results.check import check_parts
from screening.results.database import Resources, open_duckdb
from screening.results.layout import ResultsLayout
from screening.storage import join, list_files, read_bytes

CASE_VIEWS = ("case_rows", "case_instances", "case_tests")  # of files of cases, in the place of a results folder and a reference table
MADE_ANEW = ("reference_read", "instance_rows", "bundles", "duplicates", "tested_radiographs")  # by `connect`, so without their comments
ViewRow = dict[str, Any]  # column → value, of one row of a view
ViewRows = list[ViewRow]

COPY_THREADS = 16


def connect(
    results_url: str,
    reference: str | pa.Table | None = None,
    *,
    bundle: str | Sequence[str] | None = None,
    rule: LinkRule | None = None,
    groups: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
    form: TextFormat | None = None,
    comments: bool = False,
    resources: Resources | None = None,
    on_progress: OnProgress = unwatched,
) -> duckdb.DuckDBPyConnection:
    """Return an in-memory DuckDB connection with the views of `analytics/sql/` over a results folder.

    reference: URL of a Parquet or CSV file, or a table, with the columns of REFERENCE_SCHEMA, cleaned by `reference_read.sql`; without one
    `accuracy` and `lead_time` say how to get it. The URL of a folder of readings makes these the reference standard, each for its day only.
    bundle: digest, or its first digits, or several of them; only their rows are seen. Where nothing was written yet the views have no rows.
    groups: columns of instance rows to make subgroups by, beside those that are always there (the view subgroups).
    columns, form: what the reference table calls our columns (ours → theirs), and how its text is written, where it is a file.
    comments: whether the columns of the views bear what they mean as comments, which takes a second; the views themselves always do.
    resources: threads, memory and where to put what does not fit.
    Raises UsageError for an unknown bundle or column, ReferenceTableError for a reference table that cannot be used, ResultsError for
    a part that is damaged or copied: see `screening.results.check`.
    """
    on_progress("opening the results", 0, 0)
    readings = load_readings(reference) if isinstance(reference, str) else None
    rule = (rule or LinkRule()) if readings is None else replace(rule or LinkRule(), window_before_days=0, window_after_days=0)
    connection = _open(rule, has_reference=reference is not None, readings=readings, resources=resources)
    if reference is not None:
        given = reference if readings is None else connection.table("reading_tests").to_arrow_table()
        _read_reference(connection, given, columns, form)
    connection.register("bundle_names", pa.table({"bundle_digest": [], "name": []}, BUNDLE_NAMES))
    parts = _parts(results_url, [bundle] if isinstance(bundle, str) else bundle)
    rows: dict[str, int] = {}
    if parts:
        paths = _local_paths(parts, connection, on_progress)
        on_progress("checking the results", 0, 0)
        connection.execute("set parquet_metadata_cache = true")  # each query needs the ends of all parts, to know their columns
        rows = check_parts(connection, dict(zip(paths, parts, strict=True)), ResultsLayout(results_url))
        connection.execute("set variable instance_files = $parts", {"parts": [empty_part(), *paths]})
        connection.execute(f"drop table instance_rows; {read_sql('analytics', 'instance_rows')}")
    connection.register("bundle_rows", pa.table([list(rows), list(rows.values())], schema=BUNDLE_ROWS))
    on_progress("preparing the views", 0, 0)
    # `bundles` has few rows, but DuckDB cannot see that through a view and would hash the larger side of the join; so it is a table
    keep(connection, "bundles")
    if reference is not None:
        keep(connection, "duplicates", "tested_radiographs")
    _group_by(connection, groups, ("instances",))
    comment(connection, list_views() if comments else MADE_ANEW, columns=comments)
    return connection


def connect_cases(
    cases: Sequence[Cases],
    reference: str | pa.Table | None = None,
    *,
    threshold: float | None = None,
    rule: LinkRule | None = None,
    groups: Sequence[str] = (),
    form: TextFormat | None = None,
) -> duckdb.DuckDBPyConnection:
    """Return a connection with the same views over files of cases: each file stands where a bundle does.

    reference: as in `connect`; then the files' own labels must be absent. threshold: in the unit of the scores, for rows without a call.
    groups: columns of the files, or of instance rows, to make subgroups by. form: how the text of the reference table is written.
    Labels belong to their file; files without a label column take those of the one file that has it, by person.
    Raises UsageError where two files are the same, both kinds of reference are given or nothing tells whose labels count for a file,
    ReferenceTableError for cells that mean nothing.
    """
    labelled = sum("label" in file.mapping for file in cases)
    if labelled and reference is not None:
        raise UsageError("the cases have labels of their own: leave out the reference table, or the label column")
    if 1 < labelled < len(cases):
        raise UsageError("several files of cases have labels and one has none: give it a label column, for theirs may differ")
    if len({file.digest for file in cases}) < len(cases):
        raise UsageError("one file of cases was given twice")
    connection = _open(rule or LinkRule(), has_reference=labelled > 0 or reference is not None, has_labels=labelled > 0)
    connection.register("case_texts", pa.concat_tables([file.texts for file in cases], promote_options="permissive"))
    connection.register("bundle_names", pa.table([[file.digest for file in cases], [file.name for file in cases]], schema=BUNDLE_NAMES))
    connection.register("no_instances", INSTANCE_SCHEMA.empty_table())
    connection.execute("set variable call_threshold = $threshold", {"threshold": threshold})
    create(connection, CASE_VIEWS)
    _check_cells(connection, cases)
    connection.execute("insert into instance_rows from case_instances")
    connection.execute("create table bundle_rows as select bundle_digest, count(*) as objects from instance_rows group by bundle_digest")
    if labelled:
        connection.execute("create or replace view reference as from case_tests")
    elif reference is not None:
        _read_reference(connection, reference, None, form)
    connection.register("case_columns", pa.concat_tables([file.given for file in cases], promote_options="permissive"))
    _group_by(connection, groups, ("case_columns", "instances"))
    return connection


def read_reference(reference: pa.Table) -> pa.Table:
    """Return the view reference_read of a reference table: its cells as given and as read, row by row in its order."""
    with open_duckdb() as connection:
        create(connection, MACROS)
        connection.register("reference_given", as_given(reference))
        create(connection, REFERENCE[:1])
        return connection.table("reference_read").order("row_number").to_arrow_table()


def list_views() -> dict[str, str]:
    """Return the name of each view and its grain."""
    return {name: grain_of(name) for name in (*READINGS, *REFERENCE, *VIEWS, *REFERENCE_VIEWS)}


def describe(connection: duckdb.DuckDBPyConnection, view: str) -> list[ColumnInfo]:
    """Return the columns of a view with what they mean. Raises UsageError where there is no such view."""
    if view not in list_views():
        raise UsageError(f"no view {view}: there are {', '.join(sorted(list_views()))}")
    return columns_of(connection, view)


def _open(
    rule: LinkRule,
    *,
    has_reference: bool,
    has_labels: bool = False,
    readings: pa.Table | None = None,
    resources: Resources | None = None,
) -> duckdb.DuckDBPyConnection:
    """Return a connection with the views, and the variables and the readings that every view needs."""
    connection = open_views(resources)
    given = {"has_reference": has_reference, "has_readings": readings is not None, "has_labels": has_labels}
    for name, value in {**rule.variables(), **given}.items():
        connection.execute(f"set variable {name} = $value", {"value": value})
    connection.register("readings", READING_SCHEMA.empty_table() if readings is None else readings)
    return connection


def keep(connection: duckdb.DuckDBPyConnection, *views: str) -> None:
    """Work out views once, as tables of their names: for those that many answers rest on, and that are small beside what they come from."""
    for view in views:
        connection.execute(f"create table kept as from {view}; drop view {view}; alter table kept rename to {view}")


def _group_by(connection: duckdb.DuckDBPyConnection, columns: Sequence[str], tables: Sequence[str]) -> None:
    """Create the view group_values: one row per instance row and column asked for. Raises UsageError where no table has a column."""
    values = connection.from_arrow(GROUP_VALUES.empty_table())
    for column in columns:
        table = next((name for name in tables if column in connection.table(name).columns), None)
        if table is None:
            known = ", ".join(dict.fromkeys(chain.from_iterable(connection.table(name).columns for name in tables)))
            raise UsageError(f"--group {column}: there is no such column, but {known}")
        value = duckdb.ColumnExpression(column).cast(duckdb.sqltypes.VARCHAR)
        values = values.union(
            connection.table(table).select(
                "bundle_digest", "object_id", duckdb.ConstantExpression(column).alias("subgroup"), value.alias("subgroup_value")
            )
        )
    values.create_view("group_values")


def _check_cells(connection: duckdb.DuckDBPyConnection, cases: Sequence[Cases]) -> None:
    """Raise ReferenceTableError naming the columns with cells that mean nothing, or that cannot be true, and the first row of each."""
    for file in cases:
        for column, remedy in (
            ("unread", "mean nothing here: {}. Write dates as YYYY-MM-DD, calls as 1 and 0"),
            ("impossible", "cannot be true: {}. Mend or empty them"),
        ):
            wrong = connection.execute(
                f"select unnest({column}) as said, count(*), min(case_row) from case_rows where bundle_digest = $digest "
                "group by said order by said",
                {"digest": file.digest},
            ).fetchall()
            if wrong:
                cells = "; ".join(f"{file.in_its_words(said)} in {count} rows, first in row {row}" for said, count, row in wrong)
                raise ReferenceTableError(f"{file.name}: cells that {remedy.format(cells)}")


def _read_reference(
    connection: duckdb.DuckDBPyConnection, reference: str | pa.Table, columns: Mapping[str, str] | None, form: TextFormat | None
) -> None:
    """Read the reference table. Raises ReferenceTableError where it has rows of which none can be used."""
    given = load_reference(reference, columns, form) if isinstance(reference, str) else as_given(reference)
    connection.register("reference_given", given)
    connection.execute("drop table reference_read")
    create(connection, REFERENCE[:1])
    connection.unregister("reference_given")
    if len(given) and not connection.sql("select 1 from reference limit 1").fetchall():
        ((why,),) = connection.sql("select mode(left_out || coalesce(', ' || result_reason, '')) from reference_read").fetchall()
        raise ReferenceTableError(
            f"{reference if isinstance(reference, str) else 'the reference table'}: none of its {len(given)} rows can be used, mostly for "
            f"{why}. Every test needs patient_pseudonym, and result as positive, negative or indeterminate"
        )


def _parts(results_url: str, bundles: Sequence[str] | None) -> list[str]:
    """Return the URLs of the committed parts, of some bundles where given."""
    parts = list_files(join(results_url, "instances"), ".parquet")
    if not bundles:
        return parts
    chosen: dict[str, None] = {}
    for bundle in bundles:
        of_bundle = [part for part in parts if f"/bundle={bundle[:DIGEST_LENGTH]}" in part]
        if not of_bundle:
            known = sorted({match[1] for part in parts if (match := re.search(r"/bundle=([0-9a-f]+)/", part))})
            raise UsageError(f"{results_url} has no rows of bundle {bundle}: there are {', '.join(known) or 'none'}")
        chosen |= dict.fromkeys(of_bundle)
    return list(chosen)


def _local_paths(parts: list[str], connection: duckdb.DuckDBPyConnection, on_progress: OnProgress) -> list[str]:
    """Return local paths of the parts; those of other stores are copied to temporary disk, for as long as the connection lives.

    DuckDB through fsspec asks a store some twelve times for each part and scan; here each part is one request, once.
    """
    if all(part.startswith("file://") for part in parts):
        return [part.removeprefix("file://") for part in parts]
    folder = tempfile.mkdtemp(prefix="screening-sql-")
    weakref.finalize(connection, shutil.rmtree, folder, ignore_errors=True)
    paths = [os.path.join(folder, f"{number}.parquet") for number in range(len(parts))]
    count = counter(on_progress, "copying results", len(parts))
    with ThreadPoolExecutor(COPY_THREADS) as pool:
        for _ in pool.map(_copy, parts, paths):
            count(1)
    return paths


def _copy(url: str, path: str) -> None:
    Path(path).write_bytes(read_bytes(url))

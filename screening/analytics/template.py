"""The views without rows, made once a process and copied into each connection.

DuckDB binds a view when it is created, with every view below it: a second for all of them. A copy of them is not bound until it is asked,
which takes a twentieth of that. So a server that opens results again, and a notebook, do not wait for it each time.
"""

import atexit
import os
import shutil
import tempfile
import threading
from collections.abc import Iterable
from itertools import chain

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.instance import INSTANCE_SCHEMA
from schemas.reading import READING_SCHEMA
from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.catalogue import comment
from screening.analytics.linking import LinkRule
from screening.analytics.reference import as_given
from screening.analytics.sql_files import read_sql
from screening.results.database import Resources, open_duckdb

# in the order in which they build upon each other
MACROS = (
    *("wilson", "likelihood_ratio", "mcnemar", "age_band", "onset_band", "unit_of", "needs_reference", "dates", "words"),
    "at_prevalence",
    "logit",
)
READINGS = ("latest_readings", "reading_tests")  # those of radiologists, where they are the reference standard
REFERENCE = ("reference_read", "reference")  # the agency's table and what is used of it
VIEWS = (
    *("instance_rows", "bundles", "duplicates", "instances", "heatmaps", "worklist", "reading_pairs"),
    *("tested_radiographs", "match_rate", "reference_cleaning", "reference_reasons"),
    *("link_rule", "tests", "links", "episodes", "reference_verdicts", "verdicts", "flow"),
    *("threshold_units", "monitor", "monitor_reasons", "monitor_scores"),
)
REFERENCE_VIEWS = (
    *("judged_units", "judgements", "unlinked_judgements", "group_accuracy", "accuracy", "stage_accuracy", "subgroups", "auroc"),
    *("verification", "gate_loss", "paired_accuracy", "calibration", "brier"),
    *("lead_time", "lead_time_summary", "lead_time_by_onset", "thresholds", "threshold_pairs", "monitor_accuracy"),
)

# what the connection itself registers or creates, under the same names and with the same columns
BUNDLE_NAMES = pa.schema([("bundle_digest", pa.string()), ("name", pa.string())])
BUNDLE_ROWS = pa.schema([("bundle_digest", pa.string()), ("objects", pa.int64())])
GROUP_VALUES = pa.schema([(name, pa.string()) for name in ("bundle_digest", "object_id", "subgroup", "subgroup_value")])

NOTHING_GIVEN = {"has_reference": False, "has_readings": False, "has_labels": False}

_EMPTY_PART = "instances.parquet"

_made: list[str] = []
_making = threading.Lock()


def open_views(resources: Resources | None = None) -> duckdb.DuckDBPyConnection:
    """Return an in-memory connection with all macros and views, and the tables reference_read and instance_rows, which are empty."""
    with _making:
        if not _made:
            _made.append(_make())
    connection = open_duckdb(resources=resources)
    ((own,),) = connection.execute("select current_database()").fetchall()
    connection.execute(f"attach '{_made[0]}' as template (read_only); copy from database template to {own} (schema); detach template")
    return connection


def empty_part() -> str:
    """Return the path of a part without rows that has every column of instance rows: what parts of all versions are read beside."""
    return os.path.join(os.path.dirname(_made[0]), _EMPTY_PART)


def create(connection: duckdb.DuckDBPyConnection, *names: Iterable[str]) -> None:
    """Run the SQL files of these names in their order."""
    for name in chain(*names):
        connection.execute(read_sql("analytics", name))


def _make() -> str:
    """Return the path of a database with the views, which ends with the process."""
    folder = tempfile.mkdtemp(prefix="screening-views-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = os.path.join(folder, "template.duckdb")
    pq.write_table(INSTANCE_SCHEMA.empty_table(), os.path.join(folder, _EMPTY_PART))
    with duckdb.connect(path) as connection:
        connection.execute("set timezone = 'UTC'")
        for name, value in {**LinkRule().variables(), **NOTHING_GIVEN, "instance_files": [""]}.items():
            connection.execute(f"set variable {name} = $value", {"value": value})
        given = {"bundle_names": BUNDLE_NAMES, "bundle_rows": BUNDLE_ROWS, "group_values": GROUP_VALUES, "readings": READING_SCHEMA}
        for name, schema in given.items():
            connection.register(name, schema.empty_table())
        connection.register("reference_given", as_given(REFERENCE_SCHEMA.empty_table()))
        connection.register("no_instances", INSTANCE_SCHEMA.empty_table())
        connection.execute("create table instance_rows as from no_instances")
        create(connection, MACROS, READINGS, REFERENCE, VIEWS[1:], REFERENCE_VIEWS)
        comment(connection, (*READINGS, *REFERENCE, *VIEWS, *REFERENCE_VIEWS))
    return path

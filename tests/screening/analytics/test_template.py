"""The template of the views: copies that are like views made anew, and that know nothing of each other."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa

from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.template import MACROS, REFERENCE_VIEWS, VIEWS, create, open_views
from screening.analytics.views import connect

COLUMNS = "select table_name, column_name, data_type, column_index from duckdb_columns() where not internal order by all"


def test_a_copy_is_like_views_made_anew(tmp_path: Path) -> None:
    connection = connect(str(tmp_path))
    copied = connection.sql(COLUMNS).fetchall()
    for view in (*VIEWS, *REFERENCE_VIEWS):
        if view not in ("instance_rows", "bundles"):  # tables
            connection.execute(f"drop view {view}")
            create(connection, [view])
    assert connection.sql(COLUMNS).fetchall() == copied
    macros = connection.sql("select distinct function_name from duckdb_functions() where not internal").fetchall()
    assert len(macros) >= len(MACROS)


def test_connections_know_nothing_of_each_other(tmp_path: Path) -> None:
    row = {"patient_pseudonym": "a", "result": "positive"}
    tests = pa.Table.from_pylist([{name: row.get(name) for name in REFERENCE_SCHEMA.names}], REFERENCE_SCHEMA)
    with_tests, without = connect(str(tmp_path), tests), connect(str(tmp_path))
    without.execute("create table mine as select 1 as one")
    assert with_tests.sql("from reference").fetchall() != []
    assert without.sql("from reference").fetchall() == []
    assert not {"mine"} & {name for (name,) in open_views().sql("show tables").fetchall()}


def test_nothing_is_left_on_the_disk(tmp_path: Path) -> None:
    code = "from screening.analytics.template import open_views; open_views()"
    subprocess.run([sys.executable, "-c", code], check=True, env={"TMPDIR": str(tmp_path), "PYTHONPATH": "."})
    assert list(tmp_path.iterdir()) == []

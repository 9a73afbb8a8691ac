"""The template of the views: copies that are like views made anew, and that know nothing of each other."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow as pa

from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.template import MACROS, REFERENCE_VIEWS, VIEWS, create, open_views
from screening.analytics.views import connect
from screening.results.layout import ResultsLayout
from screening.results.parts import list_parts
from tests.screening.instance_rows import DIGEST, NIGHT, as_earlier_version, instance_row, write_instances

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


def test_nights_of_earlier_versions_are_counted_beside_new_ones(tmp_path: Path) -> None:
    for number in range(3):
        write_instances(str(tmp_path), [instance_row(number, screen_date=NIGHT + timedelta(number), covid_threshold=0.5)])
    parts = list_parts(ResultsLayout(str(tmp_path)), DIGEST)
    for count, part in enumerate(parts, 1):
        as_earlier_version(part)
        with connect(str(tmp_path)) as connection:
            assert connection.sql("select count(*), count(covid_threshold) from instances").fetchall() == [(3, 3 - count)]

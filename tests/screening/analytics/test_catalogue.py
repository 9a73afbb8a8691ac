"""The catalogue of the views, and the comments that tools over DuckDB show."""

from pathlib import Path

import pyarrow as pa
import pytest

from screening.analytics.catalogue import ColumnInfo, columns_of, comment, example_of, grain_of
from screening.analytics.confined_sql import check_statements, confine
from screening.analytics.views import connect, describe, list_views
from tests.readings import reading_of, write_readings
from tests.screening.instance_rows import instance_row, reference_of, write_instances
from tests.screening.report.screened import reference_of_people, rows_of_people


def test_every_view_and_column_bears_its_comment(tmp_path: Path) -> None:
    write_instances(str(tmp_path), [instance_row(1)])
    with connect(str(tmp_path), reference_of((1, "positive", 0)), comments=True) as connection:
        said = dict(
            connection.sql(
                "select view_name, comment from duckdb_views() union all select table_name, comment from duckdb_tables()"
            ).fetchall()
        )
        of_columns = {
            (view, column): text
            for view, column, text in connection.sql("select table_name, column_name, comment from duckdb_columns()").fetchall()
        }
        for view, grain in list_views().items():
            assert said[view] == grain
            for column in describe(connection, view):
                assert of_columns[view, column.name] == column.meaning, (view, column.name)


def test_a_column_of_a_schema_has_the_words_of_the_schema(tmp_path: Path) -> None:
    with connect(str(tmp_path)) as connection:
        [age] = [column for column in columns_of(connection, "instances") if column.name == "age_years"]
        assert (age.type, age.unit) == ("float", "years")
        assert age.meaning == f"{age.description} (years)"
        assert connection.sql("select count(comment) from duckdb_columns() where table_name = 'flow'").fetchall() == [(0,)]
        connection.execute("comment on view flow is null")
        comment(connection, ["flow"])
        assert connection.sql("select comment from duckdb_views() where view_name = 'flow'").fetchall() == [(grain_of("flow"),)]
    assert ColumnInfo("n", "bigint", "how many", "").meaning == "how many"


@pytest.mark.parametrize("readings", [False, True])
def test_the_example_of_every_view_runs_and_has_an_answer(tmp_path: Path, readings: bool) -> None:
    rows = rows_of_people()
    rows[3] |= {"audit_sample": True, "covid_score": 0.2, "covid_logit": -1.4, "covid_heatmap_url": "zip://a.png"}
    write_instances(str(tmp_path), [*rows, *(row | {"bundle_digest": "b" * 64} for row in rows)])
    read = [reading_of(row, "covid", reader) for row in rows[:9] for reader in ("ann", "bo")]
    written = reference_of_people()
    unclear = written.set_column(3, "result_date", pa.array([*["4 Mar 2020"] * (len(written) - 1), "soon"]))
    with connect(str(tmp_path), write_readings(tmp_path, *read) if readings else unclear) as connection:
        confine(connection)
        for view in list_views():
            query = example_of(view)
            check_statements(query)
            assert f" {view}" in query
            answer = connection.sql(query).fetchall()
            if readings == (view in {"latest_readings", "reading_tests", "reading_pairs"}):
                assert answer, f"{view}: {query}"

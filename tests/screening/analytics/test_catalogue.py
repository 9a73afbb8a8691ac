"""The catalogue of the views, and the comments that tools over DuckDB show."""

from pathlib import Path

from screening.analytics.catalogue import ColumnInfo, columns_of, comment, grain_of
from screening.analytics.views import connect, describe, list_views
from tests.screening.instance_rows import instance_row, reference_of, write_instances


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

"""SQL that somebody wrote: it reads the views and may write below a named folder; it opens no other file and changes no part."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from screening.analytics.confined_sql import check_statements, confine, export_folder
from screening.analytics.views import connect
from screening.errors import UsageError
from screening.results.database import Resources
from tests.screening.instance_rows import instance_row, pneumonia_row, reference_of, write_instances


def write(folder: Path) -> str:
    """Write results of two persons below a folder, and return where."""
    write_instances(str(folder / "results"), [instance_row(1), pneumonia_row(2, covid=True)])
    return str(folder / "results")


@pytest.fixture
def results(tmp_path: Path) -> str:
    return write(tmp_path)


@dataclass(frozen=True)
class Place:
    """A folder with results, a folder for exports and a secret, and confined connections to the results without and with exports."""

    folder: Path
    connections: dict[bool, duckdb.DuckDBPyConnection]

    def ask(self, sql: str, exports: bool) -> None:
        check_statements(sql, str(self.folder / "export") if exports else None)
        self.connections[exports].sql(sql)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("place")
    results = write(folder)
    (folder / "secret.csv").write_text("a\n1\n")
    exports = {False: None, True: export_folder(str(folder / "export"), results)}
    (folder / "export" / "link").symlink_to(folder / "results")
    connections = {}
    for allowed, export in exports.items():
        connections[allowed] = connect(results)
        confine(connections[allowed], export)
    return Place(folder, connections)


def contents(folder: Path) -> dict[str, str]:
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.rglob("*") if file.is_file()}


def run(results: str, sql: str, export: str | None = None) -> list[tuple]:
    """Run statements as `screening sql` does, without the reference table's file at hand."""
    with connect(results, reference_of((2, "positive", 0))) as connection:
        confine(connection, export)
        check_statements(sql, export)
        relation = connection.sql(sql)
        return [] if relation is None else relation.fetchall()


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("select count(*) from instances", [(2,)]),
        ("select tp from accuracy where unit = 'patient'", [(1,)]),
        ("create table mine as select object_id from instances; insert into mine values ('x'); select count(*) from mine", [(3,)]),
        ("with copied as (select 1 as copy_of) select * from copied", [(1,)]),
        ("""select '"copy"' as "copy" """, [('"copy"',)]),
        ("create macro twice(x) as 2 * x; select twice(2)", [(4,)]),
        ("set variable lead_days_asked = [3]; select days from lead_time_summary", [(3,)]),
        ("begin; create table mine as select 1; rollback; select count(*) from worklist", [(1,)]),
    ],
)
def test_views_are_read_and_tables_of_ones_own_made(results: str, sql: str, rows: list[tuple]) -> None:
    assert run(results, sql) == rows


@pytest.mark.parametrize(
    "sql",
    [
        "copy (select 1 as x) to '{part}'",
        "copy (select 1 as x) to '{part}' (use_tmp_file false)",
        "select 1; copy (select 1 as x) to '{part}' (use_tmp_file false)",
        "explain analyze copy (select 1 as x) to '{part}' (use_tmp_file false)",
        "prepare p as copy (select 1 as x) to '{part}' (use_tmp_file false); execute p",
        "copy instances to '{other}/new.csv'",
        "copy instances to '{export}/../results/new.csv'",
        "copy instances to '{export}/link/new.csv'",
        "copy instances to '{export}' (format parquet, partition_by (outcome), filename_pattern '../../results/part-{{i}}')",
        "copy instances to (getvariable('instance_files')[1]) (use_tmp_file false)",
        "copy instances to $${part}$$ (use_tmp_file false)",
        "export database '{export}/all'",
        "import database '{export}'",
        "attach '{other}/new.db' as new",
        "attach ':memory:' as new",
        "install httpfs",
        "load httpfs",
        "from 'https://example.org/a.csv'",
        "from read_csv('{other}/secret.csv')",
        "from glob('{other}/*')",
        "set enable_external_access = true",
        "set threads = 1",
        "reset allowed_paths",
        "pragma enable_profiling",
        "call enable_logging(storage_path = '{other}/log')",
        "create persistent secret s (type s3)",
    ],
)
@pytest.mark.parametrize("exports", [False, True], ids=["no export", "export"])
def test_whatever_would_leave_them_is_refused(place: Place, sql: str, exports: bool) -> None:
    before = contents(place.folder)
    part = next((place.folder / "results").rglob("*.parquet"))
    with pytest.raises((UsageError, duckdb.PermissionException, duckdb.InvalidInputException)):
        place.ask(sql.format(part=part, other=place.folder, export=place.folder / "export"), exports)
    assert contents(place.folder) == before


def test_a_named_folder_takes_exports(results: str, tmp_path: Path) -> None:
    export = export_folder(str(tmp_path / "new" / "export"), results)
    run(results, f"copy (select count(*) as n from instances) to '{export}/it''s.csv' (header false); select 1", export)
    assert (tmp_path / "new/export/it's.csv").read_text() == "2\n"
    run(results, f"copy instances to '{os.path.relpath(export)}/byoutcome' (format parquet, partition_by (outcome))", export)
    assert [file.parent.name for file in (tmp_path / "new/export/byoutcome").rglob("*.parquet")] == ["outcome=scored"]
    with pytest.raises(UsageError, match="COPY … TO writes below --export"):
        check_statements("copy instances to 'elsewhere.csv'", export)
    with pytest.raises(UsageError, match="give --export FOLDER"):
        check_statements("copy instances to 'elsewhere.csv'", None)


@pytest.mark.parametrize("folder", ["results", "results/instances", ".", "results/../results/new"])
def test_the_results_are_no_folder_for_exports(results: str, tmp_path: Path, folder: str) -> None:
    with pytest.raises(UsageError, match=r"--export .* apart from the results"):
        export_folder(str(tmp_path / folder), results)


def test_other_stores_take_the_answer_of_one_query(results: str) -> None:
    with pytest.raises(UsageError, match=r"--export s3://b/x: .* --output"):
        export_folder("s3://b/x", results)


def test_what_does_not_fit_into_memory_still_spills(results: str) -> None:
    with connect(results, resources=Resources(threads=1, memory="60MB")) as connection:
        confine(connection)
        (row,) = connection.sql(
            "select count(*) from (select repeat('x', 60) || i as s from range(2000000) t(i) order by hash(s))"
        ).fetchall()
    assert row == (2000000,)

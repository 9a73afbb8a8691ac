"""A results folder that was damaged or added to from outside: no part is counted twice or misread, and the file is named."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from screening.errors import ResultsError, UsageError
from screening.results.check import check_parts, damage_named, unplanned
from screening.results.layout import ResultsLayout
from screening.storage import list_files
from tests.screening.instance_rows import DIGEST, NIGHT, instance_row, write_instances
from tests.screening.results.plans import write_shards

OTHER = "b" * 64


@pytest.fixture
def layout(tmp_path: Path) -> ResultsLayout:
    """Two shards of one night, which a run has planned, and one of another bundle."""
    rows = [instance_row(number, shard_id="ab"[number % 2]) for number in range(8)]
    write_instances(str(tmp_path), [*rows, instance_row(0, shard_id="c", bundle_digest=OTHER)])
    layout = ResultsLayout(str(tmp_path))
    write_shards(layout, "run", "a", "b", "c")
    return layout


def part(layout: ResultsLayout, shard_id: str = "a") -> Path:
    return Path(layout.part(DIGEST, NIGHT, shard_id))


def checked(layout: ResultsLayout) -> dict[str, int]:
    urls = list_files(f"{layout.root}/instances", ".parquet")
    with duckdb.connect() as connection:
        return check_parts(connection, {url.removeprefix("file://"): url for url in urls}, layout)


def copied(source: Path, to: str | Path) -> None:
    Path(to).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, to)


def test_rows_are_counted_by_bundle(layout: ResultsLayout) -> None:
    assert checked(layout) == {DIGEST: 8, OTHER: 1}


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:3000]),
    "pages": lambda file: file.write_bytes(b"PAR1" + bytes(800) + file.read_bytes()[804:]),
    "text": lambda file: file.write_text("these are no rows, but a line of text"),
    "foreign": lambda file: pq.write_table(pa.table({"shard_id": ["a"]}), file),
    "first columns": lambda file: pq.write_table(pq.read_table(file).select(range(20)), file),
    "no rows": lambda file: pq.write_table(pq.read_table(file).slice(0, 0), file),
    "rows of two shards": lambda file: pq.write_table(pa.concat_tables(map(pq.read_table, sorted(file.parent.iterdir()))), file),
}


@pytest.mark.parametrize("shard_id", ["a", "b"], ids=["the first part", "a later part"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_named(layout: ResultsLayout, damage: str, shard_id: str) -> None:
    DAMAGES[damage](part(layout, shard_id))
    with pytest.raises(ResultsError, match=rf"^file://{part(layout, shard_id)}: .*move it away, and the next `screening run` scores"):
        query_all_columns(layout)


def query_all_columns(layout: ResultsLayout) -> None:
    """Check the parts and ask for a column of the last ones, as views do."""
    checked(layout)
    urls = list_files(f"{layout.root}/instances", ".parquet")
    with damage_named(layout.root), duckdb.connect() as connection:
        connection.execute("select covid_positive from read_parquet($urls)", {"urls": urls}).fetchall()


@pytest.mark.parametrize(
    "place",
    [
        lambda layout: part(layout, "a (1)"),
        lambda layout: part(layout, "a.sync-conflict-20200302"),
        lambda layout: part(layout, "b"),
        lambda layout: layout.part(DIGEST, NIGHT + timedelta(1), "a"),
        lambda layout: layout.part(OTHER, NIGHT, "a"),
        lambda layout: f"{layout.root}/instances/{part(layout).name}",
    ],
    ids=["conflict copy", "sync conflict", "over another part", "another night", "another bundle", "another folder"],
)
def test_a_copy_of_a_part_is_named(layout: ResultsLayout, place: Callable[[ResultsLayout], str | Path]) -> None:
    copied(part(layout), place(layout))
    with pytest.raises(ResultsError) as refused:
        checked(layout)
    belongs = f"instances/bundle={DIGEST[:12]}/night=2020-03-01/part-a.parquet"
    assert str(refused.value).startswith(f"file://{place(layout)}: a copy, or renamed or moved: its rows belong to {belongs}; move it away")


def test_a_night_of_the_earlier_name_counts_and_once(layout: ResultsLayout) -> None:
    now, earlier = (Path(name(DIGEST, NIGHT)) for name in (layout.night, layout.earlier_night))
    now.rename(earlier)
    assert checked(layout) == {DIGEST: 8, OTHER: 1}
    copied(earlier / part(layout).name, part(layout))
    with pytest.raises(ResultsError, match=r"night=2020-03-01/part-a\.parquet and .*the same shard in two folders of its night; move one"):
        checked(layout)


def test_a_part_of_another_folder_that_answers_the_same_objects_is_named(layout: ResultsLayout) -> None:
    write_instances(layout.root, [instance_row(number, shard_id="from elsewhere") for number in (2, 99)])
    with pytest.raises(
        ResultsError, match=r"part-a\.parquet and file://.*part-from elsewhere\.parquet: more than one row answers object 0+2,"
    ):
        checked(layout)


def test_parts_that_no_run_has_planned_count_where_they_answer_other_objects(layout: ResultsLayout) -> None:
    write_instances(layout.root, [instance_row(99, shard_id="from elsewhere")])
    assert checked(layout)[DIGEST] == 9


def test_shards_of_every_plan_are_known_and_a_damaged_plan_knows_none(layout: ResultsLayout) -> None:
    write_shards(layout, "second", "d")
    assert unplanned(layout, set("abcde")) == {"e"}
    Path(layout.plan("run")).write_bytes(b"")
    assert unplanned(layout, set("abcde")) == set("abce")
    assert unplanned(ResultsLayout(f"{layout.root}/none"), {"a"}) == {"a"}


def test_damage_that_a_query_finds_is_named(layout: ResultsLayout) -> None:
    file = part(layout)
    column = pq.ParquetFile(file).metadata.row_group(0).column(pq.read_schema(file).get_field_index("object_url"))
    data = bytearray(file.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    data[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    file.write_bytes(data)
    assert checked(layout)[DIGEST] == 8
    with pytest.raises(ResultsError, match=r"part-a\.parquet: damaged"), damage_named(layout.root):
        duckdb.execute("select any_value(object_url) from read_parquet($file)", {"file": str(file)}).fetchall()


def test_an_error_of_a_query_alone_stays_what_it_is(layout: ResultsLayout) -> None:
    part(layout).write_bytes(b"")
    with pytest.raises(duckdb.CatalogException), damage_named(layout.root):
        duckdb.execute("from no_such_table")
    with pytest.raises(UsageError, match="mistyped"), damage_named(layout.root):
        raise UsageError("mistyped")

"""Committed parts: listed, read in full or by column, counted, and searched for rows to score again."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars
import pyarrow as pa
import pyarrow.dataset as arrow_dataset
import pyarrow.parquet as pq
import pytest

from schemas.instance import ADDED_COLUMNS, INSTANCE_SCHEMA
from schemas.reasons import Reason
from screening.errors import ResultsError
from screening.results.layout import ResultsLayout
from screening.results.parts import (
    PARTS_AT_ONCE,
    check_pages,
    committed_parts,
    count_outcomes,
    list_parts,
    part_of,
    read_columns,
    read_part,
)
from screening.results.rows import rows_to_redrive
from tests.screening.instance_rows import DIGEST, NIGHT, as_earlier_version, instance_row, pneumonia_row, refused_row, write_instances


@pytest.fixture
def layout(tmp_path: Path) -> ResultsLayout:
    """Two nights of three shards, one of which has a refused and a failed row, and a part of another bundle."""
    rows = [instance_row(1, shard_id="b"), pneumonia_row(2, shard_id="b", screen_date=NIGHT - timedelta(1))]
    rows += [refused_row(3, Reason.BLANK, shard_id="a"), refused_row(4, Reason.READ_FAILED, shard_id="a"), instance_row(5, shard_id="a")]
    rows.append(refused_row(6, Reason.READ_FAILED, shard_id="c", bundle_digest="b" * 64))
    write_instances(str(tmp_path), rows)
    return ResultsLayout(str(tmp_path))


def test_parts_are_those_of_the_bundle_in_order(layout: ResultsLayout) -> None:
    assert list_parts(layout, DIGEST) == [
        f"file://{layout.root}/instances/bundle=aaaaaaaaaaaa/night={day}/part-{shard}.parquet"
        for day, shard in (("2020-02-29", "b"), ("2020-03-01", "a"), ("2020-03-01", "b"))
    ]
    assert list(committed_parts(layout, DIGEST, NIGHT).items()) == list(zip("ab", list_parts(layout, DIGEST)[1:], strict=True))
    assert committed_parts(layout, DIGEST, NIGHT - timedelta(1)).keys() == {"b"}
    assert committed_parts(layout, "b" * 64, NIGHT).keys() == {"c"}
    assert committed_parts(layout, "c" * 64, NIGHT) == {}


def test_a_part_comes_back_with_its_schema(layout: ResultsLayout) -> None:
    rows = read_part(list_parts(layout, DIGEST)[1])
    assert rows.schema.equals(INSTANCE_SCHEMA, check_metadata=True)
    assert rows.column("shard_id").to_pylist() == ["a", "a", "a"]


def test_a_part_of_another_schema_is_refused_by_name(tmp_path: Path) -> None:
    pq.write_table(pa.table({"object_id": ["x"]}), tmp_path / "part-a.parquet")
    with pytest.raises(ResultsError, match=r"part-a\.parquet: its columns are not those of instance schema version 2 or 1"):
        read_part(str(tmp_path / "part-a.parquet"))


def test_a_part_of_an_earlier_version_reads_with_nulls_where_it_has_no_column(layout: ResultsLayout) -> None:
    [part, *_] = list_parts(layout, DIGEST)
    as_earlier_version(part)
    rows = read_part(part)
    assert rows.schema.equals(INSTANCE_SCHEMA, check_metadata=True)
    assert rows.select(ADDED_COLUMNS).to_pylist() == [dict.fromkeys(ADDED_COLUMNS)]
    assert read_columns([part], ["covid_threshold", "object_id"]).column_names == ["covid_threshold", "object_id"]


def test_columns_of_many_parts_come_in_the_order_of_the_parts(tmp_path: Path) -> None:
    shards = 3 * PARTS_AT_ONCE
    write_instances(str(tmp_path), [instance_row(i, shard_id=f"{i:03}") for i in range(shards)])
    table = read_columns(list_parts(ResultsLayout(str(tmp_path)), DIGEST), ["pneumonia_score", "shard_id"])
    assert table.column_names == ["pneumonia_score", "shard_id"]
    assert table.column("shard_id").to_pylist() == [f"{i:03}" for i in range(shards)]


def test_columns_of_no_part_are_an_empty_table() -> None:
    table = read_columns([], ["object_id", "covid_positive"])
    assert (table.num_rows, table.column_names) == (0, ["object_id", "covid_positive"])


def test_outcomes_and_reasons_are_counted(layout: ResultsLayout) -> None:
    outcomes, reasons = count_outcomes(read_part(list_parts(layout, DIGEST)[1]))
    assert outcomes == {"scored": 1, "rejected": 1, "failed": 1}
    assert reasons == {"blank": 1, "read_failed": 1}


@pytest.mark.parametrize(
    ("reasons", "numbers"),
    [(None, [4]), ({"read_failed"}, [4]), ({"blank"}, [3]), ({"blank", "read_failed"}, [3, 4]), ({"decode_timeout"}, [])],
)
def test_rows_to_redrive_are_the_failed_ones_or_those_of_a_reason(
    layout: ResultsLayout, reasons: set[str] | None, numbers: list[int]
) -> None:
    chosen = rows_to_redrive(layout, DIGEST, reasons)
    assert [row["object_id"] for rows in chosen.values() for row in rows.to_pylist()] == [f"{number:032x}" for number in numbers]
    assert [url.rpartition("part-")[2] for url in chosen] == ["a.parquet"] * bool(numbers)


def with_pandas(folder: str) -> Counter[date]:
    return Counter(pytest.importorskip("pandas", reason="pandas is not installed").read_parquet(folder)["screen_date"])


def with_arrow_dataset(folder: str) -> Counter[date]:
    return Counter(arrow_dataset.dataset(folder, partitioning="hive").to_table()["screen_date"].to_pylist())


def with_arrow(folder: str) -> Counter[date]:
    return Counter(pq.read_table(folder)["screen_date"].to_pylist())


def with_polars(folder: str) -> Counter[date]:
    return Counter(polars.read_parquet(folder)["screen_date"].to_list())


def with_duckdb(folder: str) -> Counter[date]:
    with duckdb.connect() as connection:  # its own: the default one belongs to whoever used it last in this process
        return Counter(day for (day,) in connection.sql(f"select screen_date from '{folder}/**/*.parquet'").fetchall())


def with_spark(folder: str) -> Counter[date]:
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed: it needs Java")
    with sql.SparkSession.builder.master("local[1]").getOrCreate() as spark:
        return Counter(row.screen_date for row in spark.read.parquet(folder).select("screen_date").collect())


@pytest.mark.parametrize("read", [with_pandas, with_arrow_dataset, with_arrow, with_polars, with_duckdb, with_spark])
def test_other_tools_open_the_folder_without_options(layout: ResultsLayout, read: Callable[[str], Counter[date]]) -> None:
    assert read(f"{layout.root}/instances") == {NIGHT: 5, NIGHT - timedelta(1): 1}


def test_a_night_of_the_earlier_name_stays_where_it_is(layout: ResultsLayout) -> None:
    Path(layout.night(DIGEST, NIGHT)).rename(layout.earlier_night(DIGEST, NIGHT))
    earlier = {shard: f"file://{layout.earlier_part(DIGEST, NIGHT, shard)}" for shard in "ab"}
    assert committed_parts(layout, DIGEST, NIGHT) == earlier
    assert part_of(layout, DIGEST, NIGHT, "a") == layout.earlier_part(DIGEST, NIGHT, "a")
    assert part_of(layout, DIGEST, NIGHT, "new") == layout.part(DIGEST, NIGHT, "new")
    assert list(rows_to_redrive(layout, DIGEST)) == [earlier["a"]]


@pytest.mark.parametrize("damage", [b"", b"no Parquet", None], ids=["empty", "text", "cut"])
def test_a_damaged_part_is_refused_by_name_whoever_reads_it(layout: ResultsLayout, damage: bytes | None) -> None:
    url = list_parts(layout, DIGEST)[1]
    file = Path(url.removeprefix("file://"))
    file.write_bytes(file.read_bytes()[:2000] if damage is None else damage)
    readers = [read_part, lambda url: read_columns([url], ["object_id"]), lambda url: check_pages([url])]
    for read in (*readers, lambda url: rows_to_redrive(layout, DIGEST)):
        with pytest.raises(
            ResultsError, match=r"part-a\.parquet: damaged, cut or no Parquet file; move it away, and the next `screening run`"
        ):
            read(url)


def test_a_flipped_bit_in_a_page_is_found(layout: ResultsLayout) -> None:
    file = Path(list_parts(layout, DIGEST)[1].removeprefix("file://"))
    pq.write_table(read_part(str(file)), file, compression="none", write_page_checksum=True)  # checksums as a run writes them
    data = file.read_bytes()
    file.write_bytes(data.replace(b"file:///archive/000003.dcm", b"file:///archive/000007.dcm", 1))
    with pytest.raises(ResultsError, match=r"part-a\.parquet: damaged"):
        read_part(str(file))


def test_a_part_under_another_name_is_refused(layout: ResultsLayout) -> None:
    part = Path(layout.part(DIGEST, NIGHT, "a"))
    part.rename(part.with_name("part-a (1).parquet"))
    with pytest.raises(ResultsError, match=r"part-a \(1\)\.parquet: a copy, or renamed or moved: its rows belong to .*/part-a\.parquet;"):
        rows_to_redrive(layout, DIGEST)


def test_statistics_that_a_writer_left_out_are_refused(layout: ResultsLayout) -> None:
    part = layout.part(DIGEST, NIGHT, "a")
    pq.write_table(read_part(part), part, write_statistics=False)
    with pytest.raises(ResultsError, match="not those of one shard"):
        read_part(part)

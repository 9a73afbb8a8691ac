"""The generated population: as large as asked for, sound by the views' own rules, and every view timed."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from schemas.instance import INSTANCE_SCHEMA
from screening.analytics.template import REFERENCE_VIEWS, VIEWS
from screening.analytics.views import connect
from screening.benchmark.analytics import NIGHTS, generate, size_of, time_views
from screening.storage import list_files


@pytest.fixture(scope="module")
def population(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """20,000 rows and 2,000 tests."""
    return generate(tmp_path_factory.mktemp("population") / "data", 20_000, 2_000)


def test_rows_are_instance_rows(population: tuple[str, str]):
    parts = list_files(population[0], ".parquet")
    assert len(parts) == NIGHTS
    schema = pq.read_schema(parts[0].removeprefix("file://"))
    assert schema.names == INSTANCE_SCHEMA.names
    assert [str(type) for type in schema.types] == [str(type) for type in INSTANCE_SCHEMA.types]
    assert 0 < size_of(population[0]) < 20_000 * 200


def test_the_population_is_as_it_should_be(population: tuple[str, str]):
    connection = connect(*population)
    (facts,) = connection.sql(
        "select count(*), count(distinct object_id), count(distinct screen_date), avg((outcome = 'scored')::int), "
        "avg(pneumonia_positive::int), count(*) filter (covid_positive and not pneumonia_positive), "
        "count(*) filter (audit_sample and covid_score is null), count(*) filter (not counts) from instances"
    ).fetchall()
    assert facts[:3] == (20_000, 20_000, NIGHTS)
    assert 0.94 < facts[3] < 0.98
    assert 0.25 < facts[4] < 0.5
    assert facts[5:7] == (0, 0)
    assert 60 < facts[7] < 110  # one pair of UIDs and one of pixels in 400 rows
    (accuracy,) = connection.sql("from accuracy where unit = 'patient' and question = 'covid'").to_arrow_table().to_pylist()
    assert accuracy["sensitivity"] > 0.5
    assert accuracy["specificity"] > 0.8
    assert accuracy["unverified"] > accuracy["tp"]


def test_every_view_is_timed(population: tuple[str, str], tmp_path: Path):
    timings = list(time_views(*population, tmp_path))
    assert [timing.name for timing in timings] == ["open", *VIEWS, *REFERENCE_VIEWS]
    assert all(timing.seconds > 0 and timing.cpu_seconds > 0 for timing in timings)
    assert {timing.name: timing.rows for timing in timings}["instances"] == 20_000


def test_parts_of_a_size(tmp_path: Path):
    results, _ = generate(tmp_path / "data", 400, 10, rows_per_part=4)
    assert len(list_files(results, ".parquet")) == 120  # 10 rows a night in 3 parts
    assert connect(results).sql("select count(*) from instance_rows").fetchall() == [(400,)]

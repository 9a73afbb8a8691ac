"""The sample: the same for the same seed, of what counts and was scored, and a valid part of a folder of its own."""

from datetime import date
from pathlib import Path

import pytest

from schemas.reasons import Reason
from screening.analytics.views import connect
from screening.errors import UsageError
from screening.results.layout import ResultsLayout
from screening.shadow.draw import draw, keep
from tests.screening.instance_rows import DIGEST, instance_row, reference_of, refused_row, write_instances


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Thirty scored radiographs, one of them sent twice, a rejected one, and one of another bundle."""
    rows = [instance_row(number) for number in range(30)]
    rows += [instance_row(40, pixel_hash=rows[0]["pixel_hash"]), refused_row(41, Reason.BLANK), instance_row(42, bundle_digest="b" * 64)]
    write_instances(str(tmp_path / "r"), rows)
    return str(tmp_path / "r")


def test_a_seed_draws_the_same_radiographs_and_another_one_others(folder: str) -> None:
    with connect(folder) as connection:
        asked = [(9, 1), (9, 1), (9, 2), (99, 1)]
        drawn = [draw(connection, DIGEST, images, seed, verified=False)["object_id"].to_pylist() for images, seed in asked]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[3][:9] == drawn[0]
    assert sorted(drawn[3]) == [f"{number:032x}" for number in range(30)]


def test_only_radiographs_with_a_definite_result_are_drawn_where_there_is_a_reference(folder: str) -> None:
    with connect(folder, reference_of((3, "positive", 0), (4, "negative", 0), (5, "indeterminate", 0))) as connection:
        drawn = draw(connection, DIGEST, 10, 0, verified=True)
    assert sorted(drawn["object_id"].to_pylist()) == [f"{number:032x}" for number in (3, 4)]
    with connect(folder, reference_of((99, "positive", 0))) as connection, pytest.raises(UsageError, match="with a definite result"):
        draw(connection, DIGEST, 10, 0, verified=True)


def test_what_is_kept_opens_as_results_do(folder: str, tmp_path: Path) -> None:
    with connect(folder) as connection:
        sample = draw(connection, DIGEST, 9, 1, verified=False)
    keep(sample, ResultsLayout(str(tmp_path / "s")), date(2020, 6, 1))
    with connect(str(tmp_path / "s")) as connection:
        query = "select * exclude (screen_date, shard_id, counts, duplicate_of) from instances order by object_id"
        kept = connection.sql(query).to_arrow_table()
    assert kept.equals(sample.sort_by("object_id").drop_columns(["screen_date", "shard_id"]).cast(kept.schema))

"""Where everything lies inside a results folder."""

from datetime import date

import pytest

from screening.results.layout import ResultsLayout, shard_id_of_part

DIGEST = "0123456789abcdef" * 4
NIGHT = date(2020, 3, 1)


@pytest.mark.parametrize("root", ["s3://bucket/results", "s3://bucket/results/"])
def test_names_under_any_root(root: str) -> None:
    layout = ResultsLayout(root)
    below = "s3://bucket/results"
    assert layout.manifest("r") == f"{below}/runs/r/manifest.json"
    assert layout.index("r") == f"{below}/runs/r/index.parquet"
    assert layout.plan("r") == f"{below}/runs/r/plan.parquet"
    assert layout.part(DIGEST, NIGHT, "s") == f"{below}/instances/bundle=0123456789ab/night=2020-03-01/part-s.parquet"
    assert layout.earlier_part(DIGEST, NIGHT, "s") == f"{below}/instances/bundle=0123456789ab/screen_date=2020-03-01/part-s.parquet"
    assert layout.heatmaps(DIGEST, NIGHT, "s") == f"{below}/heatmaps/bundle=0123456789ab/screen_date=2020-03-01/s.zip"
    assert layout.reading(NIGHT, "r") == f"{below}/readings/2020-03-01/r.parquet"
    assert layout.reading(NIGHT, "r").startswith(layout.readings + "/")
    assert layout.part(DIGEST, NIGHT, "s").startswith(layout.instances(DIGEST) + "/")
    assert layout.heatmaps(DIGEST, NIGHT, "s").startswith(layout.heatmap_folder(DIGEST) + "/")


def test_a_shard_is_known_by_its_parts_name() -> None:
    assert shard_id_of_part(ResultsLayout("/r").part(DIGEST, NIGHT, "00ff-part-x")) == "00ff-part-x"

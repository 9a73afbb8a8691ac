"""The real radiographs, wrapped as DICOM in a real S3 server: one row each, heatmaps that open, and nights that follow each other."""

import csv
import json
from pathlib import Path

import duckdb
import fsspec
import pytest

from schemas.heatmap import URL_COLUMN
from screening.analytics.views import connect
from screening.benchmark.random_bundle import save_random_bundle
from tests.archives import phantom_pixels
from tests.programs import screening
from tests.real_data import cxr_folder

pytestmark = pytest.mark.slow

FEW = 200  # images of the second bundle's night


def run(archive: str, results: str, bundle: Path, key: Path) -> dict:
    """Run one night and return its manifest."""
    options = ["--results", results, "--bundle", str(bundle), "--pseudonym-key", str(key), "--json"]
    return json.loads(screening("run", archive, *options, seconds=1200).stdout)[-1]


def count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return connection.execute(query).fetchone()[0]


def test_every_real_image_has_one_row_and_another_bundle_rows_of_its_own_on_s3(s3_bucket: str, tmp_path: Path) -> None:
    labels = cxr_folder() / "labels.csv"
    with labels.open() as file:
        images = len(list(csv.DictReader(file)))
    screening("dicomize", str(labels), f"{s3_bucket}/cxr", seconds=1200)
    screening("dicomize", str(labels), f"{s3_bucket}/few", "--limit", str(FEW), seconds=1200)
    key = tmp_path / "key"
    key.write_bytes(b"0123456789abcdef0123456789abcdef")
    key.chmod(0o600)
    bundles = [tmp_path / "bundle-0", tmp_path / "bundle-1"]
    for seed, bundle in enumerate(bundles):
        save_random_bundle(str(bundle), phantom_pixels(16), seed=seed)
    archive, results = f"{s3_bucket}/cxr/archive", f"{s3_bucket}/results"

    first = run(archive, results, bundles[0], key)
    assert first["counts"]["written"] == first["counts"]["objects"] == images
    assert first["counts"]["outcomes"]["failed"] == 0

    again = run(archive, results, bundles[0], key)
    assert again["counts"] | {"outcomes": {}} == first["counts"] | {
        "already_scored": images, "planned": 0, "written": 0, "outcomes": {}, "reasons": {}, "pneumonia_positive": 0, "covid_positive": 0,
    }  # fmt: skip

    assert run(f"{s3_bucket}/few/archive", results, bundles[1], key)["counts"]["written"] == FEW
    connection = connect(results)
    assert count(connection, "select count(*) from instances") == images + FEW
    assert count(connection, "select count(distinct (object_id, bundle_digest)) from instances") == images + FEW
    assert_heatmaps_open(connection)


def assert_heatmaps_open(connection: duckdb.DuckDBPyConnection) -> None:
    """Every stage-2 positive of both bundles has its heatmaps; one of each kind and shard is opened."""
    for column in URL_COLUMN.values():
        pointers = connection.execute(f"select any_value({column}) from instances where {column} is not null group by shard_id").fetchall()
        assert pointers
        for (pointer,) in pointers:
            with fsspec.open(pointer) as file:
                assert file.read(8) == b"\x89PNG\r\n\x1a\n"
    assert count(connection, "select count(*) from instances where pneumonia_positive and covid_heatmap_url is null") == 0

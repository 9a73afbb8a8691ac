"""Scoring a shard: null where nothing was computed, a reason where no lungs were found, the same audit sample in every run."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from schemas.bundle import OperatingPoint, Preprocessing, SitePoints
from schemas.heatmap import HeatmapKind
from screening.benchmark.random_bundle import SMALL, save_random_bundle
from screening.benchmark.throughput import NIGHT
from screening.bundle.networks import load, save_bundle
from screening.cascade.cascade import Cascade
from screening.shard.config import RowConfig
from screening.shard.heatmaps import unpack_map
from screening.shard.score import in_audit_sample, score_rows
from screening.shard.tables import DECODED_SCHEMA, SCORED_SCHEMA
from tests.archives import phantom_pixels

CONFIG = RowConfig(screen_date=NIGHT, audit_fraction=0.0, dtype="float32")


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return phantom_pixels(4)


@pytest.fixture(scope="module")
def bundle(pixels: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("bundles") / "a")
    save_random_bundle(folder, pixels)
    return folder


@pytest.fixture(scope="module")
def cascade(bundle: str) -> Cascade:
    return Cascade.from_bundle(bundle, device="cpu", dtype="float32")


def decoded(pixels: np.ndarray, site: str | None = None) -> pa.Table:
    """Return a shard with a refused row before each of the images, of one site."""
    rows = []
    for i, image in enumerate(pixels):
        row = {
            "shard_id": "s",
            "object_id": f"{i:032}",
            "object_url": f"file:///{i}",
            "object_bytes": 1,
            "object_etag": "e",
            "decode_ms": 1.0,
            "InstitutionName": site,
        }
        rows.append(row | {"object_id": f"{100 + i:032}", "outcome": "rejected", "reason": "blank", "stage_reached": "index"})
        rows.append(row | {"stage_reached": "ingest", "pixels": image.tobytes()})
    return pa.Table.from_pylist(rows, schema=DECODED_SCHEMA)


def test_scores_are_those_of_the_cascade(pixels: np.ndarray, cascade: Cascade) -> None:
    rows = score_rows(decoded(pixels), cascade, CONFIG)
    assert rows.schema.equals(SCORED_SCHEMA, check_metadata=True)
    answer = cascade(pixels)
    assert 0 < answer.reached_covid.sum() < len(pixels)
    images = rows.to_pylist()[1::2]
    assert [row["pneumonia_logit"] for row in images] == answer.pneumonia_logit.tolist()
    for i, row in enumerate(images):
        assert row["covid_logit"] == (answer.covid_logit[i] if answer.reached_covid[i] else None)
        assert row["pneumonia_probability"] is None  # not calibrated
        assert (row["network_dtype"], row["network_batch"]) == ("float32", cascade.batch_size)
        if row["covid_map"]:
            assert np.array_equal(unpack_map(HeatmapKind.COVID, row["covid_map"]), answer.covid_heatmap[i])
            assert np.array_equal(unpack_map(HeatmapKind.LUNGS, row["lungs_map"]), answer.lung_mask[i])
    for row in rows.to_pylist()[0::2]:
        assert (row["network_dtype"], row["network_batch"]) == (None, None)
        assert (row["outcome"], row["pneumonia_logit"], row["covid_positive"], row["lung_area_fraction"]) == ("rejected", None, None, None)


def test_heatmaps_are_kept_as_asked(pixels: np.ndarray, cascade: Cascade) -> None:
    columns = ("lungs_map", "pneumonia_map", "covid_map", "guided_map")
    rows = score_rows(decoded(pixels), cascade, dataclasses.replace(CONFIG, heatmaps="none"))
    assert [rows.column(name).null_count for name in columns] == [len(rows)] * 4


def test_images_without_lungs_are_rejected_not_negative(pixels: np.ndarray, bundle: str, tmp_path: Path) -> None:
    source = load(bundle)
    save_bundle(
        str(tmp_path),
        name="no lungs",
        modules=source.networks,
        networks=SMALL,
        operating_points=source.manifest.operating_points,
        preprocessing=Preprocessing(min_lung_area_fraction=0.0, max_lung_area_fraction=0.001),
    )
    rows = score_rows(decoded(pixels), Cascade.from_bundle(str(tmp_path), device="cpu", dtype="float32"), CONFIG).to_pylist()[1::2]
    assert {row["reason"] for row in rows} == {"lungs_not_found"}
    assert {row["stage_reached"] for row in rows} == {"lungs"}
    assert all(row["lung_area_fraction"] > 0 and row["pneumonia_positive"] is None for row in rows)


def test_the_audit_sample_is_a_fair_draw_and_always_the_same() -> None:
    names = [f"{i:032x}" for i in range(20_000)]
    drawn = [in_audit_sample(name, 0.1, seed=0) for name in names]
    assert drawn == [in_audit_sample(name, 0.1, seed=0) for name in names]
    assert abs(np.mean(drawn) - 0.1) < 0.007  # three standard errors
    assert drawn != [in_audit_sample(name, 0.1, seed=1) for name in names]
    assert not any(in_audit_sample(name, 0.0, seed=0) for name in names)
    assert all(in_audit_sample(name, 1.0, seed=0) for name in names)


def test_each_row_says_which_operating_points_judged_it(bundle: str, pixels: np.ndarray, cascade: Cascade) -> None:
    nobody, everybody = (OperatingPoint(threshold=threshold, rule="r", data="d") for threshold in (1.0, 0.0))
    sites = {"North": SitePoints(operating_points={"pneumonia": nobody}), "South": SitePoints(operating_points={"pneumonia": everybody})}
    by_site = Cascade.from_bundle(bundle, device="cpu", dtype="float32", sites=sites)
    assert by_site.digest != cascade.digest
    own = {stage: point.threshold for stage, point in cascade.manifest.operating_points.items()}
    for site, judge, threshold, reached in [
        ("North", "site", 1.0, False),
        ("South", "site", 0.0, True),
        ("East", "bundle", own["pneumonia"], None),
    ]:
        rows = score_rows(decoded(pixels, site), by_site, CONFIG).to_pylist()
        assert {row["operating_point"] for row in rows[::2]} == {None}  # a refused row was judged by none
        for row in rows[1::2]:
            assert (row["operating_point"], row["pneumonia_threshold"]) == (judge, threshold)
            assert row["covid_threshold"] == (own["covid"] if row["stage_reached"] == "covid" else None)
            assert row["pneumonia_positive"] == (row["pneumonia_score"] >= threshold) == (row["stage_reached"] == "covid")
            assert reached is None or row["pneumonia_positive"] == reached

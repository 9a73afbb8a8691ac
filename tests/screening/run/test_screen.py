"""Whole nights on a real local Ray: every object has its row, whatever happens meanwhile."""

import dataclasses
import os
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import fsspec
import numpy as np
import pytest

from schemas.bundle import OperatingPoint, Overrides, SitePoints
from schemas.operating_points import Evidence, OperatingPoints
from schemas.run import RunManifest
from screening.archive.index import scan
from screening.benchmark.random_bundle import save_random_bundle
from screening.bundle.checks import load_manifest
from screening.bundle.operating_points import save
from screening.cascade.cascade import Cascade
from screening.errors import BundleError, UsageError
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest
from screening.registry import steps
from screening.results.layout import ResultsLayout
from screening.results.manifests import list_runs
from screening.results.parts import list_parts, read_part
from screening.run.progress import Progress
from screening.run.screen import screen
from tests.archives import phantom_dicom, phantom_pixels
from tests.nights import CONFIG, night, only, rows_of

pytestmark = pytest.mark.usefixtures("ray_cluster")


def stop(progress: Progress) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def first(archive: str, bundle: str, tmp_path_factory: pytest.TempPathFactory) -> RunManifest:
    """A night over the whole archive; its results are not to be changed."""
    return only(screen(night(archive, tmp_path_factory.mktemp("first") / "r", bundle)))


@pytest.fixture
def results(first: RunManifest, tmp_path: Path) -> Path:
    """A copy of the results of that night, for another one to go on with."""
    shutil.copytree(first.results_url, tmp_path / "r")
    return tmp_path / "r"


def test_every_object_has_one_row(first: RunManifest, archive: str, bundle: str) -> None:
    rows = rows_of(first.results_url, bundle)
    indexed = {object_id for batch in scan(archive) for object_id in batch.column("object_id").to_pylist()}
    assert sorted(rows.column("object_id").to_pylist()) == sorted(indexed)
    assert first.counts.written == first.counts.planned == first.counts.objects == len(indexed)
    assert sum(first.counts.outcomes.values()) == len(indexed)
    assert first.counts.outcomes["failed"] == 0
    assert set(first.counts.reasons) == set(filter(None, rows.column("reason").to_pylist()))


def test_a_second_night_scores_nothing(first: RunManifest, results: Path, archive: str, bundle: str) -> None:
    rows = rows_of(results, bundle)
    second = only(screen(night(archive, results, bundle)))
    assert (second.counts.planned, second.counts.already_scored, second.status) == (0, first.counts.objects, "finished")
    assert rows_of(results, bundle).equals(rows)


@pytest.mark.slow  # two nights
def test_more_than_one_plan_holds_is_one_run_after_the_other(
    first: RunManifest, archive: str, bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = first.counts.objects
    most = objects // 2 + 1
    monkeypatch.setattr("screening.run.screen.MOST_PLANNED", most)
    runs = list(screen(night(archive, tmp_path / "r", bundle)))
    assert [(run.counts.written, run.counts.left_for_later) for run in runs] == [(most, objects - most), (objects - most, 0)]
    ids = [sorted(rows_of(results, bundle)["object_id"].to_pylist()) for results in (tmp_path / "r", first.results_url)]
    assert ids[0] == ids[1]


def test_rows_follow_the_cascade(first: RunManifest, bundle: str) -> None:
    rows = rows_of(first.results_url, bundle).to_pylist()
    scored = [row for row in rows if row["outcome"] == "scored"]
    assert {row["stage_reached"] for row in scored} == {"pneumonia", "covid"}
    for row in scored:
        reached = row["pneumonia_positive"] or row["audit_sample"]
        assert row["reason"] is None
        assert (row["covid_logit"] is not None) == reached == (row["covid_heatmap_url"] is not None) == (row["stage_reached"] == "covid")
        assert not (row["covid_positive"] and not row["pneumonia_positive"])
        assert (row["covid_guided_url"] is not None) == row["covid_positive"]
        assert row["pneumonia_score"] == pytest.approx(1 / (1 + np.exp(-row["pneumonia_logit"])), abs=1e-6)
    for row in rows:
        if row["outcome"] != "scored":
            assert row["pneumonia_logit"] is None
            assert row["covid_positive"] is None
            assert row["detail"]
    assert any(row["audit_sample"] for row in scored)
    assert not all(row["audit_sample"] or row["pneumonia_positive"] for row in scored)


def test_scores_of_a_run_and_of_one_image_at_a_time_are_equal(first: RunManifest, bundle: str) -> None:
    cascade = Cascade.from_bundle(bundle, device="cpu", dtype=CONFIG.rows.dtype)
    scored = [row for row in rows_of(first.results_url, bundle).to_pylist() if row["outcome"] == "scored"]
    compared = scored[:12]
    assert {row["covid_logit"] is None for row in compared} == {True, False}
    for row in compared:
        with fsspec.open(row["object_url"]) as file:
            pixels = ingest(file.read(), IngestConfig(), None).pixels
        alone = cascade(pixels[None, None], audit=np.array([row["audit_sample"]]), guided=False)
        assert alone.pneumonia_logit[0] == np.float32(row["pneumonia_logit"])
        if row["covid_logit"] is not None:
            assert alone.covid_logit[0] == np.float32(row["covid_logit"])


def test_a_new_bundle_scores_all_and_both_answers_stay(
    first: RunManifest, results: Path, archive: str, bundle: str, tmp_path: Path
) -> None:
    other = str(tmp_path / "b")
    save_random_bundle(other, phantom_pixels(4), seed=1)
    before = rows_of(results, bundle)
    run = only(screen(night(archive, results, other)))
    assert (run.counts.already_scored, run.counts.written) == (0, first.counts.objects)
    assert rows_of(results, bundle).equals(before)
    assert len(rows_of(results, other)) == first.counts.objects


def test_a_limit_takes_the_newest_and_leaves_the_rest_for_the_next_night(small_archive: Path, bundle: str, tmp_path: Path) -> None:
    for i, file in enumerate(sorted(small_archive.iterdir())):
        os.utime(file, (1_580_000_000 + i, 1_580_000_000 + i))
    limited = only(screen(night(small_archive, tmp_path / "r", bundle, limit=5)))
    assert (limited.counts.written, limited.counts.left_for_later) == (5, 7)
    newest = {Path(url).name for url in rows_of(tmp_path / "r", bundle).column("object_url").to_pylist()}
    assert newest == {f"{i:02}.dcm" for i in range(7, 12)}
    with pytest.raises(KeyboardInterrupt):  # its plan is enough
        only(screen(night(small_archive, tmp_path / "r", bundle), stop))
    *_, planned = list_runs(ResultsLayout(str(tmp_path / "r")))
    assert (planned.counts.already_scored, planned.counts.planned, planned.counts.left_for_later) == (5, 7, 0)


@pytest.mark.slow  # three nights
def test_a_run_that_stopped_is_resumed_from_its_own_plan(small_archive: Path, bundle: str, tmp_path: Path) -> None:
    def stop_after_one_shard(progress: Progress) -> None:
        if progress.outcomes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        only(screen(night(small_archive, tmp_path / "r", bundle), stop_after_one_shard))
    [stopped] = list_runs(ResultsLayout(str(tmp_path / "r")))
    assert (stopped.status, stopped.counts.planned) == ("failed", 12)

    (small_archive / "late.dcm").write_bytes(phantom_dicom(99))
    later = night(small_archive, tmp_path / "r", bundle, screen_date=date(2020, 3, 2))
    resumed, tonight = list(screen(later))
    assert (resumed.run_id, resumed.executions, resumed.status) == (stopped.run_id, 2, "finished")
    assert (resumed.screen_date, resumed.counts.written) == (date(2020, 3, 1), 12)
    assert (tonight.screen_date, tonight.counts.written) == (date(2020, 3, 2), 1)
    assert len(set(rows_of(tmp_path / "r", bundle).column("object_id").to_pylist())) == 13


def test_a_run_with_another_key_is_not_resumed(small_archive: Path, bundle: str, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        only(screen(night(small_archive, tmp_path / "r", bundle), stop))
    other = dataclasses.replace(night(small_archive, tmp_path / "r", bundle), pseudonym_key=b"another key for tests")
    with pytest.raises(UsageError, match="another pseudonym key"):
        list(screen(other))


@pytest.mark.slow  # two nights
def test_other_operating_points_are_another_bundle_in_all_but_weights(
    first: RunManifest, results: Path, archive: str, bundle: str, tmp_path: Path
) -> None:
    own = load_manifest(bundle)
    point = OperatingPoint(threshold=0.0, rule="everybody", data="none")
    counts = {"sensitivity_k": 1, "sensitivity_n": 1, "specificity_k": 0, "specificity_n": 1}
    evidence = Evidence(unit="patient", sensitivity_interval=None, specificity_interval=None, **counts)
    points = OperatingPoints(bundle_digest=own.digest(), chosen=date(2020, 3, 1), points={"pneumonia": point}, evidence=evidence)
    save(str(tmp_path / "points.json"), points)
    before = rows_of(results, bundle)
    all_positive = dataclasses.replace(night(archive, results, bundle), operating_points_url=str(tmp_path / "points.json"))
    run = only(screen(all_positive))
    assert run.counts.pneumonia_positive == run.counts.outcomes["scored"] == first.counts.outcomes["scored"]
    assert run.operating_points["pneumonia"] == point
    assert run.bundle_digest != own.digest()
    assert rows_of(results, bundle).equals(before)  # the answers at the bundle's own thresholds stay
    assert only(screen(all_positive)).counts.planned == 0

    [site, other, *_] = sorted({row["InstitutionName"] for row in before.to_pylist() if row["outcome"] == "scored"})
    save(
        str(tmp_path / "points.json"), points.model_copy(update={"points": {}, "sites": {site: SitePoints(operating_points=points.points)}})
    )
    by_site = only(screen(all_positive))
    assert by_site.bundle_digest not in (run.bundle_digest, own.digest())
    rows = [row for part in list_parts(ResultsLayout(by_site.results_url), by_site.bundle_digest) for row in read_part(part).to_pylist()]
    judged = {row["InstitutionName"]: (row["operating_point"], row["pneumonia_threshold"]) for row in rows if row["outcome"] == "scored"}
    assert (judged[site], judged[other]) == (("site", 0.0), ("bundle", own.operating_points["pneumonia"].threshold))
    assert all(row["pneumonia_positive"] for row in rows if row["InstitutionName"] == site and row["outcome"] == "scored")

    save(str(tmp_path / "points.json"), points.model_copy(update={"bundle_digest": "0" * 64}))
    with pytest.raises(UsageError, match="for bundle 000000000000"):
        list(screen(all_positive))


@pytest.mark.slow  # three nights
def test_the_manifest_says_which_entry_of_the_registry_judged_and_that_another_is_promoted(
    small_archive: Path, bundle: str, tmp_path: Path
) -> None:
    asked = night(small_archive, tmp_path / "r", bundle)
    everybody = OperatingPoint(threshold=0.0, rule="everybody", data="none")
    first, second = (
        steps.register(asked.layout, bundle, points, who="ann", why="a test")
        for points in (Overrides(), Overrides(operating_points={"pneumonia": everybody}))
    )
    steps.promote(asked.layout, first.bundle_digest, who="ann", why="the first")
    run = only(screen(asked))
    assert (run.registry_entry, run.promoted_digest, run.not_promoted) == (3, run.bundle_digest, "")

    entry = steps.promote(asked.layout, second.bundle_digest, who="ann", why="finds more", without_shadow="a test")
    run = only(screen(asked))
    assert (run.registry_entry, run.promoted_digest) == (None, second.bundle_digest)
    assert second.bundle_digest[:12] in run.not_promoted
    run = only(screen(dataclasses.replace(asked, promoted=entry)))
    assert (run.registry_entry, run.bundle_digest, run.operating_points) == (4, second.bundle_digest, {"pneumonia": everybody})
    assert run.counts.pneumonia_positive == run.counts.outcomes["scored"]


def test_a_damaged_bundle_is_refused_before_anything_is_read(small_archive: Path, bundle: str, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "damaged")
    weights = tmp_path / "damaged" / load_manifest(bundle).networks["covid"].file
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BundleError, match="covid"):
        list(screen(night(small_archive, tmp_path / "r", str(tmp_path / "damaged"))))
    assert not (tmp_path / "r").exists()


def test_results_inside_the_archive_are_refused(small_archive: Path, bundle: str) -> None:
    with pytest.raises(UsageError, match="inside the archive"):
        list(screen(night(small_archive, small_archive / "results", bundle)))


@pytest.mark.slow  # two nights
def test_a_deadline_leaves_the_rest_for_the_next_run(archive: str, bundle: str, tmp_path: Path) -> None:
    late = dataclasses.replace(night(archive, tmp_path / "r", bundle), deadline=datetime.now(UTC))
    stopped = only(screen(late))
    counts = stopped.counts
    assert stopped.status == "stopped"
    assert 0 < counts.written == counts.planned < counts.objects == counts.planned + counts.left_for_later
    rest = only(screen(night(archive, tmp_path / "r", bundle, screen_date=date(2020, 3, 2))))
    assert rest.status == "finished"
    assert rest.counts.planned == rest.counts.written == counts.left_for_later
    rows = rows_of(tmp_path / "r", bundle)
    assert len(set(rows["object_id"].to_pylist())) == len(rows) == counts.objects

"""Whole nights on a real local Ray: every object has its row, whatever happens meanwhile."""

import dataclasses
import os
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pytest

from schemas.bundle import OperatingPoint
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
from screening.results.layout import ResultsLayout
from screening.results.manifests import list_runs
from screening.results.parts import list_parts, read_part
from screening.run import pipeline
from screening.run.config import MachineConfig, RunConfig
from screening.run.progress import Progress
from screening.run.redrive import Redrive, redrive
from screening.run.screen import Night, screen
from screening.shard.config import RowConfig
from tests.archives import archive_pixels, phantom_archive, phantom_dicom, phantom_pixels
from tests.nights import configured

pytestmark = pytest.mark.usefixtures("ray_cluster")

KEY = b"a pseudonym key for tests"
CONFIG = RunConfig(RowConfig(date(2020, 3, 1), audit_fraction=0.5), MachineConfig(actors=1, decoders=2), shard_rows=8)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    return phantom_archive(tmp_path_factory.mktemp("archive"), studies=24, seed=3)


@pytest.fixture(scope="module")
def bundle(archive: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Calls half of the archive's images positive, so that some of the others are not drawn for the audit."""
    folder = str(tmp_path_factory.mktemp("bundles") / "a")
    save_random_bundle(folder, archive_pixels(archive))
    return folder


@pytest.fixture
def small_archive(tmp_path: Path) -> Path:
    """Twelve plain files in a folder that a test may change."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for i in range(12):
        (folder / f"{i:02}.dcm").write_bytes(phantom_dicom(i, ("normal", "covid")[i % 2]))
    return folder


def night(archive: object, results: object, bundle: str, **changes: object) -> Night:
    return Night(str(archive), str(results), bundle, configured(CONFIG, **changes), KEY)


def rows_of(results: object, bundle: str) -> pa.Table:
    layout = ResultsLayout(str(results))
    return pa.concat_tables(read_part(part) for part in list_parts(layout, load_manifest(bundle).digest()))


def only(runs: Iterator[RunManifest]) -> RunManifest:
    [run] = runs
    return run


def test_every_object_has_one_row_and_a_second_night_scores_nothing(archive: str, bundle: str, tmp_path: Path) -> None:
    first = only(screen(night(archive, tmp_path / "r", bundle)))
    rows = rows_of(tmp_path / "r", bundle)
    indexed = {object_id for batch in scan(archive) for object_id in batch.column("object_id").to_pylist()}
    assert sorted(rows.column("object_id").to_pylist()) == sorted(indexed)
    assert first.counts.written == first.counts.planned == first.counts.objects == len(indexed)
    assert sum(first.counts.outcomes.values()) == len(indexed)
    assert first.counts.outcomes["failed"] == 0
    assert set(first.counts.reasons) == set(filter(None, rows.column("reason").to_pylist()))

    second = only(screen(night(archive, tmp_path / "r", bundle)))
    assert (second.counts.planned, second.counts.already_scored, second.status) == (0, len(indexed), "finished")
    assert rows_of(tmp_path / "r", bundle).equals(rows)


def test_rows_follow_the_cascade(archive: str, bundle: str, tmp_path: Path) -> None:
    only(screen(night(archive, tmp_path / "r", bundle)))
    rows = rows_of(tmp_path / "r", bundle).to_pylist()
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


def test_scores_of_a_run_and_of_one_image_at_a_time_are_equal(small_archive: Path, bundle: str, tmp_path: Path) -> None:
    only(screen(night(small_archive, tmp_path / "r", bundle)))
    cascade = Cascade.from_bundle(bundle, device="cpu", dtype=CONFIG.rows.dtype)
    for row in rows_of(tmp_path / "r", bundle).to_pylist():
        with fsspec.open(row["object_url"]) as file:
            pixels = ingest(file.read(), IngestConfig(), None).pixels
        alone = cascade(pixels[None, None], audit=np.array([row["audit_sample"]]), guided=False)
        assert alone.pneumonia_logit[0] == np.float32(row["pneumonia_logit"])
        if row["covid_logit"] is not None:
            assert alone.covid_logit[0] == np.float32(row["covid_logit"])


def test_a_new_bundle_scores_all_and_both_answers_stay(small_archive: Path, bundle: str, tmp_path: Path) -> None:
    other = str(tmp_path / "b")
    save_random_bundle(other, phantom_pixels(8), seed=1)
    only(screen(night(small_archive, tmp_path / "r", bundle)))
    before = rows_of(tmp_path / "r", bundle)
    run = only(screen(night(small_archive, tmp_path / "r", other)))
    assert (run.counts.already_scored, run.counts.written) == (0, 12)
    assert rows_of(tmp_path / "r", bundle).equals(before)
    assert len(rows_of(tmp_path / "r", other)) == 12


def test_a_limit_takes_the_newest_and_leaves_the_rest_for_the_next_night(small_archive: Path, bundle: str, tmp_path: Path) -> None:
    for i, file in enumerate(sorted(small_archive.iterdir())):
        os.utime(file, (1_580_000_000 + i, 1_580_000_000 + i))
    first = only(screen(night(small_archive, tmp_path / "r", bundle, limit=5)))
    assert (first.counts.written, first.counts.left_for_later) == (5, 7)
    newest = {Path(url).name for url in rows_of(tmp_path / "r", bundle).column("object_url").to_pylist()}
    assert newest == {f"{i:02}.dcm" for i in range(7, 12)}
    second = only(screen(night(small_archive, tmp_path / "r", bundle)))
    assert (second.counts.already_scored, second.counts.written) == (5, 7)


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
    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        only(screen(night(small_archive, tmp_path / "r", bundle), stop))
    other = dataclasses.replace(night(small_archive, tmp_path / "r", bundle), pseudonym_key=b"another key for tests")
    with pytest.raises(UsageError, match="another pseudonym key"):
        list(screen(other))


def test_a_lost_object_is_a_failed_row_that_can_be_redriven(small_archive: Path, bundle: str, tmp_path: Path) -> None:
    lost = small_archive / "03.dcm"

    def lose_it(progress: Progress) -> None:
        if lost.exists():
            shutil.move(lost, tmp_path / "03.dcm")

    run = only(screen(night(small_archive, tmp_path / "r", bundle), lose_it))
    assert (run.counts.outcomes["failed"], run.counts.reasons) == (1, {"object_missing": 1})
    assert only(screen(night(small_archive, tmp_path / "r", bundle))).counts.planned == 0

    shutil.move(tmp_path / "03.dcm", lost)
    assert redrive(Redrive(str(tmp_path / "r"), KEY, reasons=frozenset({"decode_timeout"}))) == []
    [again] = redrive(Redrive(str(tmp_path / "r"), KEY))
    assert (again.kind, again.counts.outcomes) == ("redrive", {"scored": 1})
    rows = rows_of(tmp_path / "r", bundle)
    assert len(rows) == len(set(rows.column("object_id").to_pylist())) == 12
    assert set(rows.column("outcome").to_pylist()) == {"scored"}
    assert redrive(Redrive(str(tmp_path / "r"), KEY)) == []


KILLER = "05.dcm"


class KilledByOneImage(pipeline.CascadeActor):
    """An actor whose process one image kills, every time."""

    def __call__(self, decoded: pa.Table) -> pa.Table:
        if any(
            url.endswith(KILLER) and pixels.is_valid
            for url, pixels in zip(decoded["object_url"].to_pylist(), decoded["pixels"], strict=True)
        ):
            os._exit(1)
        return super().__call__(decoded)


def killed_once(flag: Path) -> type[pipeline.CascadeActor]:
    """Return an actor whose process dies at the first call of all."""

    class KilledOnce(pipeline.CascadeActor):
        def __call__(self, decoded: pa.Table) -> pa.Table:
            if not flag.exists():
                flag.touch()
                os._exit(1)
            return super().__call__(decoded)

    return KilledOnce


def test_the_loss_of_an_actor_costs_no_row(small_archive: Path, bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "CascadeActor", killed_once(tmp_path / "flag"))
    run = only(screen(night(small_archive, tmp_path / "r", bundle)))
    assert (tmp_path / "flag").exists()
    assert run.counts.outcomes == {"scored": 12, "rejected": 0, "failed": 0}


@pytest.mark.slow
def test_an_image_that_kills_its_worker_becomes_a_failed_row(
    small_archive: Path, bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "CascadeActor", KilledByOneImage)
    run = only(screen(night(small_archive, tmp_path / "r", bundle)))
    assert run.counts.reasons == {"worker_died": 1}
    assert run.counts.outcomes["scored"] == 11
    [failed] = [row for row in rows_of(tmp_path / "r", bundle).to_pylist() if row["outcome"] == "failed"]
    assert failed["object_url"].endswith(KILLER)


def test_other_operating_points_are_another_bundle_in_all_but_weights(small_archive: Path, bundle: str, tmp_path: Path) -> None:
    own = load_manifest(bundle)
    point = OperatingPoint(threshold=0.0, rule="everybody", data="none")
    counts = {"sensitivity_k": 1, "sensitivity_n": 1, "specificity_k": 0, "specificity_n": 1}
    evidence = Evidence(unit="patient", sensitivity_interval=None, specificity_interval=None, **counts)
    points = OperatingPoints(bundle_digest=own.digest(), chosen=date(2020, 3, 1), points={"pneumonia": point}, evidence=evidence)
    save(str(tmp_path / "points.json"), points)
    only(screen(night(small_archive, tmp_path / "r", bundle)))
    all_positive = dataclasses.replace(night(small_archive, tmp_path / "r", bundle), operating_points_url=str(tmp_path / "points.json"))
    run = only(screen(all_positive))
    assert run.counts.pneumonia_positive == run.counts.written == 12
    assert run.operating_points["pneumonia"] == point
    assert run.bundle_digest != own.digest()
    assert len(rows_of(tmp_path / "r", bundle)) == 12  # the answers at the bundle's own thresholds stay
    assert only(screen(all_positive)).counts.planned == 0

    save(str(tmp_path / "points.json"), points.model_copy(update={"bundle_digest": "0" * 64}))
    with pytest.raises(UsageError, match="for bundle 000000000000"):
        list(screen(all_positive))


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

"""Failed rows are scored again and take the place of the old ones; what cannot be redriven is refused."""

import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from schemas.reasons import Reason
from schemas.run import RunManifest
from screening.bundle.checks import load_manifest
from screening.errors import BundleError, ResultsError, UsageError
from screening.privacy import key_id_of
from screening.results.layout import ResultsLayout
from screening.results.manifests import now, write_manifest
from screening.run.plan import PlanReader, cut_into_shards, write_plan
from screening.run.progress import Progress
from screening.run.redrive import Redrive, redrive
from screening.run.screen import screen
from tests.nights import CONFIG, KEY, night, only, rows_of
from tests.screening.instance_rows import refused_row, write_instances
from tests.screening.run.plans import index


@pytest.mark.slow  # two nights and a redrive
@pytest.mark.usefixtures("ray_cluster")
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


@pytest.fixture
def failed(bundle: str, tmp_path: Path) -> Redrive:
    """A run of two shards, written by hand, each of which has a failed row."""
    request = Redrive(str(tmp_path / "r"), KEY, bundle)
    layout, manifest = request.layout, load_manifest(bundle)
    plan = list(cut_into_shards([index(2)], [1, 1], salt="s"))
    write_plan(plan, layout.plan("run"))
    planned = pa.concat_tables(plan).drop_columns(["shard_row", "object_modified"])
    rows = [refused_row(i, Reason.READ_FAILED, **row) for i, row in enumerate(planned.to_pylist())]
    write_instances(request.results_url, [row | {"bundle_digest": manifest.digest()} for row in rows])
    facts = {"archive_url": "a", "results_url": request.results_url, "bundle_url": bundle, "bundle_name": manifest.name}
    configuration = CONFIG.to_json() | {"pseudonym_key_id": key_id_of(KEY)}
    run = RunManifest(
        run_id="run", status="finished", bundle_digest=manifest.digest(), screen_date=date(2020, 3, 1), configuration=configuration,
        started=now(), **facts,
    )  # fmt: skip
    write_manifest(layout, run)
    return request


@pytest.mark.usefixtures("ray_cluster")
def test_the_plan_of_a_redrive_has_the_failed_rows_in_their_old_shards(failed: Redrive) -> None:
    """It is stopped before anything is scored."""

    def stop(progress: Progress) -> None:
        assert (progress.planned, progress.resumed) == (2, 0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        redrive(failed, stop)
    [again] = [run for run in Path(failed.layout.runs).iterdir() if run.name != "run"]
    before, after = (PlanReader(failed.layout.plan(name)).shards() for name in ("run", again.name))
    assert [(shard.shard_id, shard.rows) for shard in after] == [(shard.shard_id, 1) for shard in before]


def test_rows_with_other_reasons_are_left_alone(failed: Redrive) -> None:
    assert redrive(Redrive(failed.results_url, KEY, failed.bundle_url, frozenset({"decode_timeout"}))) == []


def test_where_no_run_has_written(tmp_path: Path, bundle: str) -> None:
    with pytest.raises(UsageError, match="no run has written here"):
        redrive(Redrive(str(tmp_path), KEY, bundle))


def test_another_key_would_give_persons_two_pseudonyms(failed: Redrive) -> None:
    with pytest.raises(UsageError, match="run run was made with another pseudonym key"):
        redrive(Redrive(failed.results_url, b"another key for tests", failed.bundle_url))


def test_a_bundle_that_is_gone(failed: Redrive, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="none"):
        redrive(Redrive(failed.results_url, KEY, str(tmp_path / "none")))


def test_failed_rows_of_a_run_whose_folder_was_removed(failed: Redrive) -> None:
    layout = ResultsLayout(failed.results_url)
    write_plan(cut_into_shards([index(1)], [1], salt="another"), layout.plan("run"))
    with pytest.raises(ResultsError, match=r"2 shards with failed rows belong to no run of .*were run folders removed"):
        redrive(failed)
    shutil.rmtree(layout.runs)
    with pytest.raises(UsageError, match="no run has written here"):
        redrive(failed)

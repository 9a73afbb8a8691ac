"""A whole night on a real local Ray, its record, and how one that died is gone on with."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.bundle import OperatingPoint, Overrides
from schemas.nightly import STEPS, AlertTo, MonitorStep, NightlyConfig, NightRecord, ReportStep, RetainStep, StepRecord
from screening.benchmark.random_bundle import save_random_bundle
from screening.errors import LockedError, ResultsError, WriteError
from screening.nightly.night import Job, Watch, carry_out, date_of_tonight, foretold_end, list_nights
from screening.registry.steps import promote, register
from screening.results.layout import ResultsLayout
from screening.results.lock import Lease, holding
from screening.results.manifests import now
from screening.run.progress import Progress, show_nothing
from screening.storage import put_atomic
from tests.archives import phantom_dicom, phantom_pixels
from tests.nights import night, rows_of, summary
from tests.web_hook import web_hook


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    with web_hook() as given:
        yield given


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("bundle") / "a")
    save_random_bundle(folder, phantom_pixels(8))
    return folder


def job_of(tmp_path: Path, bundle: str, url: str, **told: Any) -> Job:
    """Return a job over six radiographs and a file that is none."""
    archive = tmp_path / "archive"
    archive.mkdir(exist_ok=True)
    for seed in range(6):
        (archive / f"{seed}.dcm").write_bytes(phantom_dicom(seed, "normal"))
    (archive / "text.dcm").write_bytes(b"no image")
    alert = AlertTo(url=url, also_good_nights=True)
    config = NightlyConfig(archive=str(archive), results=str(tmp_path / "r"), alert=alert, **told)
    return Job(config, night(archive, tmp_path / "r", bundle))


@pytest.mark.usefixtures("ray_cluster")
def test_a_night_does_every_step_and_tells_of_its_end(tmp_path: Path, bundle: str, hook: tuple[str, list]) -> None:
    url, got = hook
    limits = MonitorStep(limits={"max_rejected_share": 0.1, "min_scored": 3}, min_images=1)
    point = OperatingPoint(threshold=0.5, rule="r", data="d")
    other = register(ResultsLayout(str(tmp_path / "r")), bundle, Overrides(operating_points={"covid": point}), who="ann", why="a test")
    promote(ResultsLayout(str(tmp_path / "r")), other.bundle_digest, who="ann", why="a test")
    said: list[str] = []
    record = carry_out(
        job_of(tmp_path, bundle, url, monitor=limits, report=ReportStep(gallery=0), retain=RetainStep(heatmaps_after=30)),
        show_nothing,
        said.append,
    )
    assert record.status == "finished"
    assert [step.status for step in record.steps] == ["finished"] * 6
    assert "7 of 7 objects answered" in record.step("run").detail
    assert record.step("redrive").detail == "no failed rows"
    assert record.step("compact").detail == "0 files merged, 1 hold all rows"
    assert Path(record.step("report").detail.removeprefix("file://")).read_text().startswith("<!doctype html>")
    assert record.step("retain").detail == "0 heatmap files of 0 nights removed"
    assert [message["event"] for message in got] == ["not_promoted", "limit_crossed", "finished"]
    assert other.bundle_digest[:12] in got[0]["message"]
    assert "rejected_share" in got[1]["message"]
    assert len(said) == 6
    assert list(list_nights(ResultsLayout(str(tmp_path / "r")))) == [record]
    assert len(rows_of(tmp_path / "r", bundle)) == 7


@pytest.mark.slow  # two nights
@pytest.mark.usefixtures("ray_cluster")
def test_what_more_than_one_run_did_is_told_together(
    tmp_path: Path, bundle: str, hook: tuple[str, list], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("screening.run.screen.MOST_PLANNED", 4)
    step = carry_out(job_of(tmp_path, bundle, hook[0], report=ReportStep(enabled=False)), show_nothing).step("run")
    assert len(step.runs) == 2
    assert step.detail.startswith("7 of 7 objects answered in 2 runs, ")
    assert step.detail.endswith(" 1 rejected, 0 failed")


@pytest.mark.slow  # two nights
@pytest.mark.usefixtures("ray_cluster")
def test_a_night_that_died_is_gone_on_with(tmp_path: Path, bundle: str, hook: tuple[str, list]) -> None:
    url, got = hook
    job = job_of(tmp_path, bundle, url, report=ReportStep(output=str(tmp_path / "archive/0.dcm/report.html")))
    with pytest.raises(WriteError):
        carry_out(job, show_nothing)
    assert [message["event"] for message in got] == ["failed"]
    [died] = list_nights(job.layout)
    assert (died.status, died.step("run").status, died.step("report").status) == ("failed", "finished", "failed")
    assert "a file is in the place of a folder" in died.step("report").detail
    assert date_of_tonight(job.layout, died.archive_url, died.started + timedelta(hours=3)) == died.screen_date
    assert date_of_tonight(job.layout, died.archive_url, died.started + timedelta(days=2)) == (died.started + timedelta(days=2)).date()
    assert date_of_tonight(job.layout, "another archive", died.started) == died.started.date() != died.screen_date
    mended = dataclasses.replace(job, config=job.config.model_copy(update={"report": ReportStep(enabled=False)}))
    record = carry_out(mended, show_nothing)
    assert (record.night_id, record.executions, record.status) == (died.night_id, 2, "finished")
    assert record.step("run").finished == died.step("run").finished, "what was done is not done again"
    assert record.step("report").status == "skipped"


def died_after_its_deadline(job: Job) -> NightRecord:
    """Write the record of a night whose run was stopped, and which died then."""
    steps = [StepRecord(name=name) for name in STEPS if name != "compact"]  # as an earlier version has written it
    steps[0].status, steps[0].detail = "stopped", "4 left for the next night"
    facts = {"archive_url": job.night.archive_name, "results_url": job.night.results_url, "started": now(), "steps": steps}
    record = NightRecord(night_id="died", screen_date=job.night.config.rows.screen_date, **facts)
    put_atomic(job.layout.night_record("died"), record.model_dump_json().encode())
    return record


def test_a_night_that_died_after_its_deadline_goes_on_and_was_stopped(tmp_path: Path, hook: tuple[str, list]) -> None:
    url, got = hook
    job = job_of(tmp_path, "b", url, monitor=MonitorStep(enabled=False), report=ReportStep(enabled=False))
    died_after_its_deadline(job)
    record = carry_out(job, show_nothing)
    assert (record.night_id, record.status, record.executions) == ("died", "stopped", 2)
    assert [step.status for step in record.steps] == ["stopped", "skipped", "finished", "skipped", "skipped", "skipped"]
    assert record.step("redrive").detail == "the deadline has passed"
    assert [message["event"] for message in got] == ["stopped", "finished"]


def test_a_night_that_lost_its_lock_leaves_the_record_to_the_other(tmp_path: Path, hook: tuple[str, list]) -> None:
    url, got = hook
    job = job_of(tmp_path, "b", url, monitor=MonitorStep(enabled=False), report=ReportStep(enabled=False))
    died_after_its_deadline(job)

    def lose(line: str) -> None:
        raise LockedError("taken over by another process")

    with pytest.raises(LockedError):
        carry_out(job, show_nothing, lose)
    [left] = list_nights(job.layout)
    assert (left.status, left.finished, got) == ("running", None, [])


def test_the_second_of_two_nights_does_nothing(tmp_path: Path, hook: tuple[str, list]) -> None:
    url, got = hook
    job = job_of(tmp_path, "no bundle is needed", url)
    with holding(job.night.results_url, "another night"), pytest.raises(LockedError, match="another night"):
        carry_out(job, show_nothing)
    assert list(list_nights(job.layout)) == []
    assert got == []


def watched(job: Job, deadline: datetime, said: list[str]) -> tuple[Watch, NightRecord]:
    record = NightRecord(
        night_id="n", screen_date=job.night.config.rows.screen_date, archive_url="a", results_url="r", deadline=deadline,
        started=deadline, steps=[],
    )  # fmt: skip
    return Watch(job, record, Lease(), show_nothing, said.append), record


def test_a_night_that_will_be_late_says_so_once(tmp_path: Path, hook: tuple[str, list]) -> None:
    url, got = hook
    said: list[str] = []
    watch, record = watched(job_of(tmp_path, "b", url), datetime.now(UTC) + timedelta(minutes=1), said)
    progress = Progress("r", planned=1000, started=-1e5)
    watch(progress)
    assert got == said == [], "nothing is foretold of nothing"
    progress.add(summary(100))
    watch(progress)
    watch(progress)
    assert [message["event"] for message in got] == ["late"]
    assert "images will be left" in got[0]["message"]
    assert len(said) == len(record.told) == 1
    in_time, _ = watched(job_of(tmp_path, "b", url), foretold_end(progress, datetime.now(UTC)) + timedelta(days=1), said)
    in_time(progress)
    assert len(got) == 1


def test_a_run_that_lost_its_lock_ends(tmp_path: Path, hook: tuple[str, list]) -> None:
    lease = Lease()
    watch = Watch(
        job_of(tmp_path, "b", hook[0]), watched(job_of(tmp_path, "b", hook[0]), datetime.now(UTC), [])[1], lease, show_nothing, str
    )
    lease.lose("another process")
    with pytest.raises(LockedError, match="another process"):
        watch(Progress("r", planned=10))


def test_a_record_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    layout = ResultsLayout(str(tmp_path))
    (tmp_path / "nights").mkdir()
    (tmp_path / "nights/x.json").write_text("{}")
    with pytest.raises(ResultsError, match=r"x\.json: not the record of a night"):
        list(list_nights(layout))

"""Manifests: true while a run goes on and however it ends, in the order of time, and the one to resume."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.bundle import BundleManifest, OperatingPoint
from schemas.run import RunManifest
from screening.errors import ResultsError, WriteError
from screening.results.layout import ResultsLayout
from screening.results.manifests import bundle_of, list_runs, new_run_id, now, recorded, software_versions, unfinished_run, write_manifest

START = datetime(2020, 3, 1, 23, 0, tzinfo=UTC)


@pytest.fixture
def layout(tmp_path: Path) -> ResultsLayout:
    return ResultsLayout(str(tmp_path))


def manifest(run_id: str = "a", **changes: object) -> RunManifest:
    """Return the manifest of a run that is being planned."""
    facts = {"archive_url": "archive", "results_url": "results", "bundle_url": "bundle", "bundle_name": "b", "bundle_digest": "d"}
    return RunManifest(**(facts | {"run_id": run_id, "screen_date": START.date(), "configuration": {}, "started": START} | changes))


def stored(layout: ResultsLayout) -> RunManifest:
    [run] = list_runs(layout)
    return run


def test_names_of_runs_sort_by_time_and_differ_within_a_second() -> None:
    names = [new_run_id(START + timedelta(seconds=second)) for second in (0, 1, 60, 86_400)]
    assert names == sorted(names)
    assert names[0].startswith("20200301T230000Z-")
    assert len({new_run_id(START) for _ in range(50)}) == 50


def test_the_time_is_utc_to_the_second() -> None:
    assert (now().utcoffset(), now().microsecond) == (timedelta(0), 0)


def test_versions_name_what_touches_pixels() -> None:
    versions = software_versions()
    assert versions["instance_schema"] == "2"
    assert {"python", "pydicom", "imagecodecs", "torch", "ray"} <= versions.keys()
    assert "unknown" not in (versions["pydicom"], versions["torch"])


def test_a_run_is_running_and_then_finished(layout: ResultsLayout) -> None:
    with recorded(layout, manifest()) as run:
        assert (stored(layout).status, stored(layout).finished) == ("running", None)
        run.counts.written = 7
    ended = stored(layout)
    assert (ended.status, ended.error, ended.counts.written) == ("finished", None, 7)
    assert ended.finished >= START
    assert ended.times.wall_seconds > 0


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ResultsError("run a: 3 rows are missing"), "ResultsError: run a: 3 rows are missing"),
        (ValueError("Doe^Jane is no date"), "ValueError: see the log of the run"),
        (FileNotFoundError(2, "No such file or directory", "/archive/Doe^Jane.dcm"), "FileNotFoundError: No such file or directory"),
        (KeyboardInterrupt(), "KeyboardInterrupt: see the log of the run"),
    ],
)
def test_a_run_that_fails_says_why_and_quotes_no_value(layout: ResultsLayout, error: BaseException, said: str) -> None:
    with pytest.raises(type(error)), recorded(layout, manifest()):
        raise error
    assert (stored(layout).status, stored(layout).error) == ("failed", said)
    assert stored(layout).finished is not None


def test_a_run_that_finds_the_folder_full_says_so_and_is_resumed(layout: ResultsLayout) -> None:
    full = WriteError("no space is left there")

    def fill_up() -> None:
        """Make the run's folder take no file any more, its manifest neither."""
        folder = Path(layout.manifest("a")).parent
        folder.rename(folder.with_name("kept"))
        folder.write_text("a file")
        raise full

    with pytest.raises(WriteError) as raised, recorded(layout, manifest()):
        fill_up()
    assert raised.value is full
    Path(layout.manifest("a")).parent.unlink()
    assert unfinished_run(layout, "archive", "d").status == "running"


def test_a_resumed_run_forgets_its_earlier_error(layout: ResultsLayout) -> None:
    with recorded(layout, manifest(status="failed", error="ResultsError: earlier", finished=START)):
        assert (stored(layout).status, stored(layout).error, stored(layout).finished) == ("running", None, None)
    assert (stored(layout).status, stored(layout).error) == ("finished", None)


def test_runs_come_oldest_first(layout: ResultsLayout) -> None:
    assert list(list_runs(layout)) == []
    for run_id in ("20200302T230000Z-000000", "20200301T230000Z-ffffff", "20200303T230000Z-aaaaaa"):
        write_manifest(layout, manifest(run_id))
    assert [run.run_id[:8] for run in list_runs(layout)] == ["20200301", "20200302", "20200303"]


@pytest.mark.parametrize("text", ["{", "{}", '{"run_id": "a", "surprise": 1}'])
def test_a_manifest_that_cannot_be_read_is_named(layout: ResultsLayout, text: str) -> None:
    file = Path(layout.manifest("a"))
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(ResultsError, match=r"runs/a/manifest\.json: not a run manifest of this version .*move that run's folder away"):
        list(list_runs(layout))


def test_the_oldest_dead_run_over_this_archive_with_this_bundle_is_resumed(layout: ResultsLayout) -> None:
    others = [manifest("1", status="finished"), manifest("2", status="failed", archive_url="other")]
    others += [manifest("3", status="running", bundle_digest="e"), manifest("4", status="failed", kind="redrive")]
    for run in others:
        write_manifest(layout, run)
    assert unfinished_run(layout, "archive", "d") is None
    for run_id, status in (("6", "running"), ("5", "failed"), ("7", "planning")):
        write_manifest(layout, manifest(run_id, status=status))
    assert unfinished_run(layout, "archive", "d").run_id == "5"


def test_the_bundle_of_a_run_with_its_operating_points(tmp_path: Path) -> None:
    bundle = BundleManifest(name="b", networks={}, operating_points={"covid": point(0.5)})
    (tmp_path / "bundle.json").write_text(bundle.model_dump_json())
    other = bundle.model_copy(update={"operating_points": {"covid": point(0.7)}})
    plain = manifest("a", bundle_url=str(tmp_path), bundle_digest=bundle.digest())
    changed = manifest("b", bundle_url=str(tmp_path), bundle_digest=other.digest(), operating_points={"covid": point(0.7)})
    assert bundle_of([plain, changed], bundle.digest()) == bundle
    assert bundle_of([plain, changed], other.digest()) == other
    assert bundle_of([plain], other.digest()) is None
    (tmp_path / "bundle.json").write_text(bundle.model_copy(update={"name": "c"}).model_dump_json())
    assert bundle_of([plain], bundle.digest()) is None, "it was changed since"


def point(threshold: float) -> OperatingPoint:
    return OperatingPoint(threshold=threshold, rule="r", data="d")

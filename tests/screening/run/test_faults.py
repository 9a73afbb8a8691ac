"""Errors that are thrown on purpose in each part of a night are found in its log the next morning, by their frames and without a value."""

import ctypes
import dataclasses
import json
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from screening.benchmark.random_bundle import save_random_bundle
from screening.bundle.checks import load_manifest
from screening.errors import ResultsError, WriteError
from screening.results.layout import ResultsLayout
from screening.results.manifests import list_runs
from screening.results.parts import list_parts, read_part
from screening.results.run_log import entry_of, read_log
from screening.run import pipeline
from screening.run.config import MachineConfig, RunConfig
from screening.run.screen import Night, screen
from screening.shard.config import RowConfig
from screening.storage import TEMPORARY_PREFIX, list_files
from tests.archives import phantom_dicom, phantom_pixels
from tests.nights import configured
from tests.small_disk import fill, remount, small_disk

pytestmark = pytest.mark.usefixtures("ray_cluster")

SECRET = "TEST-1"  # a PatientID of the archive
CONFIG = RunConfig(RowConfig(date(2020, 3, 1)), MachineConfig(actors=1, decoders=2), shard_rows=4)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("bundle"))
    save_random_bundle(folder, phantom_pixels(8))
    return folder


@pytest.fixture
def night(bundle: str, tmp_path: Path) -> Night:
    (tmp_path / "archive").mkdir()
    for i in range(4):
        (tmp_path / "archive" / f"{i}.dcm").write_bytes(phantom_dicom(i))
    return Night(str(tmp_path / "archive"), str(tmp_path / "results"), bundle, CONFIG, b"a pseudonym key for tests")


class FailsOnOneImage(pipeline.CascadeActor):
    """An actor whose cascade raises at every shard with the pixels of one image, and quotes a header."""

    def __call__(self, decoded):
        cascade, fault = self._cascade, self.fault

        class Faulty:
            def __getattr__(self, name):
                return getattr(cascade, name)

            def __call__(self, pixels, **arguments):
                rows = zip(decoded.column("object_url").to_pylist(), decoded.column("pixels").is_valid().to_pylist(), strict=True)
                if any(url.endswith("2.dcm") and shown for url, shown in rows):
                    fault()
                return cascade(pixels, **arguments)

        self._cascade = Faulty()
        try:
            return super().__call__(decoded)
        finally:
            self._cascade = cascade

    def fault(self) -> None:
        raise ValueError(f"no such patient: {SECRET}")


@pytest.mark.slow  # Ray starts the actor anew, and each row is tried alone
def test_an_error_in_the_cascade(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "CascadeActor", FailsOnOneImage)
    [run] = screen(night)
    assert run.counts.reasons == {"worker_died": 1}
    rows = [row for part in list_parts(night.layout, load_manifest(night.bundle_url).digest()) for row in read_part(part).to_pylist()]
    [failed] = [row for row in rows if row["reason"]]
    lines = read_log(night.layout, run.run_id)
    of_the_row = [line for line in lines if line.get("entry") == entry_of(failed["object_id"])]
    assert f"log entry {entry_of(failed['object_id'])}" in failed["detail"]
    faults = [line for line in of_the_row if "fault" in line]
    assert {line["fault"]["type"] for line in faults} == {"ValueError"}
    functions = [frame["function"] for frame in faults[0]["fault"]["frames"]]
    assert functions[-3:] == ["_score_part", "__call__", "fault"]
    assert {(line["role"], line["shard_id"]) for line in faults} == {("cascade", failed["shard_id"])}
    assert "driver" in {line["role"] for line in of_the_row}
    assert SECRET not in json.dumps(lines)


class HangsOnce(FailsOnOneImage):
    """An actor whose cascade hangs the first time that it gets the pixels of one image, and holds Python's lock meanwhile."""

    def fault(self) -> None:
        try:
            Path(self._work.layout.root, "hung").open("x").close()
        except FileExistsError:
            return
        ctypes.PyDLL(None).sleep(600)


@pytest.mark.slow  # Ray starts the actor anew
def test_a_cascade_that_hangs_costs_no_row(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "CascadeActor", HangsOnce)
    night = dataclasses.replace(night, config=configured(CONFIG, call_seconds=10.0))
    started = time.monotonic()
    [run] = screen(night)
    assert (run.status, run.executions, run.counts.outcomes["scored"]) == ("finished", 1, 4)
    assert Path(night.results_url, "hung").exists()
    assert time.monotonic() - started < 300, "nobody waited for it to wake"
    assert "this process replaces one that ended" in json.dumps(
        [line for line in read_log(night.layout, run.run_id) if line["role"] == "cascade"]
    )


@pytest.mark.slow  # Ray tries a task again and again
def test_an_error_in_writing(night: Night) -> None:
    night, digest = dataclasses.replace(night, config=configured(CONFIG, heatmaps="all")), load_manifest(night.bundle_url).digest()

    def spoil(_: object) -> None:
        for plan in Path(night.results_url).glob("runs/*/plan.parquet"):
            [shard] = set(pq.read_table(plan, columns=["shard_id"])["shard_id"].to_pylist())
            Path(night.layout.heatmaps(digest, date(2020, 3, 1), shard)).mkdir(parents=True, exist_ok=True)  # where its zip file goes

    with pytest.raises(ResultsError, match=r"could not be committed.*screening status .* --log"):
        list(screen(night, spoil))  # as soon as the plan is written
    [run] = list_runs(ResultsLayout(night.results_url))
    assert run.status == "failed"
    lines = read_log(night.layout, run.run_id)
    faults = [line for line in lines if line["role"] == "write" and "fault" in line]
    assert faults
    for line in faults:
        functions = [frame["function"] for frame in line["fault"]["frames"]]
        assert "put_atomic" in functions
        assert functions[functions.index("put_atomic") + 1] == "_put_local"
    assert any(line["role"] == "driver" and line["level"] == "ERROR" for line in lines)


@pytest.mark.slow  # two nights each
@pytest.mark.parametrize(
    ("spoil", "mend", "said"),
    [
        (fill, lambda disk: (disk / "ballast").unlink(), r"no space is left there \(.*\); make space"),
        (lambda disk: remount(disk, "ro"), lambda disk: remount(disk, "rw"), r"it cannot be written to \(.*\); make it writable"),
    ],
    ids=["full", "read-only"],
)
def test_a_disk_that_takes_no_file_ends_the_night_and_a_mended_one_ends_with_all_rows(
    night: Night, tmp_path: Path, spoil: Callable[[Path], object], mend: Callable[[Path], object], said: str
) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        tonight = dataclasses.replace(night, results_url=str(disk / "results"), config=configured(CONFIG, heatmaps="all"))
        with pytest.raises(WriteError, match=f"^{disk}/results/.*: {said}, then give the same command again$"):
            list(screen(tonight, lambda progress: spoil(disk)))  # as soon as the plan is written
        assert list(disk.rglob(f"{TEMPORARY_PREFIX}*")) == []
        assert list_files(f"{disk}/results/instances") == []
        mend(disk)
        run, nothing = screen(tonight)
        assert (run.executions, run.status, run.counts.outcomes["scored"], nothing.counts.planned) == (2, "finished", 4, 0)
        rows = [row for part in list_parts(tonight.layout, run.bundle_digest) for row in read_part(part).to_pylist()]
        assert len({row["object_id"] for row in rows}) == len(rows) == 4


@pytest.mark.slow  # two nights
def test_a_part_that_was_damaged_is_moved_away_and_made_again(night: Night) -> None:
    [first] = screen(night)
    [part] = map(Path, (url.removeprefix("file://") for url in list_parts(night.layout, first.bundle_digest)))
    part.write_bytes(b"")
    with pytest.raises(ResultsError, match=f"^file://{part}: damaged, cut or no Parquet file; move it away"):
        list(screen(night))
    part.unlink()
    [run] = screen(night)
    assert (run.status, run.counts.written, run.counts.already_scored) == ("finished", 4, 0)


def test_a_quiet_night_says_who_took_part(night: Night) -> None:
    [run] = screen(night)
    lines = read_log(night.layout, run.run_id)
    assert {line["role"] for line in lines} == {"driver", "decode", "cascade", "write"}
    assert {line["level"] for line in lines} == {"INFO"}
    assert [line["message"].split(":")[0] for line in lines if line["role"] == "driver"] == ["run begins", "run finished"]

"""Nights whose rows name no object: they are planned, resumed and redriven like others, and never mixed with them."""

import dataclasses
import os
import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.run import RunManifest
from screening.archive.index import scan
from screening.benchmark.random_bundle import save_random_bundle
from screening.bundle.checks import load_manifest
from screening.errors import UsageError
from screening.privacy import UrlSeal
from screening.results.layout import ResultsLayout
from screening.results.manifests import list_runs, now, write_manifest
from screening.results.parts import list_parts, read_part
from screening.run.config import MachineConfig, RunConfig
from screening.run.progress import Progress
from screening.run.redrive import Redrive, redrive
from screening.run.screen import Night, screen
from screening.shard.config import RowConfig
from tests.archives import phantom_dicom, phantom_pixels
from tests.nights import configured

KEY = b"a pseudonym key for tests"
CONFIG = RunConfig(RowConfig(date(2020, 3, 1), heatmaps="all", encrypt_urls=True), MachineConfig(actors=1, decoders=1), shard_rows=8)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("bundles") / "a")
    save_random_bundle(folder, phantom_pixels(8))
    return folder


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    (folder / "Featherstonehaugh").mkdir(parents=True)
    for i in range(9):
        (folder / "Featherstonehaugh" / f"Wilhelmina-{i}.dcm").write_bytes(phantom_dicom(i))
    return folder


def rows_of(results: Path, bundle: str) -> pa.Table:
    return pa.concat_tables(read_part(part) for part in list_parts(ResultsLayout(str(results)), load_manifest(bundle).digest()))


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_a_night_is_resumed_and_redriven_and_names_nobody(archive: Path, bundle: str, tmp_path: Path) -> None:
    results, lost = tmp_path / "results", archive / "Featherstonehaugh" / "Wilhelmina-3.dcm"
    os.utime(lost, (1_580_000_000, 1_580_000_000))  # the oldest: it is in the last shard
    plain = pa.concat_tables(scan(str(archive)))
    night = Night(str(archive), str(results), bundle, CONFIG, KEY)

    def lose_and_stop(progress: Progress) -> None:
        if lost.exists():  # before anything is read
            shutil.move(lost, tmp_path / "kept.dcm")
        if progress.outcomes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(screen(night, lose_and_stop))
    resumed = next(screen(night))
    assert (resumed.executions, resumed.counts.written, resumed.counts.reasons) == (2, 9, {"object_missing": 1})
    shutil.move(tmp_path / "kept.dcm", lost)
    assert screen_again(night).counts.planned == 0
    [again] = redrive(Redrive(str(results), KEY))
    assert again.counts.outcomes == {"scored": 1}

    rows, seal = rows_of(results, bundle), UrlSeal(KEY)
    assert set(rows["outcome"].to_pylist()) == {"scored"}
    assert sorted(map(seal.open, rows["object_url"].to_pylist())) == sorted(plain["object_url"].to_pylist())
    assert sorted(rows["object_id"].to_pylist()) == sorted(map(seal.object_id, plain["object_id"].to_pylist()))
    assert {seal.open(run.archive_url) for run in list_runs(night.layout)} == {str(archive)}
    assert_nobody_is_named(results)


def screen_again(night: Night) -> RunManifest:
    [run] = screen(night)
    return run


def assert_nobody_is_named(results: Path) -> None:
    for file in results.rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        if file.suffix == ".parquet":
            content = str(pq.read_table(file).to_pylist()).encode()
        for name in (b"Featherstonehaugh", b"Wilhelmina"):
            assert name not in content + str(file.relative_to(results)).encode(), file


@pytest.mark.parametrize("encrypted", [True, False])
def test_rows_with_and_without_names_do_not_mix(encrypted: bool, archive: Path, bundle: str, tmp_path: Path) -> None:
    night = Night(str(archive), str(tmp_path / "results"), bundle, configured(CONFIG, encrypt_urls=encrypted), KEY)
    earlier = {"run_id": "r", "archive_url": "a", "results_url": "r", "bundle_url": "b", "bundle_name": "b", "bundle_digest": "d"}
    other = configured(CONFIG, encrypt_urls=not encrypted).to_json()
    write_manifest(night.layout, RunManifest(**earlier, screen_date=date(2020, 3, 1), configuration=other, started=now()))
    with pytest.raises(UsageError, match=f"begun {'without' if encrypted else 'with'} --encrypt-urls"):
        next(screen(night))


def test_a_run_of_an_earlier_version_has_names() -> None:
    stored = CONFIG.to_json()
    del stored["encrypt_urls"], stored["ingest"]["listed_texts"]
    read = RunConfig.from_json(stored, CONFIG.machine)
    assert read.rows == dataclasses.replace(CONFIG.rows, encrypt_urls=False)

"""`screening run`, `status` and `redrive` as programs of their own, with an S3 server on both sides."""

import json
import os
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

from screening.analytics import connect
from screening.random_bundle import save_random_bundle
from tests.archives import phantom_archive, phantom_pixels


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("bundles") / "a")
    save_random_bundle(folder, phantom_pixels(8))
    return folder


@pytest.fixture
def key(tmp_path: Path) -> str:
    file = tmp_path / "key"
    file.write_bytes(b"a pseudonym key for tests")
    file.chmod(0o600)
    return str(file)


def screening(*arguments: str, expected: int = 0, seconds: float = 240) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "jobs.cli", *arguments], capture_output=True, text=True, timeout=seconds, env=os.environ | {"COLUMNS": "200"}
    )
    assert done.returncode == expected, done.stderr
    return done


def test_a_night_from_s3_to_s3(bundle: str, key: str, s3_bucket: str, tmp_path: Path) -> None:
    archive = phantom_archive(tmp_path / "phantoms", studies=24, seed=4)
    fs, path = fsspec.core.url_to_fs(s3_bucket)
    fs.put(f"{archive}/", f"{path}/archive/", recursive=True)
    results = f"{s3_bucket}/results"
    options = ["--results", results, "--bundle", bundle, "--date", "2020-03-01", "--pseudonym-key", key, "--shard-rows", "16"]

    night = screening("run", f"{s3_bucket}/archive", *options, "--json")
    [run] = json.loads(night.stdout)
    assert run["status"] == "finished"
    written = run["counts"]["written"]
    assert written == run["counts"]["objects"] > 24
    assert f"{written} of {written} rows" in night.stderr  # progress reaches a log too
    assert "images/s" in night.stderr
    with connect(results) as connection:
        rows = connection.execute("select count(*), count(distinct object_id), any_value(covid_heatmap_url) from instances").fetchone()
    assert rows[:2] == (run["counts"]["objects"],) * 2
    with fsspec.open(rows[2]) as file:
        assert file.read(4) == b"\x89PNG"

    status = screening("status", results).stdout
    assert run["run_id"] in status
    assert "wrong_modality" in status
    assert "images a second" in status
    assert json.loads(screening("status", results, "--json").stdout) == [run]
    assert "no failed rows" in screening("redrive", results, "--pseudonym-key", key).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--actors", "0"], "--actors is at least 1"),
        (["--audit-fraction", "2"], "--audit-fraction is a share"),
        (["--heatmaps", "some"], "--heatmaps is positive, all or none"),
        (["--no-such-option"], "No such option"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], message: str, bundle: str, key: str, tmp_path: Path) -> None:
    results = ["--results", str(tmp_path / "r"), "--bundle", bundle, "--pseudonym-key", key]
    assert message in screening("run", str(tmp_path), *results, *arguments, expected=2).stderr
    assert not (tmp_path / "r").exists()


def test_an_archive_that_is_not_there_ends_with_1(bundle: str, key: str, tmp_path: Path) -> None:
    done = screening(
        "run", str(tmp_path / "none"), "--results", str(tmp_path / "r"), "--bundle", bundle, "--pseudonym-key", key, expected=1
    )
    assert "none" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_without_a_bundle_ends_with_1(key: str, tmp_path: Path) -> None:
    options = ["--results", str(tmp_path / "r"), "--bundle", str(tmp_path), "--pseudonym-key", key]
    done = screening("run", str(tmp_path / "archive"), *options, expected=1)
    assert "bundle.json" in done.stderr


def test_redrive_of_a_folder_without_runs_ends_with_2(key: str, tmp_path: Path) -> None:
    assert "no run has written here" in screening("redrive", str(tmp_path), "--pseudonym-key", key, expected=2).stderr


def test_redrive_for_a_reason_that_no_row_fails_for_ends_with_2(key: str, tmp_path: Path) -> None:
    done = screening("redrive", str(tmp_path), "--reason", "blank", "--pseudonym-key", key, expected=2)
    assert "decode_timeout" in done.stderr

"""`screening run`, `status` and `redrive` as programs of their own, with an S3 server on both sides."""

import json
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from screening.analytics.views import connect
from screening.benchmark.random_bundle import save_random_bundle
from screening.storage import put_atomic, remove_files
from tests.archives import phantom_archive, phantom_pixels
from tests.inventories import csv_file, rows_of, write_inventory
from tests.programs import in_process, screening


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_night_by_an_inventory_is_one_of_what_it_lists(bundle: str, key: str, s3_bucket: str) -> None:
    for name in ("listed", "deleted since", "added since"):
        put_atomic(f"{s3_bucket}/cxr/{name}", b"not DICOM")
    rows = [row for row in rows_of(s3_bucket) if row["key"] != "cxr/added since"]
    inventory = write_inventory(s3_bucket, f"{s3_bucket}/lists/daily", [csv_file(rows)], "CSV")
    remove_files([f"{s3_bucket}/cxr/deleted since"])
    options = ["--results", f"{s3_bucket}/results", "--bundle", bundle, "--pseudonym-key", key, "--json"]
    [run] = json.loads(screening("run", f"{s3_bucket}/cxr", *options, "--inventory", inventory).stdout)
    assert run["counts"]["reasons"] == {"not_dicom": 1, "object_missing": 1}
    assert run["inventory_url"] == inventory
    [run] = json.loads(screening("run", f"{s3_bucket}/cxr", *options).stdout)
    assert (run["counts"]["planned"], run["inventory_url"]) == (1, None)  # what was added; what was listed has its row, under the same key


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


@pytest.mark.parametrize(
    ("archive", "more", "message"),
    [
        ("dicomweb://jo:secret@127.0.0.1:1/dicom-web", [], "leave both out of it"),
        ("dicomweb://127.0.0.1:1/dicom-web", ["--pseudonymize-uids"], "needs --encrypt-urls"),
    ],
)
def test_a_pacs_that_would_show_too_much_ends_with_2(
    archive: str, more: list[str], message: str, refusal: Callable, tmp_path: Path
) -> None:
    code, told = refusal("run", archive, "--results", str(tmp_path / "r"), *more)
    assert code == 2
    assert message in " ".join(told.split())
    assert "secret" not in told


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ray_cluster: None) -> Callable[..., tuple[int, str]]:
    """Runs the command line in this process, and gives its exit code and what it says of it."""
    program = in_process(monkeypatch, capsys)

    def run(*arguments: str) -> tuple[int, str]:
        code, _, err = program(*arguments)
        return code, err

    return run


def test_an_archive_that_is_not_there_ends_with_1(refusal: Callable, bundle: str, key: str, tmp_path: Path) -> None:
    options = ["--results", str(tmp_path / "r"), "--bundle", bundle, "--pseudonym-key", key]
    code, said = refusal("run", str(tmp_path / "none"), *options)
    assert (code, "none" in said, "Traceback" in said) == (1, True, False)


def test_a_folder_without_a_bundle_ends_with_1(refusal: Callable, key: str, tmp_path: Path) -> None:
    options = ["--results", str(tmp_path / "r"), "--bundle", str(tmp_path), "--pseudonym-key", key]
    code, said = refusal("run", key, *options)
    assert (code, "bundle.json" in said) == (1, True)


def test_redrive_of_a_folder_without_runs_ends_with_2(refusal: Callable, key: str, tmp_path: Path) -> None:
    code, said = refusal("redrive", str(tmp_path), "--pseudonym-key", key)
    assert (code, "no run has written here" in said) == (2, True)


def test_redrive_for_a_reason_that_there_is_not_ends_with_2(refusal: Callable, key: str, tmp_path: Path) -> None:
    code, said = refusal("redrive", str(tmp_path), "--reason", "bad_mood", "--pseudonym-key", key)
    assert (code, "decode_timeout" in said) == (2, True)

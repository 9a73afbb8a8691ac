"""What a command refuses before it starts anything: quickly, and without Ray, torch or a trace left behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.checks import check_archive, check_bundle, check_manifest, check_operating_points, check_writable
from screening.bundle.released import RELEASED_BUNDLE
from screening.errors import ArchiveError, BundleError, TrainingError, UsageError, WriteError
from screening.storage import put_atomic
from tests.inventories import write_inventory
from tests.train.radiographs import write_manifest, write_radiographs

ROW = {"image": "a.png", "label": "normal", "split": "train"}


def test_an_archive_has_something_in_it_and_the_results_apart(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    for folder, message in ((tmp_path / "none", "no such folder"), (archive, "is empty")):
        archive.mkdir(exist_ok=True)
        with pytest.raises(ArchiveError, match=message):
            check_archive(str(folder), str(tmp_path / "results"))
    (archive / "a.zip").write_bytes(b"no container is opened")
    check_archive(str(archive), str(tmp_path / "results"))
    with pytest.raises(UsageError, match="lie inside the archive"):
        check_archive(str(archive), str(archive / "results"))


def test_an_inventory_is_one_of_the_archive(s3_bucket: str, tmp_path: Path) -> None:
    put_atomic(f"{s3_bucket}/cxr/a.dcm", b"x")
    manifest = write_inventory(s3_bucket, f"{s3_bucket}/lists", [], "CSV")
    check_archive(f"{s3_bucket}/cxr", str(tmp_path / "results"), manifest)
    with pytest.raises(ArchiveError, match="there is no inventory in"):
        check_archive(f"{s3_bucket}/cxr", str(tmp_path / "results"), f"{s3_bucket}/cxr")


def test_results_take_a_file_and_the_check_leaves_none(tmp_path: Path) -> None:
    check_writable(str(tmp_path / "new" / "results"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "results").write_text("a file")
    with pytest.raises(WriteError, match="/results: a file is in the place of a folder"):
        check_writable(str(tmp_path / "results"))


def test_a_bundle_has_all_its_files(tmp_path: Path) -> None:
    assert check_bundle(str(RELEASED_BUNDLE)).name == "cxr-public-2.5"
    with pytest.raises(BundleError, match=r"none/bundle\.json is missing.*relative paths start at"):
        check_bundle("none")
    (tmp_path / "bundle.json").write_bytes((RELEASED_BUNDLE / "bundle.json").read_bytes())
    with pytest.raises(BundleError, match=r"lungs\.safetensors is missing"):
        check_bundle(str(tmp_path))


def test_operating_points_are_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        check_operating_points(str(tmp_path / "points.json"), check_bundle(str(RELEASED_BUNDLE)))


def test_a_manifest_has_images_in_the_splits_and_the_first_is_there(tmp_path: Path) -> None:
    labels = str(write_radiographs(tmp_path, ["train", "val"]))
    assert check_manifest(labels, ("train", "val")).url == labels
    with pytest.raises(UsageError, match=r"no image in split 'test'.*there are train, val"):
        check_manifest(labels, ("val", "test"))
    with pytest.raises(TrainingError, match=r"a\.png, is not there"):
        check_manifest(str(write_manifest(tmp_path / "wrong.csv", [ROW])))
    with pytest.raises(TrainingError, match=r"none\.csv is missing"):
        check_manifest("none.csv")


REFUSED = [
    ["run", "none", "--results", "results"],
    ["run", ".", "--results", "../results", "--bundle", "none"],
    ["run", ".", "--results", "../results", "--sites", "none.csv"],
    ["run", ".", "--results", "../results", "--operating-points", "none.json"],
    ["score", "a.dcm", "--sites", "none.csv"],
    ["serve", "--open", "--sites", "none.csv"],
    ["evaluate", "none", "labels.csv", "--output", "out"],
    ["evaluate", str(RELEASED_BUNDLE), "none.csv", "--output", "out"],
    ["promote", str(RELEASED_BUNDLE), "out", "--baseline", str(RELEASED_BUNDLE), "--old-manifest", "none.csv"],
    ["fit", "all", "none.csv", "--output", "out"],
    ["benchmark", "forgetting", "--distill-weights", "a,b"],
]
CODE = """
import sys
from jobs.cli import main
sys.argv[1:] = {arguments!r}
try:
    main()
finally:
    heavy = {{"torch", "ray"}} & set(sys.modules)
    assert not heavy, heavy
"""


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_a_mistyped_path_starts_nothing_and_leaves_nothing(arguments: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "a.dcm").write_bytes(b"something to list")
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("SCREENING_PSEUDONYM_KEY_FILE", None)
    command = [sys.executable, "-c", CODE.format(arguments=arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=120, check=False)
    assert done.returncode in (1, 2), done.stderr
    assert done.stderr.startswith("error: "), done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in tmp_path.rglob("*")} == {"here", "a.dcm"}, "no key and no results"

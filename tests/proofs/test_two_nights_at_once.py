"""Two nights that start at one moment on one results folder: one runs, the other says who holds the lock, and each row is there once."""

import subprocess
import sys
from pathlib import Path

import pytest

from screening.bundle.released import phantom_bundle
from screening.nightly.night import list_nights
from screening.results.layout import ResultsLayout
from screening.results.manifests import list_runs
from tests.archives import phantom_dicom
from tests.nights import rows_of

pytestmark = pytest.mark.slow

IMAGES = 24


@pytest.fixture(params=["local", "s3"])
def results(request: pytest.FixtureRequest) -> str:
    if request.param == "local":
        return f"{request.getfixturevalue('tmp_path')}/results"
    return request.getfixturevalue("s3_bucket") + "/results"


def test_one_of_two_nights_runs_and_the_other_names_it(results: str, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    for seed in range(IMAGES):
        (tmp_path / f"archive/{seed:02}.dcm").write_bytes(phantom_dicom(seed, "normal", size=128))
    (tmp_path / "key").write_bytes(b"0123456789abcdef" * 4)
    (tmp_path / "key").chmod(0o600)
    config = tmp_path / "nightly.toml"
    config.write_text(
        f'archive = "{tmp_path}/archive"\nresults = "{results}"\nbundle = "{phantom_bundle()}"\npseudonym_key = "{tmp_path}/key"\n'
        "[report]\nenabled = false\n"
    )
    command = [sys.executable, "-m", "jobs.cli", "nightly", str(config), "--date", "2020-03-01"]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = {process.pid: " ".join(process.communicate(timeout=250)[1].split()) for process in both}
    [runs], [refused] = ([process for process in both if (process.returncode == 0) is good] for good in (True, False))
    assert refused.returncode == 1
    assert f"is held by screening nightly, process {runs.pid}" in said[refused.pid]
    assert "nothing was done here" in said[refused.pid]

    layout = ResultsLayout(results)
    [night], [run] = list_nights(layout), list_runs(layout)
    assert (night.status, night.executions, run.executions, run.counts.written) == ("finished", 1, 1, IMAGES)
    ids = rows_of(results, phantom_bundle())["object_id"].to_pylist()
    assert len(ids) == len(set(ids)) == IMAGES

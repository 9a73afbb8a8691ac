"""A night over a PACS gives the scores of a night over the same files in a folder, and the next night has nothing to do."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from screening.analytics.views import connect
from screening.benchmark.random_bundle import save_random_bundle
from screening.privacy import UrlSeal
from tests.archives import FINDINGS, phantom_dicom, phantom_pixels
from tests.orthanc import Orthanc
from tests.programs import screening

KEY = b"a pseudonym key for tests"
FILES = [phantom_dicom(seed, FINDINGS[seed % 3]) for seed in range(24)]
ANSWERS = """
select SOPInstanceUID, pixel_hash, outcome, stage_reached, lung_area_fraction, pneumonia_logit, covid_logit
from instances order by SOPInstanceUID
"""


def answers(results: Path) -> list[tuple]:
    with connect(str(results)) as connection:
        return connection.execute(ANSWERS).fetchall()


def urls(results: Path) -> list[str]:
    with connect(str(results)) as connection:
        return [url for (url,) in connection.execute("select object_url from instances").fetchall()]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The file with the key of the pseudonyms."""
    path = tmp_path / "key"
    path.write_bytes(KEY)
    path.chmod(0o600)
    return path


@pytest.fixture
def night(tmp_path: Path, key: Path) -> Callable[..., dict]:
    """Screens an archive into a results folder, with more options, and returns the counts of the run."""
    save_random_bundle(str(tmp_path / "bundle"), phantom_pixels(8))
    options = ["--bundle", str(tmp_path / "bundle"), "--date", "2020-03-01", "--pseudonym-key", str(key), "--shard-rows", "8", "--json"]
    options += ["--audit-fraction", "0"]  # drawn by the address, which differs between a folder and a PACS

    def run(archive: str, results: Path, *more: str) -> dict:
        [done] = json.loads(screening("run", archive, "--results", str(results), *options, *more).stdout)
        return done["counts"]

    return run


@pytest.mark.slow
def test_a_night_over_a_pacs(orthanc: Orthanc, night: Callable[..., dict], tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    for number, file in enumerate(FILES):
        (folder / f"{number}.dcm").write_bytes(file)
        orthanc.add(file)
    night(str(folder), tmp_path / "from_folder")
    first = night(orthanc.dicomweb_url, tmp_path / "from_pacs")
    assert (first["planned"], first["written"]) == (len(FILES), len(FILES))
    assert answers(tmp_path / "from_pacs") == answers(tmp_path / "from_folder")
    assert {row[2] for row in answers(tmp_path / "from_pacs")} == {"scored"}
    assert all(url.startswith(f"{orthanc.dicomweb_url}/studies/") for url in urls(tmp_path / "from_pacs"))

    second = night(orthanc.dicomweb_url, tmp_path / "from_pacs")
    assert (second["objects"], second["already_scored"], second["planned"]) == (len(FILES), len(FILES), 0)

    hidden = tmp_path / "hidden"
    night(orthanc.dicomweb_url, hidden, "--pseudonymize-uids", "--encrypt-urls")
    assert sorted(map(UrlSeal(KEY).open, urls(hidden))) == sorted(urls(tmp_path / "from_pacs"))
    shown = [
        path
        for path in hidden.rglob("*")
        if path.is_file() and any(row[0].encode() in path.read_bytes() for row in answers(tmp_path / "from_pacs"))
    ]
    assert shown == []


@pytest.mark.slow
def test_what_was_gone_from_a_pacs_is_redriven_once_it_is_back(
    orthanc: Orthanc, night: Callable[..., dict], key: Path, tmp_path: Path
) -> None:
    results, side_view = tmp_path / "results", phantom_dicom(7, view="LL")
    for file in (*FILES[:3], side_view):
        orthanc.add(file)
    counts = night(orthanc.dicomweb_url, results)
    assert (counts["outcomes"], counts["reasons"]) == ({"scored": 3, "rejected": 1, "failed": 0}, {"lateral_view": 1})

    def redriven(*more: str) -> list[dict]:
        runs = json.loads(screening("redrive", str(results), "--pseudonym-key", str(key), "--json", *more).stdout)
        assert len(answers(results)) == 4
        return [run["counts"]["reasons"] for run in runs]

    assert redriven() == []  # nothing failed
    orthanc.delete(str(pydicom.dcmread(io.BytesIO(side_view)).SOPInstanceUID))
    assert redriven("--reason", "lateral_view") == [{"object_missing": 1}]
    orthanc.add(side_view)
    assert redriven() == [{"lateral_view": 1}]

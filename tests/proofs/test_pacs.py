"""A night over a PACS gives the scores of a night over the same files in a folder, and the next night has nothing to do."""

import json
from pathlib import Path

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


@pytest.mark.slow
def test_a_night_over_a_pacs(orthanc: Orthanc, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    for number, file in enumerate(FILES):
        (folder / f"{number}.dcm").write_bytes(file)
        orthanc.add(file)
    save_random_bundle(str(tmp_path / "bundle"), phantom_pixels(8))
    key = tmp_path / "key"
    key.write_bytes(KEY)
    key.chmod(0o600)
    options = ["--bundle", str(tmp_path / "bundle"), "--date", "2020-03-01", "--pseudonym-key", str(key), "--shard-rows", "8", "--json"]
    options += ["--audit-fraction", "0"]  # drawn by the address, which differs between a folder and a PACS

    def night(archive: str, results: Path, *more: str) -> dict:
        [run] = json.loads(screening("run", archive, "--results", str(results), *options, *more).stdout)
        return run["counts"]

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

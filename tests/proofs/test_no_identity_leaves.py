"""A real run over an archive that names its patients everywhere leaves none of them in anything that it writes.

Names stand in every text attribute, in sequences, private elements, UIDs, and names of files, folders, members and containers. Headers are
cut at every element. Searched is everything below the results folder, the folder of temporary files and Ray's own, and what is printed.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from screening.benchmark.random_bundle import save_random_bundle
from screening.privacy import UrlSeal, load_key
from tests.archives import phantom_pixels
from tests.screening import hostile
from tests.screening.identities import BIRTH_DATES, NAMES, NUMBERS, cut_everywhere, seeded

BORN = date(1961, 3, 17)
KEY = "a pseudonym key that shows nowhere"
LISTED = "Listed Hospital"
_STUDY_IDS = ("1.2.826.0.1.77120934.7", "1.2.826.0.1.5550199", "1.2.826.0.1.20200401.19610317101500", "1.2.826.0.1.1961.3.17", "1.2.3.4")


@pytest.fixture(scope="module")
def short() -> Iterator[Path]:
    """A folder with a short name, because Ray's sockets have room for 107 characters only."""
    folder = Path(tempfile.mkdtemp(prefix="r"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def archive(short: Path) -> Path:
    folder = short / "archive"
    for number, name in enumerate(NAMES):
        place = folder / f"{name}^{BIRTH_DATES[number % 5]}"
        place.mkdir(parents=True)
        uid = _STUDY_IDS[number % len(_STUDY_IDS)]
        (place / f"{name}.dcm").write_bytes(seeded(name, pixels=True, StudyInstanceUID=uid, StudyDate="20200401"))
        texts = dict.fromkeys(("InstitutionName", "Manufacturer", "BodyPartExamined", "ViewPosition"), BIRTH_DATES[number % 5])
        (place / f"{NUMBERS[0]}-{number}.dcm").write_bytes(seeded(name, StudyDate="19610317", **texts))
    (folder / "listed.dcm").write_bytes(hostile.good(InstitutionName=LISTED, PatientID="9", AccessionNumber="", PatientBirthDate=""))
    image = io.BytesIO()
    Image.fromarray((hostile.chest() >> 4).astype("uint8")).save(image, "PNG")
    (folder / "Featherstonehaugh.png").write_bytes(image.getvalue())
    (folder / "Wilhelmina.zip").write_bytes(b"PK\x03\x04 no zip file at all")
    with zipfile.ZipFile(folder / "Smythe.zip", "w") as container:
        for number, data in enumerate(cut_everywhere(seeded("Featherstonehaugh"))):
            container.writestr(f"Wilhelmina^Smythe-{number}.dcm", data)
    return folder


@pytest.fixture(scope="module")
def printed(archive: Path, short: Path) -> str:
    """What the run and what one asks afterwards print, with all temporary files below `short`."""
    save_random_bundle(str(short / "bundle"), phantom_pixels(8))
    (short / "key").write_text(KEY)
    (short / "key").chmod(0o600)
    (short / "sites.csv").write_text(f"attribute,value\nInstitutionName,{LISTED}\n")
    (short / "tmp").mkdir()
    environment = os.environ | {"TMPDIR": str(short / "tmp"), "RAY_TMPDIR": str(short / "tmp"), "COLUMNS": "200"}

    def screening(*arguments: str) -> str:
        command = [sys.executable, "-m", "jobs.cli", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1200, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    options = ["--bundle", str(short / "bundle"), "--date", "2020-04-02", "--heatmaps", "all", "--encrypt-urls"]
    options += ["--pseudonym-key", str(short / "key"), "--sites", str(short / "sites.csv")]
    run = screening("run", str(archive), "--results", str(short / "results"), *options)
    return run + screening("status", str(short / "results"), "--json") + screening("redrive", str(short / "results"), *options[-4:-2])


@pytest.fixture(scope="module")
def rows(printed: str, short: Path) -> list[dict[str, object]]:
    parts = sorted((short / "results" / "instances").rglob("*.parquet"))
    return pa.concat_tables(pq.ParquetFile(part).read() for part in parts).to_pylist()


def traces(text: str) -> list[str]:
    """Return what of the patients a text holds. Names of two and three letters count as words only."""
    parts = {part for name in NAMES for part in (name, *name.split("-"))}
    found = [part for part in parts if len(part) > 3 and part.casefold() in text.casefold()]
    found += [part for part in parts if len(part) <= 3 and re.search(rf"(?<![\w-]){part}(?![\w-])", text)]
    return found + [number for number in (*BIRTH_DATES, *NUMBERS, "1961, 3, 17", KEY) if number in text]


def files_of(*folders: Path) -> Iterator[tuple[str, str]]:
    """Yield each file's path below its folder and what it says, Parquet and zip files unpacked."""
    for folder in folders:
        for file in folder.rglob("*"):
            if not file.is_file():
                continue
            if file.suffix == ".parquet":
                content = str(pq.ParquetFile(file).read().to_pylist())
            elif file.suffix == ".zip":
                content = " ".join(zipfile.ZipFile(file).namelist())
            else:
                content = file.read_bytes().decode("utf-8", errors="replace")
            yield str(file.relative_to(folder)), content


@pytest.mark.slow
def test_nothing_written_or_printed_tells_who_the_patients_are(printed: str, short: Path) -> None:
    assert traces("file:///a/Featherstonehaugh.dcm 17.03.1961, Ng") == ["Featherstonehaugh", "Ng", "17.03.1961"]
    assert traces(printed.replace(str(short), "")) == []
    names = []
    for name, content in files_of(short / "results", short / "tmp"):
        names.append(name)
        assert traces(f"{name} {content}") == [], name
    print(f"{len(names)} files searched, {sum('logs' in name for name in names)} of them logs of Ray")
    assert {"plan.parquet", "index.parquet", "manifest.json"} <= {Path(name).name for name in names}
    assert any(name.endswith(".zip") for name in names)
    assert any("logs" in name for name in names)


@pytest.mark.slow
def test_rows_are_still_good_for_something(rows: list[dict[str, object]], archive: Path, short: Path) -> None:
    seal = UrlSeal(load_key(short / "key"))
    urls = [seal.open(row["object_url"]) for row in rows]
    assert len(set(urls)) == len(rows) > 600
    assert all(str(archive) in url for url in urls)
    by_name = dict(zip((url.rsplit("/", 1)[-1] for url in urls), rows, strict=True))
    assert by_name["listed.dcm"]["InstitutionName"] == LISTED
    scored = [row for row in rows if row["outcome"] == "scored"]
    assert len(scored) >= len(NAMES)
    assert by_name["Ng.dcm"]["InstitutionName"].startswith("site-")
    assert len({row["patient_pseudonym"] for row in rows} - {None}) == 2  # one patient under seven names, and the one of the listed file


@pytest.mark.slow
def test_the_birth_date_cannot_be_computed(rows: list[dict[str, object]]) -> None:
    ages = [row["age_years"] for row in rows if row["age_years"] is not None]
    assert ages
    assert all(age == int(age) for age in ages)
    for row in rows:
        dates = [value for value in row.values() if isinstance(value, date)]
        assert BORN not in dates
        if row["StudyDate"] is not None and row["age_years"] is not None:
            assert row["StudyDate"] - timedelta(days=round(row["age_years"] * 365.2425)) != BORN

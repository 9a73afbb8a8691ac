"""One night over files that mean harm, among good radiographs: the good ones are scored in the first run, and each object has its row."""

import json
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.reasons import Reason
from screening.archive.index import scan
from screening.benchmark.random_bundle import save_random_bundle
from tests.archives import FINDINGS, phantom_dicom, phantom_pixels
from tests.bombs import BOMBS, PATIENT, zip_bomb, zip_directory
from tests.nights import rows_of
from tests.programs import screening
from tests.real_data import hostile_folder
from tests.screening import hostile
from tests.screening.mutants import mutant

pytestmark = pytest.mark.slow

GOOD = 200
MUTANTS = 300
SEED = int(os.environ.get("HOSTILE_SEED", "20201127"))
SECONDS = 600  # the run is ended after so many, on however busy a machine

CONTAINERS = BOMBS | {  # a night has one row for each member, so fewer than where the listing alone is shown
    "directory.zip": lambda: zip_directory(2000, b"", (0, 0, 0, 0)),
    "overlap.zip": lambda: zip_bomb(2000),
}
FILES: dict[str, Callable[[], bytes]] = {
    "huge_header.dcm": hostile.huge_header,
    "deflate_bomb.dcm": hostile.deflate_bomb,
    "endless_sequence.dcm": hostile.endless_sequence,
    "crowded_sequence.dcm": hostile.crowded_sequence,
    "tiled_to_death.dcm": hostile.tiled_to_death,
    "bomb.png": hostile.png_bomb,
    "empty.dcm": bytes,
}
OUR_FAULT = {Reason.READ_FAILED, Reason.OBJECT_MISSING, Reason.INTERNAL_ERROR, Reason.WORKER_DIED}


def hostile_archive(folder: Path) -> list[str]:
    """Write good and hostile files into a folder, in an order that lets each shard have some of both; return the URLs of the good ones."""
    folder.mkdir()
    for file in hostile_folder().iterdir():
        shutil.copy(file, folder / file.name)
    for name, make in (CONTAINERS | FILES).items():
        (folder / name).write_bytes(make())
    for number in range(MUTANTS):
        (folder / f"mutant-{number:03}.dcm").write_bytes(mutant(SEED, number)[1])
    good = [folder / f"good-{number:03}.dcm" for number in range(GOOD)]
    for number, file in enumerate(good):
        file.write_bytes(phantom_dicom(number, FINDINGS[number % 3]))
    files = sorted(folder.iterdir())
    random.Random(SEED).shuffle(files)
    for second, file in enumerate(files):
        os.utime(file, (1_580_000_000 + second,) * 2)
    return [f"file://{file}" for file in good]


def test_the_good_radiographs_of_a_hostile_night_are_scored_in_its_first_run(tmp_path: Path) -> None:
    good = hostile_archive(tmp_path / "archive")
    indexed = {object_id for batch in scan(str(tmp_path / "archive")) for object_id in batch["object_id"].to_pylist()}
    save_random_bundle(str(tmp_path / "bundle"), phantom_pixels(8))
    key = tmp_path / "key"
    key.write_bytes(b"0123456789abcdef0123456789abcdef")
    key.chmod(0o600)
    arguments = [str(tmp_path / "archive"), "--results", str(tmp_path / "results"), "--bundle", str(tmp_path / "bundle")]

    started = time.monotonic()
    done = screening("run", *arguments, "--pseudonym-key", str(key), "--json", seconds=SECONDS)
    [run] = json.loads(done.stdout)
    rows = {row["object_url"]: row for row in rows_of(tmp_path / "results", str(tmp_path / "bundle")).to_pylist()}
    reasons = Counter(row["reason"] or "scored" for row in rows.values())
    print(f"HOSTILE_SEED={SEED}: {len(rows)} objects in {time.monotonic() - started:.0f} s, {dict(sorted(reasons.items()))}")

    assert (run["status"], run["executions"]) == ("finished", 1)
    assert run["counts"]["objects"] == run["counts"]["written"] == len(rows) == len(indexed)
    assert {row["object_id"] for row in rows.values()} == indexed
    assert {rows[url]["outcome"] for url in good} == {"scored"}
    assert not OUR_FAULT & reasons.keys()
    hurt = [
        row for url, row in rows.items() if Path(url).name in {*CONTAINERS, *FILES, *(file.name for file in hostile_folder().iterdir())}
    ]
    assert len(hurt) > len(FILES)
    assert {row["outcome"] for row in hurt} <= {"rejected", "failed"}
    assert PATIENT not in json.dumps([row["detail"] for row in rows.values()])
    assert "Traceback" not in done.stderr

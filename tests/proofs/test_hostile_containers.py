"""Containers that mean harm: each costs its own rows and nothing else, within 5 seconds of processor time and 1 GiB of memory.

Every part runs in a child process, whose memory the kernel tells when it ends. SCREENING_SEED changes the mutations.
"""

import bz2
import gzip
import json
import lzma
import os
import random
import subprocess
import sys
import tarfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from schemas.index import PLAN_SCHEMA
from schemas.reasons import Reason
from screening.archive.containers import kind_of
from screening.archive.index import scan
from screening.archive.reader import ObjectReader
from screening.archive.source import IndexedObject
from screening.errors import ImageRefused
from screening.ingest.ingest import Ingested
from screening.shard.decode import decode_rows
from tests.archives import phantom_dicom
from tests.bombs import BOMBS, PATIENT
from tests.memory import peak_bytes
from tests.real_data import hostile_folder
from tests.screening.archive.made import streamed_zip_of, tar_header, tar_of, zip64_of, zip_of

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("SCREENING_SEED", "20201127"))
MUTATIONS = 24_000
CHILDREN = 12  # one after the other; each takes as many mutations
SECONDS = 5.0
MEMORY_BYTES = 2**30
MAX_BYTES = 2**28
MOST_READ = 2000  # rows of one folder that are read too
OUR_FAULT = {Reason.READ_FAILED, Reason.OBJECT_MISSING, Reason.INTERNAL_ERROR}
ROOT = Path(__file__).resolve().parents[2]


# What the child does: list and read a folder, and say what it took.


def examine(folder: Path, packed: frozenset[bytes] = frozenset()) -> tuple[dict[str, str], float]:
    """Return the reason of every object of a folder that was refused, and "read" for the others, by URL; and the longest wait.

    A wait is for the whole listing or for one object, in seconds of processor time. `packed` is what members of zip files may hold,
    where that is known. Raises AssertionError where a row makes no sense, tells a name, or blames the store.
    """
    answers: dict[str, str] = {}
    started = time.process_time()
    rows = [row for table in scan(str(folder)) for row in table.to_pylist()]
    longest = time.process_time() - started
    assert len({row["object_id"] for row in rows}) == len(rows)
    with ObjectReader(MAX_BYTES) as reader:
        for row in rows if len(rows) <= MOST_READ else [*rows[: MOST_READ // 2], *rows[-MOST_READ // 2 :]]:
            assert row["object_bytes"] >= 0
            started = time.process_time()
            answers[row["object_url"]] = answer_of(reader, row, packed)
            longest = max(longest, time.process_time() - started)
    for file in folder.iterdir():
        assert any(url.endswith((f"://{file}", f"::file://{file}")) for url in answers), "a file without a row"
        if kind_of(file.name) is None:
            assert answers[f"file://{file}"] == "read"
        else:
            assert answers.get(f"file://{file}") != "read", "a container was read as an image"
    return answers, longest


def answer_of(reader: ObjectReader, row: dict, packed: frozenset[bytes]) -> str:
    """Return "read", or the reason why an object was refused."""
    try:
        data = reader.read(row["object_url"], IndexedObject(row["object_bytes"], row["object_etag"]))
    except ImageRefused as error:
        refusal = error
    else:
        assert len(data) == row["object_bytes"]
        assert not packed or not row["object_url"].startswith("zip://") or data in packed, "damaged data were given"
        return "read"
    assert refusal.reason not in OUR_FAULT, refusal
    assert PATIENT not in refusal.detail
    return str(refusal.reason)


def examine_mutations(folder: Path, seed: int, count: int) -> dict[str, object]:
    """Examine `count` damaged containers, one after the other, beside a good file."""
    (folder / "good.dcm").write_bytes(b"good")
    draw = random.Random(seed)
    files = small_files(draw)
    originals = containers(files)
    reasons: Counter[str] = Counter()
    slowest, damaged = 0.0, 0
    for number in range(count):
        suffix, pack, plain = originals[number % len(originals)]
        file = folder / f"{PATIENT}.{suffix}"
        if number < len(originals):
            file.write_bytes(pack(plain))
            assert set(examine(folder)[0].values()) == {"read"}, "not even the good container is read"
        file.write_bytes(mutate_container(draw, suffix, pack, plain))
        answers, seconds = examine(folder, frozenset(files.values()))
        slowest = max(slowest, seconds)
        reasons.update(f"{suffix} {answer}" for url, answer in answers.items() if url != f"file://{folder}/good.dcm")
        damaged += any(answer != "read" for answer in answers.values())
        file.unlink()
    return {"seconds": slowest, "reasons": reasons, "damaged": damaged}


def examine_once(folder: Path) -> dict[str, object]:
    """Examine a folder as it is."""
    answers, seconds = examine(folder)
    return {"seconds": seconds, "reasons": Counter(answers.values()), "answers": answers}


def read_ahead(folder: Path) -> dict[str, object]:
    """Read a folder as a shard does, eight objects ahead, with a decoder that only counts bytes."""
    sizes: list[int] = []

    def count(data: bytes) -> Ingested:
        sizes.append(len(data))
        return Ingested(refusal=ImageRefused(Reason.NOT_DICOM, "counted"))

    rows = [row | {"shard_id": "s", "shard_row": 0} for table in scan(str(folder)) for row in table.to_pylist()]
    with ObjectReader(MAX_BYTES) as reader:
        decoded = decode_rows(pa.Table.from_pylist(rows, PLAN_SCHEMA), reader, count, quarantined={}, read_threads=8)
    return {"seconds": 0.0, "reasons": Counter(decoded.column("reason").to_pylist()), "sizes": sizes}


def main(task: str, folder: str, *numbers: str) -> None:
    """Do one task in this process and print what it took, as JSON."""
    work = {"mutations": examine_mutations, "once": examine_once, "ahead": read_ahead}[task]
    answer = work(Path(folder), *map(int, numbers))
    print(json.dumps(answer | {"peak_bytes": peak_bytes()}))


def run(task: str, folder: Path, *numbers: int, limit_s: float = 280) -> dict:
    """Do one task in a child process and return what it printed; a child that hangs is ended, and that is a failure."""
    code = "import sys; from tests.proofs.test_hostile_containers import main; main(*sys.argv[1:])"
    command = [sys.executable, "-c", code, task, str(folder), *map(str, numbers)]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit_s)
    assert child.returncode == 0, child.stderr[-3000:]
    answer = json.loads(child.stdout)
    assert answer["peak_bytes"] < MEMORY_BYTES, answer
    assert answer["seconds"] < SECONDS, answer
    return answer


# Good containers of every kind, and what is done to them.


def small_files(draw: random.Random) -> dict[str, bytes]:
    """Return small radiographs and some other files, by name."""
    files = {f"{PATIENT}/{number}.dcm": phantom_dicom(number, size=80) for number in range(3)}
    return {**files, f"{PATIENT}/{'deep/' * 30}4.dcm": draw.randbytes(700), "empty": b""}


def containers(files: dict[str, bytes]) -> list[tuple[str, Callable[[bytes], bytes], bytes]]:
    """Return suffix, compression and content of good containers of every kind."""
    zips = [pack(files, method) for method in (0, 8, 12, 14) for pack in (zip_of, streamed_zip_of)] + [zip64_of(files)] * 2
    tars = [tar_with_links(files, tar_format) for tar_format in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)]
    made: list[tuple[str, Callable[[bytes], bytes], bytes]] = []
    for i in range(10):
        made += [("zip", bytes, zips[i]), ("tar", bytes, tars[i % 2])]
        made += [("tgz", lambda data: gzip.compress(data, 1), tars[i % 2]), ("tar.bz2", bz2.compress, tars[i % 2])]
        made += [("tar.xz", lambda data: lzma.compress(data, preset=0), tars[i % 2])]
    return made


def tar_with_links(files: dict[str, bytes], tar_format: int) -> bytes:
    """Return a tar file that has a folder and a hard link, too."""
    whole = tar_of(files, tar_format)
    end = whole.rindex(tar_of({"empty": b""}, tar_format)[:100]) + 512
    return whole[:end] + tar_header(b"folder", b"0", b"5") + tar_header(b"link.dcm", b"0", b"1", b"empty") + bytes(1024)


def mutate_container(draw: random.Random, suffix: str, pack: Callable[[bytes], bytes], plain: bytes) -> bytes:
    """Return a damaged container: damaged as it is stored, or for a tar file with headers that lie but whose checksums are right."""
    if suffix == "zip" or draw.random() < 0.4:
        return mutate(draw, pack(plain), zip_places(plain) if suffix == "zip" else [])
    return pack(mutate_headers(draw, plain) if draw.random() < 0.8 else mutate(draw, plain, []))


def zip_places(data: bytes) -> list[int]:
    """Return where the records of a zip file begin, which is where mutations do most."""
    return [at for magic in (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\7\x08") for at in positions(data, magic)]


def positions(data: bytes, magic: bytes) -> Iterator[int]:
    at = data.find(magic)
    while at >= 0:
        yield at
        at = data.find(magic, at + 1)


def mutate(draw: random.Random, data: bytes, places: list[int]) -> bytes:
    """Return spoilt data: bytes changed, many of them near `places`, wild numbers, parts lost, doubled or moved, or an early end."""
    spoilt = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 3, 8))):
        at = (
            min(draw.choice(places) + draw.randrange(50), len(spoilt) - 1)
            if places and draw.random() < 0.7
            else draw.randrange(len(spoilt))
        )
        kind = draw.randrange(7)
        if kind == 0:
            spoilt[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            spoilt[at] = draw.choice((0, 255, draw.randrange(256)))
        elif kind == 2:
            number = draw.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1, draw.randrange(2**64)))
            size = draw.choice((2, 4, 8))
            spoilt[at : at + size] = (number % 2 ** (8 * size)).to_bytes(size, "little")
        elif kind == 3:
            del spoilt[at : at + draw.choice((1, 4, 100, 3000))]
        elif kind == 4:
            spoilt[at:at] = spoilt[at : at + draw.choice((1, 46, 512, 5000))]
        elif kind == 5:
            spoilt[at : at + 200] = draw.randbytes(min(200, len(spoilt) - at))
        elif draw.random() < 0.4:
            del spoilt[at:]
        if not spoilt:
            break
    return bytes(spoilt)


def mutate_headers(draw: random.Random, data: bytes) -> bytes:
    """Return a tar file with one to three headers that lie, with right checksums."""
    spoilt = bytearray(data)
    headers = [at - 257 for at in positions(data, b"ustar") if at % 512 == 257]
    for at in draw.sample(headers, min(draw.choice((1, 1, 2, 3)), len(headers))):
        block = bytearray(spoilt[at : at + 512])
        field, end = draw.choice(((0, 100), (124, 136), (124, 136), (124, 136), (156, 157), (157, 257), (345, 500), (482, 495)))
        kind = draw.randrange(4)
        if kind == 0:
            block[field:end] = draw.randbytes(end - field)
        elif kind == 1:
            value = draw.choice((-1, -512, -(2**63), 2**33, 2**62, 2**63, 2**70, 3 * 2**30)) % 256 ** (end - field)
            block[field:end] = value.to_bytes(end - field, "big")
            block[field] = draw.choice((0x80, 0xFF))
        elif kind == 2:
            block[field:end] = draw.choice(
                (b"7" * 99, b"\0" * 99, b"-1", b"1_0", b" 12 ", b"9" * 11, b"xgLKSD1V~"[draw.randrange(9) :])
            ).ljust(end, b"\0")[: end - field]
        else:
            block[156:157] = draw.choice((b"x", b"g", b"L", b"K", b"S", b"1", b"5", b"7", b"M", b"\0"))
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        spoilt[at : at + 512] = block
    return bytes(spoilt)


# The proofs.


@pytest.mark.parametrize("child", range(CHILDREN))
def test_mutations_cost_their_own_rows_and_nothing_else(tmp_path: Path, child: int) -> None:
    seed = SEED + child
    answer = run("mutations", tmp_path, seed, MUTATIONS // CHILDREN)
    print(
        f"seed {seed}: {MUTATIONS // CHILDREN} mutations, {answer['damaged']} with a refusal, slowest {answer['seconds']:.2f} s,", end=" "
    )
    print(f"peak {answer['peak_bytes'] >> 20} MiB, {dict(sorted(answer['reasons'].items()))}")
    assert answer["damaged"] > MUTATIONS // CHILDREN // 2


def test_the_containers_that_once_broke_the_listing() -> None:
    folder = hostile_folder()
    answer = run("once", folder)
    for file in sorted(folder.iterdir()):
        if kind_of(file.name):
            reasons = [why for url, why in answer["answers"].items() if url.endswith(f"://{file}")]
            print(file.name, reasons)
            assert set(reasons) != {"read"}, file.name


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs(tmp_path: Path, bomb: str) -> None:
    data = BOMBS[bomb]()
    (tmp_path / bomb).write_bytes(data)
    answer = run("once", tmp_path)
    reasons = answer["reasons"]
    print(f"{bomb}: {len(data):,} bytes, {answer['seconds']:.2f} s, peak {answer['peak_bytes'] >> 20} MiB, {dict(reasons)}")
    assert sum(count for why, count in reasons.items() if why != "read") >= 1


def test_eight_members_read_ahead_are_within_the_memory_too(tmp_path: Path) -> None:
    """Members of 250 MiB that are plausible: just below the expansion that is refused."""
    draw = random.Random(SEED)
    with zipfile.ZipFile(tmp_path / "large.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as container:
        for number in range(10):
            container.writestr(f"{number}", draw.randbytes(6 * 2**20) + bytes(244 * 2**20))
    answer = run("ahead", tmp_path)
    print(f"{(tmp_path / 'large.zip').stat().st_size:,} bytes, peak {answer['peak_bytes'] >> 20} MiB")
    assert answer["sizes"] == [250 * 2**20] * 10

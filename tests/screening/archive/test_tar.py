"""The headers of tar files: what `tarfile` reads of good ones, and a bounded answer to those that mean harm."""

import bz2
import gzip
import io
import lzma
import tarfile
import time
from pathlib import Path

import pytest

from schemas.reasons import Reason
from screening.archive.limits import MAX_HEADER_BYTES, MAX_NAME_BYTES
from screening.archive.members import SPARSE, Listing
from screening.archive.tar import walk_tar
from tests.screening.archive.made import answers_of, tar_header, tar_of

LONG = "folder/" * 40
NAMES = ["a.dcm", "ünïcode 胸部.dcm", f"{'d' * 120}/{'n' * 60}.dcm", "./c.dcm", "/d.dcm"]
LONG_NAMES = [f"{LONG}b.dcm", f"{'n' * 99}.dcm"]  # have no place in a ustar header
END = bytes(1024)


def listing_of(data: bytes) -> Listing:
    """Walk a tar file in memory."""
    listing = Listing(len(data), len(data))
    walk_tar(lambda start, size: data[start : start + size], listing)
    return listing


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_members_are_those_that_tarfile_finds(tar_format: int) -> None:
    names = NAMES if tar_format == tarfile.USTAR_FORMAT else NAMES + LONG_NAMES
    data = tar_of({name: name.encode() * 30 for name in names}, tar_format)
    listing = listing_of(data)
    assert listing.damage is None
    with tarfile.open(fileobj=io.BytesIO(data)) as container:
        expected = {info.name: (info.offset_data, info.size) for info in container}
    assert {name: (member.offset, member.bytes) for name, member in listing.members.items()} == expected
    assert len(expected) == len(names)


def test_only_files_are_members_and_hard_links_are_second_names(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as container:
        for data in (b"old", b"new"):
            info = tarfile.TarInfo("a.dcm")
            info.size = 3
            container.addfile(info, io.BytesIO(data))
        for name, kind in (("same.dcm", tarfile.LNKTYPE), ("soft", tarfile.SYMTYPE), ("f", tarfile.DIRTYPE), ("p", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "a.dcm"
            container.addfile(info)
    assert answers_of(str(tmp_path)) == {"a.dcm": b"new", "same.dcm": b"new"}


def test_a_hard_link_to_nothing_and_an_unknown_kind_are_told(tmp_path: Path) -> None:
    for name, header in (("a.tar", tar_header(b"x", b"0", b"1", b"none")), ("b.tar", tar_header(b"x", b"0", b"~"))):
        (tmp_path / name).write_bytes(header + END)
    assert answers_of(str(tmp_path)) == {"a.tar": Reason.CORRUPT, "b.tar": Reason.CORRUPT}


def test_members_with_holes_are_refused_and_cost_no_other(tmp_path: Path) -> None:
    records = b"26 GNU.sparse.map=0,1,9,1\n22 GNU.sparse.size=10\n"
    assert len(records) == 48
    pax = (
        tar_header(b"pax", b"%o" % len(records), b"x")
        + records.ljust(512, b"\0")
        + tar_header(b"holes.dcm", b"2")
        + b"ab".ljust(512, b"\0")
    )
    old = bytearray(tar_header(b"old.dcm", b"2", b"S"))
    old[482] = 1  # one more block of the map (GNU tar manual, "Old GNU format")
    old[483:495] = b"12".ljust(12, b"\0")
    old[148:156] = b" " * 8
    old[148:156] = b"%06o\0 " % sum(old)
    data = pax + bytes(old) + bytes(512) + b"ab".ljust(512, b"\0") + tar_header(b"good.dcm", b"1") + b"x".ljust(512, b"\0") + END
    listing = listing_of(data)
    assert [(m.name, m.method, m.bytes) for m in listing.sorted()] == [
        ("good.dcm", 0, 1),
        ("holes.dcm", SPARSE, 10),
        ("old.dcm", SPARSE, 10),
    ]
    (tmp_path / "a.tar").write_bytes(data)
    assert answers_of(str(tmp_path)) == {"good.dcm": b"x", "holes.dcm": Reason.CORRUPT, "old.dcm": Reason.CORRUPT}


@pytest.mark.parametrize(
    "size",
    [b"\xff" * 11 + b"\0", b"\x80" + b"\xff" * 11, b"-1", b"+7", b"1_0", b"0o7", b"99", b"7 7"],
    ids=["negative", "2 to the 88", "minus", "plus", "underscore", "prefix", "no octal digits", "two numbers"],
)
def test_impossible_sizes_end_soon_and_are_told(size: bytes) -> None:
    data = tar_header(b"a.dcm", size) + tar_header(b"b.dcm", b"1") + b"x".ljust(512, b"\0") + END
    listing = listing_of(data)
    assert listing.damage is not None
    assert listing.damage.reason in (Reason.CORRUPT, Reason.TRUNCATED)
    assert all(0 <= member.bytes < 2**63 for member in listing.members.values())


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g"])
def test_headers_larger_than_any_name_are_never_read(kind: bytes) -> None:
    asked: list[int] = []
    size = MAX_HEADER_BYTES + 1
    data = tar_header(b"a.dcm", b"1") + b"x".ljust(512, b"\0") + tar_header(b"long", b"%o" % size, kind)

    def read(start: int, count: int) -> bytes:
        asked.append(count)
        return data[start : start + count]

    listing = Listing(len(data), len(data))
    walk_tar(read, listing)
    assert max(asked) < MAX_HEADER_BYTES
    assert list(listing.members) == ["a.dcm"]
    assert listing.damage is not None


def test_a_name_that_is_too_long_is_told_and_the_walk_goes_on() -> None:
    name = b"n" * (MAX_NAME_BYTES + 1)
    data = tar_header(b"././@LongLink", b"%o" % len(name), b"L") + name.ljust(9 * 512, b"\0")
    data += tar_header(b"n", b"0") + tar_header(b"good.dcm", b"0") + END
    listing = listing_of(data)
    assert list(listing.members) == ["good.dcm"]
    assert "more than 4096 bytes" in str(listing.damage)


def test_a_member_without_a_name_is_told_and_the_walk_goes_on() -> None:
    listing = listing_of(tar_header(b"\0a.dcm", b"0") + tar_header(b"good.dcm", b"0") + END)
    assert list(listing.members) == ["good.dcm"]
    assert "no name" in str(listing.damage)


@pytest.mark.parametrize(
    "records",
    [
        b"99 path=b.dcm\n",
        b"0 path=b.dcm\n",
        b"14 path=b.dcm!",
        b"path=b.dcm\n",
        b"12 pathb.dcm\n",
        b"1234567890123456789012 path=b\n",
        b"\xff\xfe",
    ],
)
def test_damaged_pax_records_are_told_and_the_walk_goes_on(records: bytes) -> None:
    data = tar_header(b"pax", b"%o" % len(records), b"x") + records.ljust(512, b"\0") + tar_header(b"a.dcm", b"0")
    listing = listing_of(data + tar_header(b"good.dcm", b"0") + END)
    assert "good.dcm" in listing.members
    assert "pax" in str(listing.damage)


@pytest.mark.parametrize("size", [b"-512", b"9" * 5000, b"9" * 19, b"1e3", b""])
def test_wild_sizes_in_pax_records(size: bytes) -> None:
    body = b" size=" + size + b"\n"
    length = next(n for n in range(len(body), len(body) + 9) if n == len(body) + len(str(n)))
    records = str(length).encode() + body
    header = tar_header(b"pax", b"%o" % len(records), b"x") + records.ljust(-(-len(records) // 512) * 512, b"\0")
    listing = listing_of(header + tar_header(b"a.dcm", b"0") + tar_header(b"good.dcm", b"0") + END)
    assert listing.damage is not None
    assert all(0 <= member.bytes < 2**63 for member in listing.members.values())


BOMBS = {
    "long name": tar_header(b"././@LongLink", b"77777777777", b"L"),
    "pax header": tar_header(b"pax", b"77777777777", b"x"),
    "member": tar_header(b"a.dcm", b"77777777777"),
    "damaged header": b"x" * 512,
}


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_file_that_unpacks_without_end_is_refused_soon(
    tmp_path: Path, bomb: str, pack: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("screening.archive.limits.FREE_UNPACKED_BYTES", 2**24)
    suffix = {gzip.compress: "gz", bz2.compress: "bz2", lzma.compress: "xz"}[pack]
    (tmp_path / f"a.tar.{suffix}").write_bytes(pack(BOMBS[bomb] + bytes(2**26)))
    started = time.thread_time()
    answers = answers_of(str(tmp_path))
    assert time.thread_time() - started < 5
    assert answers.pop(f"a.tar.{suffix}") == Reason.IMPLAUSIBLE_COMPRESSION
    assert set(answers.values()) <= {Reason.TOO_LARGE}


def test_more_headers_than_a_container_of_this_size_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("screening.archive.limits.FREE_ENTRIES", 1000)
    (tmp_path / "a.tgz").write_bytes(gzip.compress(b"".join(tar_header(b"%d.dcm" % i, b"0") for i in range(3000)) + END))
    (tmp_path / "b.tgz").write_bytes(gzip.compress(END) * 3000)
    answers = answers_of(str(tmp_path))
    assert answers.pop("a.tgz") == answers.pop("b.tgz") == Reason.TOO_LARGE
    assert len(answers) == 999  # and one stream


def test_an_xz_stream_that_asks_for_more_memory_than_any_does(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2**30, "preset": 0}]
    try:
        packed = lzma.compress(tar_of({"a.dcm": b"x"}), filters=filters)
    except MemoryError:
        pytest.skip("this machine has no gigabytes to make the file with")
    (tmp_path / "a.tar.xz").write_bytes(packed)
    assert answers_of(str(tmp_path)) == {"a.tar.xz": Reason.CORRUPT}

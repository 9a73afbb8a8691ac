"""The directory of zip files, and members without one: what `zipfile` reads of good ones, and a bounded answer to the others."""

import io
import struct
import time
import zipfile
from pathlib import Path

import pytest

from schemas.reasons import Reason
from screening.archive.members import Listing, Member
from screening.archive.source import IndexedObject
from screening.archive.zip import walk_zip
from screening.errors import ImageRefused
from tests.screening.archive.made import answers_of, streamed_zip_of, zip64_of, zip_of

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
FILES = {"a.dcm": b"a" * 3000, "folder/ü.dcm": bytes(range(256)) * 20, "c.dcm": b"", "d.dcm": b"PK\3\4PK\7\x08" * 50}


class InMemory:
    """A zip file in memory."""

    def __init__(self, data: bytes):
        self.data = data
        self.identity = IndexedObject(len(data), "e")

    def read(self, start: int, size: int) -> bytes:
        return self.data[start : start + size]


def listing_of(data: bytes) -> Listing:
    """Walk a zip file in memory; a limit that ends the walk is its damage."""
    listing = Listing(len(data), len(data))
    try:
        walk_zip(InMemory(data), listing)
    except ImageRefused as limit:
        listing.damage = limit
    return listing


def without_directory(data: bytes) -> bytes:
    """Return the part of a zip file that stands before its directory."""
    return data[: data.index(b"PK\1\2")]


def expected_of(data: bytes) -> list[Member]:
    """Return what `zipfile` finds."""
    with zipfile.ZipFile(io.BytesIO(data)) as container:
        files = [info for info in container.infolist() if not info.is_dir()]
    members = [Member(i.filename, i.header_offset, i.compress_size, i.file_size, i.compress_type, i.CRC) for i in files]
    return sorted(members, key=lambda member: member.name)


@pytest.mark.parametrize("pack", [zip_of, streamed_zip_of])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\nexit\n" * 9])
def test_the_members_are_those_that_zipfile_finds(pack: object, method: int, before: bytes) -> None:
    data = before + pack(FILES, method)
    listing = listing_of(data)
    assert listing.damage is None
    assert listing.sorted() == expected_of(data)
    assert len(listing.members) == len(FILES)


@pytest.mark.parametrize("pack", [zip_of, streamed_zip_of])
@pytest.mark.parametrize("method", METHODS)
def test_without_a_directory_the_same_members_are_found(tmp_path: Path, pack: object, method: int) -> None:
    data = pack(FILES, method)
    listing = listing_of(without_directory(data))
    assert listing.damage.reason == Reason.TRUNCATED
    assert {member.name: member for member in expected_of(data)}.items() <= listing.members.items()
    (tmp_path / "a.zip").write_bytes(without_directory(data))
    answers = answers_of(str(tmp_path))
    assert answers.pop("a.zip") == Reason.TRUNCATED
    assert FILES.items() <= answers.items()


def test_zip64(tmp_path: Path) -> None:
    data = zip64_of(FILES)
    assert listing_of(data).damage is None
    assert listing_of(data).sorted() == expected_of(data)
    assert listing_of(b"before" + data).sorted() == expected_of(b"before" + data)
    recovered = listing_of(without_directory(data))
    assert {member.name: member for member in expected_of(data)}.items() <= recovered.members.items()


@pytest.mark.parametrize("field", range(4, 12))
def test_wild_numbers_in_the_zip64_end_record_lose_no_member(tmp_path: Path, field: int) -> None:
    data = bytearray(zip64_of(FILES))
    at = data.rindex(b"PK\6\6")
    record = list(struct.unpack_from("<4sQ2H2I4Q", data, at))
    fields = [*range(10), 7, 9]
    wild = 2**63 + 5 if fields[field] > 5 else 7
    record[fields[field]] = wild
    data[at : at + 56] = struct.pack("<4sQ2H2I4Q", *record)
    (tmp_path / "a.zip").write_bytes(data)
    answers = answers_of(str(tmp_path))
    assert FILES.items() <= answers.items()
    assert answers.get("a.zip", Reason.CORRUPT) == Reason.CORRUPT


@pytest.mark.parametrize("offset", [2**32 - 1, 2**31, 5])
def test_an_entry_that_points_nowhere_is_found_all_the_same(tmp_path: Path, offset: int) -> None:
    data = bytearray(zip_of(FILES))
    struct.pack_into("<I", data, data.rindex(b"PK\1\2") + 42, offset)
    (tmp_path / "a.zip").write_bytes(data)
    answers = answers_of(str(tmp_path))
    if offset == 5:  # inside the file: only reading shows it
        assert answers.pop("d.dcm") == Reason.CORRUPT
        assert answers == {name: content for name, content in FILES.items() if name != "d.dcm"}
    else:
        assert answers.pop("a.zip") == Reason.CORRUPT
        assert FILES.items() <= answers.items()


def test_a_directory_that_breaks_off_loses_no_member(tmp_path: Path) -> None:
    data = bytearray(zip_of(FILES))
    data[data.rindex(b"PK\1\2")] = 0
    (tmp_path / "a.zip").write_bytes(data)
    answers = answers_of(str(tmp_path))
    assert answers.pop("a.zip") == Reason.CORRUPT
    assert FILES.items() <= answers.items()


def test_names_that_begin_with_nul_or_are_no_utf_8(tmp_path: Path) -> None:
    data = (
        zip_of({"0nul.dcm": b"x", "ü.dcm": b"y", "z\0z.dcm": b"z", "good.dcm": b"g"})
        .replace(b"0nul", b"\0nul")
        .replace("ü".encode(), b"\xff\xfe")
    )
    (tmp_path / "a.zip").write_bytes(data)
    answers = answers_of(str(tmp_path))
    assert answers == {"%FF%FE.dcm": b"y", "z": b"z", "good.dcm": b"g", "a.zip": Reason.CORRUPT}
    assert "no name" in str(listing_of(data).damage)


def test_a_part_of_a_split_zip_file_says_what_to_do() -> None:
    data = bytearray(zip_of(FILES))
    data[data.rindex(b"PK\5\6") + 4] = 1
    listing = listing_of(data)
    assert "join the parts" in str(listing.damage)
    assert FILES.keys() <= listing.members.keys()


def test_a_comment_at_the_end_is_no_damage() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as container:
        container.writestr("a.dcm", b"x")
        container.comment = b"c" * 65_535
    assert listing_of(buffer.getvalue()).damage is None


def overlapping_zip(members: int, kernel_bytes: int) -> bytes:
    """Return a zip file whose entries all name the same compressed zeros."""
    one = zip_of({"a": bytes(kernel_bytes)})
    start = one.rindex(b"PK\1\2")
    entry = bytearray(one[start : start + 46])
    struct.pack_into("<3H", entry, 28, 8, 0, 0)  # lengths of name, extra field, comment
    directory = b"".join(entry + b"%08d" % i for i in range(members))
    return one[:start] + directory + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, members, members, len(directory), start, 0)


def test_members_that_overlap_are_few_enough_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = overlapping_zip(500, 2**20)
    assert len(listing_of(data).members) == 256  # 256 MiB
    monkeypatch.setattr("screening.archive.limits.FREE_UNPACKED_BYTES", 2**24)
    listing = listing_of(data)
    assert listing.damage.reason == Reason.IMPLAUSIBLE_COMPRESSION
    assert len(listing.members) == 16


@pytest.mark.parametrize("method", [0, 8, 12, 14])
def test_headers_that_would_be_searched_for_ever(method: int) -> None:
    """Each of many headers without a size asks for a search, or for unpacking, of all that follows."""
    header = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 8, method, 0, 0, 0, 0, 0, 1, 0) + b"a"
    blocks = b"\0\x05\0\xfa\xffPK\7\x08x"  # to deflate a stored block; to a search a descriptor that is none
    started = time.thread_time()
    listing = listing_of((header + blocks) * 60_000)
    assert time.thread_time() - started < 8
    assert listing.damage is not None


def test_the_clock_ends_a_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("screening.archive.limits.LISTING_SECONDS", -1.0)
    listing = Listing(10, 10)
    with pytest.raises(ImageRefused, match="decode_timeout"):
        listing.budget.add_entry()

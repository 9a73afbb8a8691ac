"""Containers as an archive holds them: members of every kind, damage that costs only what it hit, and rows that say so."""

import os
import random
import tarfile
import zipfile
from pathlib import Path

import pytest

from schemas.reasons import Reason
from screening import storage
from screening.archive.reader import ObjectReader
from screening.archive.urls import escape
from screening.errors import ImageRefused
from tests.screening.archive.made import (
    MAX_BYTES,
    ODD_NAMES,
    PACK,
    answers_of,
    contents_of,
    index_of,
    refusal_of,
    streamed_zip_of,
    tar_of,
    urls_of,
    zip_of,
)

SUFFIXES = list(PACK)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_odd_name_in_a_container_is_one_row_and_readable(url: str, suffix: str) -> None:
    files = {name: name.encode() * 50 for name in ODD_NAMES}
    files["empty.dcm"] = b""
    storage.put_atomic(f"{url}/some night::1.{suffix}", PACK[suffix](files))
    index = index_of(url)
    contents = contents_of(url)
    protocol = "zip" if suffix == "zip" else "tar"
    container = escape(storage.url_of(*storage.filesystem_of(f"{url}/some night::1.{suffix}")))
    assert contents == {f"{protocol}://{escape(name)}::{container}": data for name, data in files.items()}
    assert dict(zip(index["object_url"].to_pylist(), index["object_bytes"].to_pylist(), strict=True)) == {
        member: len(data) for member, data in contents.items()
    }


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_no_container_despite_its_name_is_one_row_that_says_so(url: str, suffix: str) -> None:
    storage.put_atomic(f"{url}/Doe^Jane.{suffix}", b"no container at all" * 100)
    assert answers_of(url) == {f"Doe^Jane.{suffix}": Reason.CORRUPT}
    (row,) = urls_of(url)
    detail = refusal_of(row).detail
    assert "send it again" in detail
    assert "Doe" not in detail


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_file_under_the_name_of_a_container(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a.{suffix}").write_bytes(b"")
    assert answers_of(str(tmp_path)) == {f"a.{suffix}": Reason.TRUNCATED}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_intact_container_without_members_is_one_row(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a.{suffix}").write_bytes(PACK[suffix]({}))
    assert answers_of(str(tmp_path)) == {f"a.{suffix}": Reason.NOT_DICOM}
    (row,) = urls_of(str(tmp_path))
    assert refusal_of(row).detail == "an intact container without any file in it"


@pytest.mark.parametrize("suffix", ["zip", "streamed zip", "tar", "tar.gz"])
def test_a_container_that_is_cut_off_gives_the_members_that_are_whole_and_itself(url: str, suffix: str) -> None:
    files = {f"{number}.dcm": os.urandom(20_000) for number in range(5)}
    whole = streamed_zip_of(files) if suffix == "streamed zip" else PACK[suffix](files)
    name = f"a.{suffix.split()[-1]}"
    storage.put_atomic(f"{url}/{name}", whole[:70_000])
    assert answers_of(url) == {
        **{f"{number}.dcm": files[f"{number}.dcm"] for number in range(3)},
        "3.dcm": Reason.TRUNCATED,
        name: Reason.TRUNCATED,
    }


@pytest.mark.parametrize("suffix", ["tar.bz2", "tar.xz"])
def test_the_same_where_compression_works_in_large_blocks(tmp_path: Path, suffix: str) -> None:
    files = {f"{number}.dcm": os.urandom(500_000) for number in range(6)}
    whole = PACK[suffix](files)
    (tmp_path / f"a.{suffix}").write_bytes(whole[: len(whole) * 2 // 3])
    answers = answers_of(str(tmp_path))
    assert answers["0.dcm"] == files["0.dcm"]
    assert answers[f"a.{suffix}"] == Reason.TRUNCATED


def test_a_tar_file_cut_between_two_members_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar_of({"0.dcm": b"a" * 512, "1.dcm": b"b"})[:1024])
    assert answers_of(str(tmp_path)) == {"0.dcm": b"a" * 512, "a.tar": Reason.TRUNCATED}


def test_a_damaged_checksum_at_the_end_of_a_compressed_tar_file_is_told(tmp_path: Path) -> None:
    files = {"0.dcm": os.urandom(1000), "1.dcm": os.urandom(200_000)}
    whole = bytearray(PACK["tgz"](files))
    whole[-8] ^= 1  # CRC-32 of RFC 1952, 2.3.1
    (tmp_path / "a.tgz").write_bytes(whole)
    answers = answers_of(str(tmp_path))
    assert answers["0.dcm"] == files["0.dcm"]
    assert answers["a.tgz"] == Reason.CORRUPT


def test_a_damaged_container_ends_no_listing_and_costs_no_other_row(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\3\4")
    (tmp_path / "b.tgz").write_bytes(b"\x1f\x8b\x08")
    (tmp_path / "c.dcm").write_bytes(b"x")
    assert answers_of(str(tmp_path)) == {"a.zip": Reason.TRUNCATED, "b.tgz": Reason.TRUNCATED, "c.dcm": b"x"}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_methods(tmp_path: Path, method: int) -> None:
    files = {"a.dcm": b"payload" * 100_000, "b.dcm": random.Random(1).randbytes(400_000), "c.dcm": b""}
    (tmp_path / "a.zip").write_bytes(zip_of(files, method))
    assert answers_of(str(tmp_path)) == files


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_members_are_the_image_s_fault_not_the_store_s(tmp_path: Path, method: int) -> None:
    data = random.Random(1).randbytes(5000)
    whole = bytearray(zip_of({"a.dcm": data, "b.dcm": data}, method))
    middle = whole.index(b"PK\3\4", whole.index(b"a.dcm")) - 2500
    whole[middle : middle + 8] = b"\xff" * 8
    (tmp_path / "a.zip").write_bytes(whole)
    assert answers_of(str(tmp_path)) == {"a.dcm": Reason.CORRUPT, "b.dcm": data}


def test_a_member_that_is_larger_than_one_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("screening.archive.containers.RANGE_BYTES", 1000)
    files = {"a.dcm": random.Random(1).randbytes(10_500), "b.dcm": bytes(5000)}
    for name, method in (("a.zip", zipfile.ZIP_STORED), ("b.zip", zipfile.ZIP_DEFLATED)):
        (tmp_path / name).write_bytes(zip_of(files, method))
    assert list(contents_of(str(tmp_path)).values()) == [*files.values()] * 2


def test_encrypted_and_unknown_members_say_what_to_do(tmp_path: Path) -> None:
    for name, at, value in (("a.zip", 8, 1), ("b.zip", 10, 9)):  # flags and method of the directory entry (APPNOTE 4.3.12)
        whole = bytearray(zip_of({"Doe^Jane.dcm": b"payload"}))
        whole[whole.rindex(b"PK\1\2") + at] = value
        (tmp_path / name).write_bytes(whole)
    details = [refusal_of(url).detail for url in urls_of(str(tmp_path))]
    assert details[0] == "the zip member is encrypted: unpack it with its password first"
    assert details[1].endswith("method 9, which is not read here: pack it again with deflate")
    assert "Doe" not in " ".join(details)


def test_the_later_of_two_members_of_one_name_counts(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as container:
        container.writestr("a.dcm", b"old")
        with pytest.warns(UserWarning, match="Duplicate"):
            container.writestr("a.dcm", b"new")
    assert list(contents_of(str(tmp_path)).values()) == [b"new"]


def test_a_zip_member_that_expands_beyond_its_directory_entry_is_corrupt_and_bounded(tmp_path: Path) -> None:
    bomb = bytearray(zip_of({"a.dcm": b"\0" * 5_000_000}))
    directory = bomb.rindex(b"PK\x01\x02")
    bomb[directory + 24 : directory + 28] = (1000).to_bytes(4, "little")  # uncompressed size (APPNOTE 4.3.12)
    (tmp_path / "a.zip").write_bytes(bomb)
    assert answers_of(str(tmp_path)) == {"a.dcm": Reason.CORRUPT}


def test_a_member_that_no_radiograph_is_like_is_not_unpacked(tmp_path: Path) -> None:
    files = {"bomb.dcm": bytes(40_000_000), "good.dcm": b"x"}
    for suffix in ("zip", "tgz"):
        (tmp_path / f"a.{suffix}").write_bytes(PACK[suffix](files))
    with ObjectReader(2**28) as reader:
        for url in urls_of(str(tmp_path)):
            if "bomb" in url:
                with pytest.raises(ImageRefused) as caught:
                    reader.read(url)
                assert caught.value.reason == Reason.IMPLAUSIBLE_COMPRESSION
            else:
                assert reader.read(url) == b"x"


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_after_a_damaged_header_are_found(tmp_path: Path, tar_format: int) -> None:
    files = {f"{number}.dcm": bytes([number]) * 2000 for number in range(4)}
    whole = bytearray(tar_of(files, tar_format))
    whole[whole.index(b"1.dcm") + 150] ^= 0xFF  # in the checksum
    (tmp_path / "a.tar").write_bytes(whole)
    expected: dict[str, bytes | Reason] = {name: data for name, data in files.items() if name != "1.dcm"}
    assert answers_of(str(tmp_path)) == expected | {"a.tar": Reason.CORRUPT}


def test_members_are_read_where_the_archive_is_read_by_its_index(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zip_of({"a.dcm": b"x"}))
    with ObjectReader(MAX_BYTES) as reader, pytest.raises(ImageRefused, match="object_missing"):
        reader.read(f"zip://b.dcm::file://{tmp_path}/a.zip")

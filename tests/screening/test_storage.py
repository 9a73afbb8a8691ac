"""Filesystems, atomic puts and listings, on local disk, in memory and on a real S3 server."""

import contextlib
import os
import pickle
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from screening import storage
from screening.errors import WriteError
from tests.s3 import S3Server
from tests.small_disk import remount, small_disk


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("/data/a b", ("file", "/data/a b")),
        ("file:///data/x", ("file", "/data/x")),
        ("data/odd::name.dcm", ("file", "data/odd::name.dcm")),
        ("s3://bucket/a::b#c?d", ("s3", "bucket/a::b#c?d")),
        ("simplecache::s3://bucket/x", ("simplecache", "s3://bucket/x")),
    ],
)
def test_protocol_and_path_of_a_url(url: str, parts: tuple[str, str]):
    assert storage.split_url(url) == parts


@pytest.fixture(params=["local", "memory", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty folder of each kind."""
    if request.param == "s3":
        return request.getfixturevalue("s3_bucket") + "/folder"
    return str(tmp_path / "folder") if request.param == "local" else f"memory://{tmp_path}"


def test_what_was_put_is_listed_and_read(folder: str):
    assert storage.list_files(folder) == []
    names = ["a.parquet", "sub folder/b#c?.parquet", "sub folder/ü.zip"]
    for name in names:
        storage.put_atomic(storage.join(folder, name), name.encode())
        storage.put_atomic(storage.join(folder, name), name.encode() * 2)
    urls = storage.list_files(folder, ".parquet")
    assert [storage.read_bytes(url).decode() for url in urls] == [name * 2 for name in names[:2]]
    assert len(storage.list_files(folder)) == 3
    for url in urls:
        fs, path = storage.filesystem_of(url)
        assert storage.url_of(fs, path) == url


def test_of_two_who_put_a_new_file_one_did_it(folder: str):
    url = storage.join(folder, "entry")
    assert storage.put_new(url, b"first")
    assert not storage.put_new(url, b"second")
    assert storage.read_bytes(url) == b"first"
    assert len(storage.list_files(folder)) == 1


def test_a_put_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    storage.put_atomic(str(tmp_path / "part"), b"old")

    def power_cut(descriptor: int) -> None:
        raise OSError("power cut")

    monkeypatch.setattr(os, "fsync", power_cut)
    with pytest.raises(OSError, match="power cut"):
        storage.put_atomic(str(tmp_path / "part"), b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["part"]
    assert (tmp_path / "part").read_bytes() == b"old"


def test_a_file_that_is_written_in_parts_is_there_at_the_end(folder: str):
    url = storage.join(folder, "sub", "index")
    with storage.writing(url) as file:
        for part in (b"a", b"b"):
            file.write(part)
        assert not storage.exists(url)
    assert storage.read_bytes(url) == b"ab"
    with contextlib.suppress(ValueError), storage.writing(url) as file:
        file.write(b"c")
        raise ValueError("halfway")
    assert [storage.read_bytes(file) for file in storage.list_files(folder)] == [b"ab"]


def test_half_written_files_are_not_listed(tmp_path: Path):
    (tmp_path / ".tmp-123").write_bytes(b"half")
    assert storage.list_files(str(tmp_path)) == []


def test_a_put_to_a_silent_server_fails_and_does_not_hang(s3_environment: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch):
    start = time.monotonic()
    s3_environment.freeze()
    try:
        with monkeypatch.context() as patience:
            patience.setattr(storage, "READ_TIMEOUT_S", 1)
            patience.setattr(storage, "ATTEMPTS", 2)
            with pytest.raises(OSError, match="timeout"):
                storage.put_atomic(f"{s3_bucket}/part", b"y" * 2_000_000)
    finally:
        s3_environment.thaw()
    assert time.monotonic() - start < 30
    # The server may still take the put it was frozen over, so look at another key.
    storage.put_atomic(f"{s3_bucket}/other", b"z")
    assert storage.read_bytes(f"{s3_bucket}/other") == b"z"


def test_the_store_keeps_what_it_acknowledged_when_killed(s3_environment: S3Server, s3_bucket: str):
    storage.put_atomic(f"{s3_bucket}/part", b"kept")
    s3_environment.kill()
    s3_environment.start()
    assert storage.read_bytes(f"{s3_bucket}/part") == b"kept"


def test_another_endpoint_gives_another_filesystem(s3_environment: S3Server, monkeypatch: pytest.MonkeyPatch):
    first, _ = storage.filesystem_of("s3://bucket/a")
    assert storage.filesystem_of("s3://other")[0] is first
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert storage.filesystem_of("s3://bucket/a")[0] is not first


def test_a_pickled_filesystem_becomes_that_of_the_process(s3_bucket: str):
    storage.put_atomic(f"{s3_bucket}/a", b"1")
    fs, path = storage.filesystem_of(f"{s3_bucket}/a")
    assert pickle.loads(pickle.dumps(fs)).cat_file(path) == b"1"


@pytest.mark.parametrize("url", ["dicomweb://pacs:8042/dicom-web", "dicomwebs://pacs/dicom-web/studies/1.2/series/3/instances/4"])
def test_a_pacs_is_a_filesystem_and_its_urls_come_back(url: str) -> None:
    fs, path = storage.filesystem_of(url)
    assert storage.is_pacs(fs)
    assert storage.url_of(fs, path) == url
    assert storage.filesystem_of(url.replace("pacs", "PACS") + "/")[1] == path
    assert not any(storage.is_pacs(storage.filesystem_of(other)[0]) for other in ("/tmp", "memory://a"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    with small_disk(tmp_path / "disk", "64k") as folder:
        yield folder


def test_a_full_disk_keeps_what_it_has_and_takes_files_again_when_there_is_space(disk: Path):
    storage.put_atomic(f"{disk}/a/part", b"old")
    with pytest.raises(WriteError, match=rf"^{disk}/a: no space is left there \(.*\); make space, then give the same command again$"):
        storage.put_atomic(f"{disk}/a/part", bytes(100_000))
    assert [path.name for path in (disk / "a").iterdir()] == ["part"]
    assert (disk / "a" / "part").read_bytes() == b"old"
    remount(disk, "size=1m")
    storage.put_atomic(f"{disk}/a/part", bytes(100_000))


def test_a_read_only_folder_is_told_from_one_that_takes_files(disk: Path):
    storage.check_writable(f"{disk}/not/yet/there")
    assert list(disk.iterdir()) == []
    (disk / f"{storage.TEMPORARY_PREFIX}left").touch()
    remount(disk, "ro")
    for write in (storage.check_writable, storage.remove_temporaries, lambda url: storage.put_atomic(f"{url}/part", b"x")):
        with pytest.raises(WriteError, match=rf"^{disk}: it cannot be written to \(Read-only file system\); make it writable"):
            write(str(disk))


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path):
    (tmp_path / "results").write_text("a file")
    for write in (storage.check_writable, lambda url: storage.put_atomic(f"{url}/part", b"x")):
        with pytest.raises(WriteError, match=rf"^{tmp_path}/results: a file is in the place of a folder \(.*\); move it away"):
            write(str(tmp_path / "results"))
    storage.check_writable("memory://anything")

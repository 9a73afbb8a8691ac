"""Listing and reading archives: plain objects and members of containers, odd names, damage, on local disk and on a real S3 server."""

import concurrent.futures
import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.columns import version_of
from schemas.index import INDEX_SCHEMA
from schemas.reasons import Reason
from screening import storage
from screening.archive import index as archive
from screening.archive.index import check_apart, object_id_of, scan, write_index
from screening.archive.reader import ObjectReader
from screening.archive.urls import escape, unescape
from screening.errors import ArchiveError, ImageRefused, UsageError
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.s3 import S3Server, make_bucket

MAX_BYTES = 10_000_000

ODD_NAMES = [
    "plain.dcm",
    "with space .dcm",
    "ünïcode 胸部.dcm",
    "hash#query?x=1&y.dcm",
    "star*[a].dcm",
    "percent%20%3A%25%C3%A9.dcm",
    "colon:one::two:::three.dcm",
    "ends with colon:",
    ".hidden",
    "sub/deeper/quote'\".dcm",
]


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip file of `files`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as container:
        container.mkdir("empty folder")
        for name, data in files.items():
            container.writestr(name, data)
    return buffer.getvalue()


def tar_of(files: dict[str, bytes], mode: str = "w") -> bytes:
    """Return a tar file of `files`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as container:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            container.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def index_of(url: str, **arguments: int) -> pa.Table:
    """Return the whole index of an archive."""
    return pa.concat_tables(scan(url, **arguments))


def contents_of(url: str) -> dict[str, bytes]:
    """Return the bytes of every object of an archive, by its URL."""
    with ObjectReader(MAX_BYTES) as reader:
        return {row: reader.read(row) for row in index_of(url)["object_url"].to_pylist()}


def refusal_of(url: str, max_bytes: int = MAX_BYTES) -> Reason:
    """Return why an object was not read."""
    with ObjectReader(max_bytes) as reader, pytest.raises(ImageRefused) as caught:
        reader.read(url)
    return caught.value.reason


@pytest.fixture(params=["local", "memory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty archive of each kind."""
    if request.param == "s3":
        return request.getfixturevalue("s3_bucket") + "/archive"
    return str(tmp_path / "archive") if request.param == "local" else f"memory://{tmp_path}"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch):
    """Retries follow at once."""
    monkeypatch.setattr(archive.time, "sleep", lambda seconds: None)


def test_every_odd_name_is_one_row_and_readable(url: str):
    for name in ODD_NAMES:
        storage.put_atomic(f"{url}/{name}", name.encode())
    contents = contents_of(url)
    assert sorted(data.decode() for data in contents.values()) == sorted(ODD_NAMES)
    root = storage.url_of(*storage.filesystem_of(url))
    assert {f"{root}/{escape(name)}" for name in ODD_NAMES} == set(contents)


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz", "tgz"])
def test_every_odd_name_in_a_container_is_one_row_and_readable(url: str, suffix: str):
    files = {name: name.encode() * 50 for name in ODD_NAMES}
    files["empty.dcm"] = b""
    pack = {"zip": zip_of, "tar": tar_of}.get(suffix, lambda files: tar_of(files, "w:gz"))
    storage.put_atomic(f"{url}/some night::1.{suffix}", pack(files))
    index = index_of(url)
    contents = contents_of(url)
    protocol = "zip" if suffix == "zip" else "tar"
    container = escape(storage.url_of(*storage.filesystem_of(f"{url}/some night::1.{suffix}")))
    assert contents == {f"{protocol}://{escape(name)}::{container}": data for name, data in files.items()}
    assert dict(zip(index["object_url"].to_pylist(), index["object_bytes"].to_pylist(), strict=True)) == {
        member: len(data) for member, data in contents.items()
    }


@pytest.mark.parametrize("name", [name for name in ODD_NAMES if "%" not in name and ":" not in name])
def test_urls_open_in_fsspec_as_they_are(tmp_path: Path, name: str):
    (tmp_path / "night.zip").write_bytes(zip_of({name: b"member"}))
    storage.put_atomic(str(tmp_path / name), b"plain")
    urls = index_of(str(tmp_path))["object_url"].to_pylist()
    contents = []
    for url in urls:
        with fsspec.open(url) as file:
            contents.append(file.read())
    assert sorted(contents) == [b"member", b"plain"]


@pytest.mark.parametrize("name", ["a", "%", "%25", "%2525", "%%3A", ":", "::", ":::", "a::b:", "%3A::%C3", "\udcff\udc80%FF", "%ff"])
def test_escape_is_undone_by_unescape(name: str):
    assert unescape(escape(name)) == name
    assert "::" not in escape(name)
    assert not escape(name).endswith(":")
    escape(name).encode()


def test_names_that_are_no_utf_8(tmp_path: Path):
    try:
        (tmp_path / os.fsdecode(b"latin-\xfc.dcm")).write_bytes(b"x")
    except OSError:
        pytest.skip("this filesystem takes only UTF-8 names")
    (contents,) = contents_of(str(tmp_path)).items()
    assert contents == (f"file://{tmp_path}/latin-%FC.dcm", b"x")


def test_the_index_is_the_same_twice_and_in_order(url: str):
    for number in (3, 1, 2):
        storage.put_atomic(f"{url}/{number}/image.dcm", b"x")
    first = index_of(url)
    assert first.schema.equals(INDEX_SCHEMA, check_metadata=True)
    assert first.equals(index_of(url))
    assert [row.split("/")[-2] for row in first["object_url"].to_pylist()] == ["1", "2", "3"]
    assert index_of(url, limit=2).equals(first.slice(0, 2))
    row = first.to_pylist()[0]
    assert row["object_id"] == object_id_of(row["object_url"], row["object_bytes"], row["object_etag"])
    assert row["object_modified"] is not None


def test_an_object_that_changes_gets_another_id(url: str):
    storage.put_atomic(f"{url}/a.dcm", b"one")
    before = index_of(url)["object_id"]
    storage.put_atomic(f"{url}/a.dcm", b"two")
    assert index_of(url)["object_id"] != before


def test_a_member_that_changes_gets_another_id(tmp_path: Path):
    for data in (b"one", b"two"):
        (tmp_path / "a.zip").write_bytes(zip_of({"a.dcm": data}))
        os.utime(tmp_path / "a.zip", (0, 0))
    etag = index_of(str(tmp_path))["object_etag"][0].as_py()
    assert etag.endswith(f"-{zlib.crc32(b'two'):08x}")


def test_object_id_is_a_hash_of_what_names_the_content():
    assert object_id_of("s3://b/a", 3, "e") == "fa6d89f5a4325898761bd4d2d47fd9ac"
    assert len({object_id_of("s3://b/a", 3, "e"), object_id_of("s3://b/a", 4, "e"), object_id_of("s3://b/a", 3, "f")}) == 3


def test_one_file_is_an_archive_too(url: str):
    storage.put_atomic(f"{url}/a.dcm", b"x")
    storage.put_atomic(f"{url}/b.dcm", b"x")
    storage.put_atomic(f"{url}/c.zip", zip_of({"m.dcm": b"y"}))
    assert [row.rsplit("/", 1)[-1] for row in contents_of(f"{url}/a.dcm")] == ["a.dcm"]
    assert list(contents_of(f"{url}/c.zip").values()) == [b"y"]


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_a_file_that_is_no_container_despite_its_name_is_one_row(url: str, name: str):
    storage.put_atomic(f"{url}/{name}", b"no container at all" * 100)
    contents = contents_of(url)
    assert list(contents.values()) == [b"no container at all" * 100]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_file_cut_short_gives_its_readable_members_and_itself(tmp_path: Path, mode: str):
    data = {f"{number}.dcm": os.urandom(20_000) for number in range(3)}
    whole = tar_of(data, mode)
    path = tmp_path / ("a.tar" if mode == "w" else "a.tar.gz")
    path.write_bytes(whole[:50_000])
    urls = index_of(str(tmp_path))["object_url"].to_pylist()
    assert urls[-1] == f"file://{path}"
    with ObjectReader(MAX_BYTES) as reader:
        assert reader.read(urls[0]) == data["0.dcm"]
    assert refusal_of(f"tar://2.dcm::file://{path}") == Reason.CORRUPT


def test_a_tar_file_with_a_damaged_header_gives_the_members_before_it_and_itself(tmp_path: Path):
    whole = bytearray(tar_of({"0.dcm": b"a" * 600, "1.dcm": b"b"}))
    whole[512 + 1024 + 150] ^= 0xFF  # the checksum of the second header (POSIX ustar)
    (tmp_path / "a.tar").write_bytes(whole)
    urls = index_of(str(tmp_path))["object_url"].to_pylist()
    assert urls == [f"tar://0.dcm::file://{tmp_path}/a.tar", f"file://{tmp_path}/a.tar"]


def test_damaged_members_are_corrupt(tmp_path: Path):
    whole = bytearray(zip_of({"a.dcm": b"payload" * 100}, zipfile.ZIP_STORED))
    whole[whole.index(b"payloadpayload") + 20] ^= 1
    (tmp_path / "a.zip").write_bytes(whole)
    encrypted = bytearray(zip_of({"a.dcm": b"payload"}))
    directory = encrypted.rindex(b"PK\x01\x02")
    encrypted[directory + 8] |= 1
    (tmp_path / "b.zip").write_bytes(encrypted)
    assert [refusal_of(row) for row in index_of(str(tmp_path))["object_url"].to_pylist()] == [Reason.CORRUPT, Reason.CORRUPT]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_methods(tmp_path: Path, method: int):
    (tmp_path / "a.zip").write_bytes(zip_of({"a.dcm": b"payload" * 1000}, method))
    assert list(contents_of(str(tmp_path)).values()) == [b"payload" * 1000]


def test_a_zip_member_that_expands_beyond_its_directory_entry_is_corrupt_and_bounded(tmp_path: Path):
    bomb = bytearray(zip_of({"a.dcm": b"\0" * 5_000_000}))
    directory = bomb.rindex(b"PK\x01\x02")
    bomb[directory + 24 : directory + 28] = (1000).to_bytes(4, "little")  # uncompressed size (APPNOTE 4.3.12)
    (tmp_path / "a.zip").write_bytes(bomb)
    (row,) = index_of(str(tmp_path))["object_url"].to_pylist()
    assert refusal_of(row) == Reason.CORRUPT


def test_the_later_of_two_members_of_one_name_counts(tmp_path: Path):
    with tarfile.open(tmp_path / "a.tar", "w") as container:
        for data in (b"old", b"new"):
            info = tarfile.TarInfo("a.dcm")
            info.size = 3
            container.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("same.dcm")
        link.type, link.linkname = tarfile.LNKTYPE, "a.dcm"
        container.addfile(link)
    assert list(contents_of(str(tmp_path)).values()) == [b"new", b"new"]


def test_too_large_and_missing_objects(url: str):
    storage.put_atomic(f"{url}/a.dcm", b"x" * 1001)
    storage.put_atomic(f"{url}/a.zip", zip_of({"a.dcm": b"x" * 1001}))
    storage.put_atomic(f"{url}/empty.dcm", b"")
    root = storage.url_of(*storage.filesystem_of(url))
    for row in (f"{root}/a.dcm", f"zip://a.dcm::{root}/a.zip"):
        assert refusal_of(row, 1000) == Reason.TOO_LARGE
        with ObjectReader(1001) as reader:
            assert reader.read(row) == b"x" * 1001
    with ObjectReader(1) as reader:
        assert reader.read(f"{root}/empty.dcm") == b""
    for row in (f"{root}/none.dcm", f"zip://none.dcm::{root}/a.zip", f"zip://a.dcm::{root}/none.zip"):
        assert refusal_of(row) == Reason.OBJECT_MISSING


def test_what_is_listed_and_what_not(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/again").symlink_to(tmp_path)  # a loop
    (tmp_path / "linked.dcm").symlink_to(tmp_path / "nothing.dcm")
    (tmp_path / ".hidden.dcm").write_bytes(b"x")
    (tmp_path / ".tmp-1234").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    urls = index_of(str(tmp_path))["object_url"].to_pylist()
    assert [row.rsplit("/", 1)[-1] for row in urls] == [".hidden.dcm", "linked.dcm"]
    assert refusal_of(urls[1]) == Reason.OBJECT_MISSING


def test_archives_that_cannot_be_listed(url: str):
    with pytest.raises(ArchiveError, match=r"no such folder|is empty"):
        index_of(url)


def test_an_empty_archive_says_what_to_do(tmp_path: Path):
    with pytest.raises(ArchiveError, match="is empty: check the path"):
        index_of(str(tmp_path))


@pytest.mark.skipif(os.getuid() == 0, reason="root may read every folder")
def test_a_local_folder_without_permission(tmp_path: Path):
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(ArchiveError, match="no permission to list"):
        index_of(str(tmp_path))


def test_s3_errors_name_the_remedy(s3_environment: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with pytest.raises(ArchiveError, match="no such folder, file or bucket: s3://no-such-bucket-here"):
        index_of("s3://no-such-bucket-here/x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(ArchiveError, match=r"s3:ListBucket and s3:GetObject"):
        index_of(s3_bucket)
    assert refusal_of(f"{s3_bucket}/a.dcm") == Reason.READ_FAILED
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(ArchiveError, match=r"no credentials for s3://.*AWS_PROFILE"):
        index_of(s3_bucket)
    monkeypatch.setattr(storage, "ATTEMPTS", 1)
    for name, value in s3_environment.environment("http://127.0.0.1:9").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ArchiveError, match=r"cannot be listed.*127\.0\.0\.1:9"):
        index_of(s3_bucket)


def test_s3_listings_longer_than_a_page(s3_bucket: str):
    fs, path = storage.filesystem_of(s3_bucket)
    fs.pipe({f"{path}/night/{number:04}.dcm": b"x" for number in range(1100)})
    fs.call_s3("put_object", Bucket=path, Key="night/folder/", Body=b"")
    index = index_of(f"{s3_bucket}/night")
    assert index.num_rows == 1100
    assert index["object_url"].to_pylist() == sorted(index["object_url"].to_pylist())
    assert index_of(f"{s3_bucket}/night", limit=1050).num_rows == 1050


def test_an_s3_key_that_looks_like_a_version(s3_bucket: str):
    fs, bucket = storage.filesystem_of(s3_bucket)
    keys = ["a.dcm", "a.dcm?versionId=3"]
    for key in keys:
        fs.call_s3("put_object", Bucket=bucket, Key=key, Body=key.encode())
    assert contents_of(s3_bucket) == {f"{s3_bucket}/{key}": key.encode() for key in keys}


def test_one_request_for_an_s3_object_and_one_for_a_member(s3_bucket: str, monkeypatch: pytest.MonkeyPatch):
    storage.put_atomic(f"{s3_bucket}/a.dcm", b"x" * 200_000)
    storage.put_atomic(f"{s3_bucket}/a.zip", zip_of({"1.dcm": os.urandom(300_000), "2.dcm": b"2" * 300_000}))
    storage.put_atomic(f"{s3_bucket}/b.tar", tar_of({"1.dcm": os.urandom(300_000), "2.dcm": b"2" * 300_000}))
    fs, _ = storage.filesystem_of(s3_bucket)
    calls: list[str] = []
    original = fs._call_s3

    async def counted(method: str, *arguments: object, **keywords: object):
        calls.append(method)
        return await original(method, *arguments, **keywords)

    monkeypatch.setattr(fs, "_call_s3", counted)
    with ObjectReader(MAX_BYTES) as reader:
        reader.read(f"{s3_bucket}/a.dcm")
        assert calls == ["get_object"]
        for container in (f"zip://1.dcm::{s3_bucket}/a.zip", f"tar://1.dcm::{s3_bucket}/b.tar"):
            reader.read(container)
            calls.clear()
            reader.read(container.replace("1.dcm", "2.dcm"))
            assert calls == ["get_object"]


def test_threads_share_a_reader(tmp_path: Path):
    files = {f"{number}.dcm": os.urandom(30_000) for number in range(40)}
    (tmp_path / "a.tar.gz").write_bytes(tar_of(files, "w:gz"))
    (tmp_path / "b.zip").write_bytes(zip_of(files))
    urls = index_of(str(tmp_path))["object_url"].to_pylist()[::-1]
    with ObjectReader(MAX_BYTES) as reader, concurrent.futures.ThreadPoolExecutor(8) as pool:
        read = dict(zip(urls, pool.map(reader.read, urls), strict=True))
    assert all(data == files[row.split("::")[0].split("//")[1]] for row, data in read.items())


def test_a_reader_forgets_containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archive, "OPEN_MEMBERS", 3)
    for number in range(4):
        (tmp_path / f"{number}.zip").write_bytes(zip_of({"1.dcm": b"1", "2.dcm": b"2"}))
    with ObjectReader(MAX_BYTES) as reader:
        for row in index_of(str(tmp_path))["object_url"].to_pylist():
            reader.read(row)
        assert len(reader._containers) == 1


def test_a_store_that_fails_twice_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "patient name.dcm").write_bytes(b"x")
    failures = iter([OSError(5, "Input/output error", "patient name.dcm")] * 2)
    original = ObjectReader._read

    def flaky(reader: ObjectReader, url: str) -> bytes:
        for failure in failures:
            raise failure
        return original(reader, url)

    monkeypatch.setattr(ObjectReader, "_read", flaky)
    with ObjectReader(MAX_BYTES) as reader:
        assert reader.read(f"file://{tmp_path}/patient name.dcm") == b"x"
    failures = iter([OSError(5, "Input/output error", "patient name.dcm")] * 3)
    with ObjectReader(MAX_BYTES) as reader, pytest.raises(ImageRefused, match="Input/output error after 3 attempts") as caught:
        reader.read(f"file://{tmp_path}/patient name.dcm")
    assert "patient name" not in str(caught.value)


@pytest.fixture
def proxy(s3_environment: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A proxy in front of the S3 server, which the environment points at."""
    with fault_proxy(s3_environment.port) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint)
        yield running


def test_a_store_that_is_overloaded_twice_is_asked_again(proxy: FaultProxy):
    bucket = make_bucket()
    proxy.faults.unavailable = 2
    storage.put_atomic(f"{bucket}/a.dcm", b"x")
    assert [line.split()[0] for line in proxy.faults.requests] == ["PUT"] * 4  # the bucket, and three times the object
    proxy.faults.unavailable = 2
    assert contents_of(bucket) == {f"{bucket}/a.dcm": b"x"}
    proxy.faults.unavailable, proxy.faults.match = 2, "GET .*a.dcm"
    assert contents_of(bucket) == {f"{bucket}/a.dcm": b"x"}


def test_a_download_that_is_cut_off_is_whole_or_refused(proxy: FaultProxy):
    bucket, data = make_bucket(), os.urandom(3_000_000)
    storage.put_atomic(f"{bucket}/a.dcm", data)
    proxy.faults.match, proxy.faults.reset, proxy.faults.reset_after_bytes = "GET", 1, 1_000_000
    with ObjectReader(MAX_BYTES) as reader:
        assert reader.read(f"{bucket}/a.dcm") == data
    assert proxy.faults.reset == 0
    proxy.faults.reset = 1000
    assert refusal_of(f"{bucket}/a.dcm") == Reason.READ_FAILED


def test_a_put_whose_answer_is_lost_is_done_once_more(proxy: FaultProxy):
    bucket = make_bucket()
    proxy.faults.match, proxy.faults.lost = "PUT .*a.dcm", 1
    storage.put_atomic(f"{bucket}/a.dcm", b"x")
    assert proxy.faults.lost == 0
    assert contents_of(bucket) == {f"{bucket}/a.dcm": b"x"}


def test_write_index(url: str):
    storage.put_atomic(f"{url}/a.dcm", b"x")
    storage.put_atomic(f"{url}/b.zip", zip_of({"1.dcm": b"1", "2.dcm": b"2"}))
    assert write_index(url, f"{url}-out/index.parquet") == 3
    table = pq.read_table(io.BytesIO(storage.read_bytes(f"{url}-out/index.parquet")))
    assert table.schema.equals(INDEX_SCHEMA, check_metadata=True)
    assert version_of(table.schema) == 1
    assert table.equals(index_of(url))


@pytest.mark.parametrize(
    ("results", "inside"),
    [("a/results", True), ("a", True), ("a-results", False), (".", False), ("link/results", True)],
)
def test_results_inside_the_archive_are_refused(tmp_path: Path, results: str, inside: bool):
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    if inside:
        with pytest.raises(UsageError, match="lie inside the archive"):
            check_apart(str(tmp_path / "a"), str(tmp_path / results))
    else:
        check_apart(str(tmp_path / "a"), str(tmp_path / results))


def test_results_of_another_store_are_apart(s3_environment: S3Server, tmp_path: Path):
    check_apart("s3://bucket/a", "s3://bucket/ab")
    check_apart("s3://bucket", str(tmp_path))
    with pytest.raises(UsageError):
        check_apart("s3://bucket/a/", "s3://bucket/a/results")


def test_arguments_that_make_no_sense(tmp_path: Path):
    with pytest.raises(UsageError, match="limit of 0"):
        index_of(str(tmp_path), limit=0)
    with pytest.raises(UsageError, match="chained URL"):
        index_of(f"zip://a::file://{tmp_path}/a.zip")

"""Reading objects: whole, once for each request, again after faults, and never one that has changed since it was indexed."""

import concurrent.futures
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.reasons import Reason
from screening import storage
from screening.archive import reader as reader_module
from screening.archive.reader import ObjectReader
from screening.archive.source import IndexedObject
from screening.errors import ImageRefused
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.s3 import S3Server, make_bucket
from tests.screening.archive.made import MAX_BYTES, PACK, contents_of, index_of, refusal_of, tar_of, urls_of, zip_of


def test_too_large_and_missing_objects(url: str) -> None:
    storage.put_atomic(f"{url}/a.dcm", b"x" * 1001)
    storage.put_atomic(f"{url}/a.zip", zip_of({"a.dcm": b"x" * 1001}))
    storage.put_atomic(f"{url}/empty.dcm", b"")
    root = storage.url_of(*storage.filesystem_of(url))
    for row in (f"{root}/a.dcm", f"zip://a.dcm::{root}/a.zip"):
        assert refusal_of(row, 1000).reason == Reason.TOO_LARGE
        with ObjectReader(1001) as reader:
            assert reader.read(row) == b"x" * 1001
    with ObjectReader(1) as reader:
        assert reader.read(f"{root}/empty.dcm") == b""
    for row in (f"{root}/none.dcm", f"zip://none.dcm::{root}/a.zip", f"zip://a.dcm::{root}/none.zip"):
        assert refusal_of(row).reason == Reason.OBJECT_MISSING


@pytest.mark.parametrize("suffix", ["dcm", *PACK])
def test_what_changed_since_it_was_indexed_is_refused(url: str, suffix: str) -> None:
    pack = PACK.get(suffix, lambda files: files["m.dcm"])
    storage.put_atomic(f"{url}/a.{suffix}", pack({"m.dcm": b"one"}))
    (row,) = index_of(url).to_pylist()
    indexed = IndexedObject(row["object_bytes"], row["object_etag"])
    with ObjectReader(MAX_BYTES) as reader:
        assert reader.read(row["object_url"], indexed) == b"one"
        storage.put_atomic(f"{url}/a.{suffix}", pack({"m.dcm": b"two", "n.dcm": b"new"}))
        if suffix in ("dcm", "zip", "tar"):  # a compressed tar file has been unpacked as it was
            with pytest.raises(ImageRefused, match="has changed since it was indexed: index the archive again") as caught:
                reader.read(row["object_url"], indexed)
            assert caught.value.reason == Reason.OBJECT_MISSING
            assert reader.read(row["object_url"]) == b"two"
    assert refusal_of(row["object_url"], expected=indexed).reason == Reason.OBJECT_MISSING
    assert b"two" in contents_of(url).values()


def test_a_container_s_own_row_is_refused_when_the_container_changed(url: str) -> None:
    storage.put_atomic(f"{url}/a.zip", b"no container")
    (row,) = index_of(url).to_pylist()
    indexed = IndexedObject(row["object_bytes"], row["object_etag"])
    assert refusal_of(row["object_url"], expected=indexed).reason == Reason.CORRUPT
    storage.put_atomic(f"{url}/a.zip", zip_of({"m.dcm": b"one"}))
    assert refusal_of(row["object_url"], expected=indexed).reason == Reason.OBJECT_MISSING


def test_one_request_for_an_s3_object_and_one_for_a_member(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.put_atomic(f"{s3_bucket}/a.dcm", b"x" * 200_000)
    storage.put_atomic(f"{s3_bucket}/a.zip", zip_of({"1.dcm": os.urandom(300_000), "2.dcm": b"2" * 300_000}))
    storage.put_atomic(f"{s3_bucket}/b.tar", tar_of({"1.dcm": os.urandom(300_000), "2.dcm": b"2" * 300_000}))
    expected = {row["object_url"]: IndexedObject(row["object_bytes"], row["object_etag"]) for row in index_of(s3_bucket).to_pylist()}
    fs, _ = storage.filesystem_of(s3_bucket)
    calls: list[str] = []
    original = fs._call_s3

    async def counted(method: str, *arguments: object, **keywords: object) -> object:
        calls.append(method)
        return await original(method, *arguments, **keywords)

    monkeypatch.setattr(fs, "_call_s3", counted)
    with ObjectReader(MAX_BYTES) as reader:
        reader.read(f"{s3_bucket}/a.dcm", expected[f"{s3_bucket}/a.dcm"])
        assert calls == ["get_object"]
        for container in (f"zip://1.dcm::{s3_bucket}/a.zip", f"tar://1.dcm::{s3_bucket}/b.tar"):
            reader.read(container, expected[container])
            calls.clear()
            second = container.replace("1.dcm", "2.dcm")
            reader.read(second, expected[second])
            assert calls == ["get_object"]


def test_threads_share_a_reader(tmp_path: Path) -> None:
    files = {f"{number}.dcm": os.urandom(30_000) for number in range(40)}
    for suffix in ("tar.gz", "tar", "zip"):
        (tmp_path / f"a.{suffix}").write_bytes(PACK[suffix](files))
    urls = urls_of(str(tmp_path))[::-1]
    with ObjectReader(MAX_BYTES) as reader, concurrent.futures.ThreadPoolExecutor(8) as pool:
        read = dict(zip(urls, pool.map(reader.read, urls), strict=True))
    assert len(read) == 120
    assert all(data == files[row.split("::")[0].split("//")[1]] for row, data in read.items())


@pytest.mark.parametrize(("suffix", "limit"), [("zip", "REMEMBERED_BYTES"), ("tgz", "OPEN_FILES")])
def test_a_reader_forgets_containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, limit: str) -> None:
    monkeypatch.setattr(reader_module, limit, {"REMEMBERED_BYTES": 1000, "OPEN_FILES": 1}[limit])
    for number in range(4):
        (tmp_path / f"{number}.{suffix}").write_bytes(PACK[suffix]({"1.dcm": b"1", "2.dcm": b"2"}))
    with ObjectReader(MAX_BYTES) as reader:
        for row in urls_of(str(tmp_path)):
            assert reader.read(row) in (b"1", b"2")
        assert len(reader._containers) == 1


def test_a_store_that_fails_twice_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "patient name.dcm").write_bytes(b"x")
    failures = iter([OSError(5, "Input/output error", "patient name.dcm")] * 2)
    original = ObjectReader._read

    def flaky(reader: ObjectReader, url: str, expected: IndexedObject | None) -> bytes:
        for failure in failures:
            raise failure
        return original(reader, url, expected)

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


def test_a_store_that_is_overloaded_twice_is_asked_again(proxy: FaultProxy) -> None:
    bucket = make_bucket()
    proxy.faults.unavailable = 2
    storage.put_atomic(f"{bucket}/a.dcm", b"x")
    assert [line.split()[0] for line in proxy.faults.requests] == ["PUT"] * 4  # the bucket, and three times the object
    proxy.faults.unavailable = 2
    assert contents_of(bucket) == {f"{bucket}/a.dcm": b"x"}
    proxy.faults.unavailable, proxy.faults.match = 2, "GET .*a.dcm"
    assert contents_of(bucket) == {f"{bucket}/a.dcm": b"x"}


def test_a_download_that_is_cut_off_is_whole_or_refused(proxy: FaultProxy) -> None:
    bucket, data = make_bucket(), os.urandom(3_000_000)
    storage.put_atomic(f"{bucket}/a.dcm", data)
    storage.put_atomic(f"{bucket}/b.zip", zip_of({"m.dcm": data}))
    for url, key in ((f"{bucket}/a.dcm", "a.dcm"), (f"zip://m.dcm::{bucket}/b.zip", "b.zip")):
        with ObjectReader(MAX_BYTES) as reader:
            reader.read(url)
            proxy.faults.match, proxy.faults.reset, proxy.faults.reset_after_bytes = f"GET .*{key}", 1, 1_000_000
            assert reader.read(url) == data
            assert proxy.faults.reset == 0
            proxy.faults.reset = 1000
            with pytest.raises(ImageRefused) as caught:
                reader.read(url)
            assert caught.value.reason == Reason.READ_FAILED
        proxy.faults.reset = 0


def test_a_put_whose_answer_is_lost_is_done_once_more(proxy: FaultProxy) -> None:
    bucket = make_bucket()
    proxy.faults.match, proxy.faults.lost = "PUT .*a.dcm", 1
    storage.put_atomic(f"{bucket}/a.dcm", b"x")
    assert proxy.faults.lost == 0
    assert contents_of(bucket) == {f"{bucket}/a.dcm": b"x"}

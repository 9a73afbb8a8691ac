"""The index of an archive: one row an object, ids that change with the content, one Parquet file."""

import io
import os
import threading
import zlib
from pathlib import Path

import fsspec
import pyarrow.parquet as pq
import pytest

from schemas.columns import version_of
from schemas.index import INDEX_SCHEMA
from screening import storage
from screening.archive import index as archive_index
from screening.archive.containers import list_members
from screening.archive.index import check_apart, object_id_of, write_index
from screening.archive.members import Member
from screening.archive.source import IndexedObject
from screening.archive.urls import escape
from screening.errors import ImageRefused, UsageError
from tests.s3 import S3Server
from tests.screening.archive.made import ODD_NAMES, contents_of, index_of, zip_of


def test_every_odd_name_is_one_row_and_readable(url: str) -> None:
    for name in ODD_NAMES:
        storage.put_atomic(f"{url}/{name}", name.encode())
    contents = contents_of(url)
    assert sorted(data.decode() for data in contents.values()) == sorted(ODD_NAMES)
    root = storage.url_of(*storage.filesystem_of(url))
    assert {f"{root}/{escape(name)}" for name in ODD_NAMES} == set(contents)


def test_the_index_is_the_same_twice_and_in_order(url: str) -> None:
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


def test_an_object_that_changes_gets_another_id(url: str) -> None:
    storage.put_atomic(f"{url}/a.dcm", b"one")
    before = index_of(url)["object_id"]
    storage.put_atomic(f"{url}/a.dcm", b"two")
    assert index_of(url)["object_id"] != before


def test_a_member_that_changes_gets_another_id(tmp_path: Path) -> None:
    for data in (b"one", b"two"):
        (tmp_path / "a.zip").write_bytes(zip_of({"a.dcm": data}))
        os.utime(tmp_path / "a.zip", (0, 0))
    etag = index_of(str(tmp_path))["object_etag"][0].as_py()
    assert etag.endswith(f"-{zlib.crc32(b'two'):08x}")


def test_object_id_is_a_hash_of_what_names_the_content() -> None:
    assert object_id_of("s3://b/a", 3, "e") == "fa6d89f5a4325898761bd4d2d47fd9ac"
    assert len({object_id_of("s3://b/a", 3, "e"), object_id_of("s3://b/a", 4, "e"), object_id_of("s3://b/a", 3, "f")}) == 3


def test_one_file_is_an_archive_too(url: str) -> None:
    storage.put_atomic(f"{url}/a.dcm", b"x")
    storage.put_atomic(f"{url}/b.dcm", b"x")
    storage.put_atomic(f"{url}/c.zip", zip_of({"m.dcm": b"y"}))
    assert [row.rsplit("/", 1)[-1] for row in contents_of(f"{url}/a.dcm")] == ["a.dcm"]
    assert list(contents_of(f"{url}/c.zip").values()) == [b"y"]


def test_write_index(url: str) -> None:
    storage.put_atomic(f"{url}/a.dcm", b"x")
    storage.put_atomic(f"{url}/b.zip", zip_of({"1.dcm": b"1", "2.dcm": b"2"}))
    assert write_index(url, f"{url}-out/index.parquet") == 3
    table = pq.read_table(io.BytesIO(storage.read_bytes(f"{url}-out/index.parquet")))
    assert table.schema.equals(INDEX_SCHEMA, check_metadata=True)
    assert version_of(table.schema) == 1
    assert table.equals(index_of(url))


def test_a_fault_of_ours_in_one_container_does_not_end_the_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "Doe^Jane.zip").write_bytes(zip_of({"m.dcm": b"y"}))
    (tmp_path / "z.dcm").write_bytes(b"x")

    def fail(*_: object) -> None:
        raise IndexError("Doe^Jane")

    monkeypatch.setattr("screening.archive.containers.walk_zip", fail)
    assert [url.rsplit("/", 1)[-1] for url in index_of(str(tmp_path))["object_url"].to_pylist()] == ["Doe^Jane.zip", "z.dcm"]
    assert "IndexError" in caplog.text
    assert "Doe" not in caplog.text


def test_containers_are_opened_together_and_their_rows_keep_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first two each wait until the other is opened, too, and the first is the last to be done."""
    together, others = threading.Barrier(2, timeout=20), threading.Event()
    for place in range(20):
        (tmp_path / f"{place:02}.zip").write_bytes(zip_of({f"{name}.dcm": b"x" for name in range(place % 3)}))
        (tmp_path / f"{place:02}.dcm").write_bytes(b"x")
    expected = index_of(str(tmp_path))

    def slowly(fs: fsspec.AbstractFileSystem, path: str, listed: IndexedObject) -> tuple[list[Member], ImageRefused | None]:
        if path.endswith(("00.zip", "01.zip")):
            together.wait()
        if path.endswith("00.zip"):
            assert others.wait(20)
        elif path.endswith("07.zip"):
            others.set()
        return list_members(fs, path, listed)

    monkeypatch.setattr(archive_index, "list_members", slowly)
    assert index_of(str(tmp_path)).equals(expected)
    assert others.is_set()
    names = [url.rpartition("/")[2] for url in expected["object_url"].to_pylist()]
    assert names == [f"{place:02}.{kind}" for place in range(20) for kind in ("dcm", *["zip"] * max(1, place % 3))]


@pytest.mark.parametrize(
    ("results", "inside"),
    [("a/results", True), ("a", True), ("a-results", False), (".", False), ("link/results", True)],
)
def test_results_inside_the_archive_are_refused(tmp_path: Path, results: str, inside: bool) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    if inside:
        with pytest.raises(UsageError, match="lie inside the archive"):
            check_apart(str(tmp_path / "a"), str(tmp_path / results))
    else:
        check_apart(str(tmp_path / "a"), str(tmp_path / results))


def test_results_of_another_store_are_apart(s3_environment: S3Server, tmp_path: Path) -> None:
    check_apart("s3://bucket/a", "s3://bucket/ab")
    check_apart("s3://bucket", str(tmp_path))
    with pytest.raises(UsageError):
        check_apart("s3://bucket/a/", "s3://bucket/a/results")


def test_arguments_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="limit of 0"):
        index_of(str(tmp_path), limit=0)
    with pytest.raises(UsageError, match="chained URL"):
        index_of(f"zip://a::file://{tmp_path}/a.zip")

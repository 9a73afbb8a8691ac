"""S3 Inventories: the same rows as a listing, in both formats; what is no inventory of the archive is refused by name."""

import datetime as dt
import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from schemas.reasons import Reason
from screening import storage
from screening.archive.index import check_listable, scan
from screening.archive.source import IndexedObject
from screening.errors import ArchiveError, UsageError
from tests.inventories import Row, csv_file, parquet_file, row_of, rows_of, write_inventory
from tests.s3 import make_bucket
from tests.screening.archive.made import ODD_NAMES, index_of, refusal_of, tar_of, zip_of

FORMATS = {"CSV": csv_file, "Parquet": parquet_file}
LATER = dt.datetime(2020, 3, 2, tzinfo=dt.UTC)


@pytest.fixture
def bucket(s3_bucket: str) -> str:
    """A bucket with an archive below cxr/, two containers among its files, and objects beside it."""
    files = {f"cxr/{name}": name.encode() for name in [*ODD_NAMES, "a+b c,d\"'.dcm", ".tmp-half"]}
    files |= {"cxr/b.zip": zip_of({"m.dcm": b"y"}), "cxr/c.tar": tar_of({"n.dcm": b"z", "o.dcm": b"z"}), "cxr-2/a.dcm": b"x", "a.dcm": b"x"}
    for key, data in files.items():
        storage.put_atomic(f"{s3_bucket}/{key}", data)
    return s3_bucket


@pytest.fixture(params=FORMATS)
def file_format(request: pytest.FixtureRequest) -> str:
    return request.param


def inventory_of(bucket: str, file_format: str, rows: list[Row] | None = None, **changes: object) -> str:
    """Write an inventory into a bucket of its own, in two files, and return the URL of its manifest."""
    rows = rows_of(bucket) if rows is None else rows
    files = [FORMATS[file_format](part) for part in (rows[::2], rows[1::2])]
    return write_inventory(bucket, f"{make_bucket()}/lists/{bucket.removeprefix('s3://')}/daily", files, file_format, **changes)


def sorted_index(table: pa.Table) -> list[dict[str, object]]:
    return table.sort_by("object_id").to_pylist()


def indexed(archive: str, inventory: str) -> list[dict[str, object]]:
    """Return the rows of the index that an inventory gives."""
    return sorted_index(pa.concat_tables(scan(archive, inventory_url=inventory)))


@pytest.mark.parametrize("below", ["", "/cxr", "/cxr/sub"])
def test_an_inventory_gives_the_index_of_a_listing(bucket: str, file_format: str, below: str) -> None:
    expected = sorted_index(index_of(f"{bucket}{below}"))
    assert indexed(f"{bucket}{below}", inventory_of(bucket, file_format)) == expected


def test_older_versions_and_delete_markers_are_left_out(bucket: str, file_format: str) -> None:
    expected, name = sorted_index(index_of(f"{bucket}/cxr")), bucket.removeprefix("s3://")
    more = [
        row_of(name, "cxr/plain.dcm", 9, LATER, "old", is_latest=False),
        row_of(name, "cxr/gone.dcm", 9, LATER, "gone", is_latest=False),
        row_of(name, "cxr/gone.dcm", None, LATER, None),
    ]
    assert indexed(f"{bucket}/cxr", inventory_of(bucket, file_format, [*more, *rows_of(bucket)])) == expected


def test_an_inventory_of_current_versions_has_no_columns_of_versions(bucket: str) -> None:
    rows = [
        {name: value for name, value in row.items() if name in ("key", "size", "last_modified_date", "e_tag")} for row in rows_of(bucket)
    ]
    manifest = inventory_of(bucket, "CSV", rows, fileSchema="Key, Size, LastModifiedDate, ETag")
    assert indexed(f"{bucket}/cxr", manifest) == sorted_index(index_of(f"{bucket}/cxr"))


def test_what_was_deleted_since_is_a_row_that_is_missing(bucket: str, file_format: str) -> None:
    manifest = inventory_of(bucket, file_format)
    fs, path = storage.filesystem_of(bucket)
    for key in ("plain.dcm", "b.zip"):
        fs.rm_file(f"{path}/cxr/{key}")
    rows = {row["object_url"]: row for row in indexed(f"{bucket}/cxr", manifest)}
    for key in ("plain.dcm", "b.zip"):
        row = rows[f"{bucket}/cxr/{key}"]
        refusal = refusal_of(row["object_url"], expected=IndexedObject(row["object_bytes"], row["object_etag"]))
        assert refusal.reason == Reason.OBJECT_MISSING


def test_the_newest_inventory_of_a_folder(bucket: str) -> None:
    manifest = inventory_of(bucket, "CSV")
    folder = manifest.removesuffix("/2020-03-01T01-00Z/manifest.json")
    storage.put_atomic(f"{folder}/2020-02-29T01-00Z/manifest.json", b"{}")
    storage.put_atomic(f"{folder}/2020-03-02T01-00Z/manifest.checksum", b"not finished")
    storage.put_atomic(f"{folder}/hive/dt=2020-03-01-01-00/symlink.txt", b"x")
    assert indexed(f"{bucket}/cxr", folder) == sorted_index(index_of(f"{bucket}/cxr"))
    with pytest.raises(ArchiveError, match=r"there is no inventory in .*/data: give the URL of a manifest\.json"):
        indexed(bucket, f"{folder}/data")


def data_of(manifest: str) -> str:
    """Return the URL of the first file of an inventory."""
    return manifest.replace("2020-03-01T01-00Z/manifest.json", "data/0")


def test_a_file_that_is_missing(bucket: str, file_format: str) -> None:
    manifest = inventory_of(bucket, file_format)
    fs, path = storage.filesystem_of(data_of(manifest))
    fs.rm_file(path)
    with pytest.raises(ArchiveError, match=f"the inventory file {data_of(manifest)} is missing: .*without --inventory"):
        indexed(bucket, manifest)


def test_a_file_that_is_damaged(bucket: str, file_format: str) -> None:
    manifest = inventory_of(bucket, file_format)
    data = storage.read_bytes(data_of(manifest))
    storage.put_atomic(data_of(manifest), data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ArchiveError, match=f"{data_of(manifest)} has another MD5 than its manifest says.*take another inventory"):
        indexed(bucket, manifest)


@pytest.mark.parametrize(
    ("file_format", "data"),
    [
        ("CSV", b"no gzip"),
        ("CSV", csv_file([row_of("b", "Doe^Jane", 1, LATER, "e")])[:-12]),
        ("CSV", gzip.compress(b'"bucket","Doe^Jane"\n')),
        ("CSV", csv_file([row_of("b", "Doe^Jane", 1, LATER, "e") | {"size": "one"}])),
        ("Parquet", b"no Parquet"),
    ],
    ids=["no gzip", "cut", "few columns", "no size", "no Parquet"],  # the bytes hold the time at which they were packed
)
def test_a_file_that_is_nothing_of_the_kind_names_no_key(bucket: str, file_format: str, data: bytes) -> None:
    manifest = write_inventory(bucket, f"{bucket}/lists", [data], file_format)
    with pytest.raises(ArchiveError, match=f"the inventory file {bucket}/lists/data/0 cannot be understood") as caught:
        indexed(bucket, manifest)
    assert "Doe" not in str(caught.value)


def test_columns_that_are_not_there(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = inventory_of(bucket, "CSV", fileSchema="Bucket, Key, VersionId, IsLatest, IsDeleteMarker, LastModifiedDate, StorageClass")
    with pytest.raises(ArchiveError, match=r"has no Size, ETag: add that to the inventory's configuration"):
        indexed(bucket, manifest)
    monkeypatch.setattr("tests.inventories.PARQUET_SCHEMA", pa.schema([("key", pa.string()), ("last_modified_date", pa.timestamp("ms"))]))
    with pytest.raises(ArchiveError, match=r"has no size, e_tag: add that to the inventory's configuration"):
        indexed(bucket, inventory_of(bucket, "Parquet"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sourceBucket": "another-bucket"}, "an inventory of the bucket another-bucket, and the archive lies in test-"),
        ({"fileFormat": "ORC"}, "is in ORC: configure one in CSV or Parquet"),
        ({"sourceBucket": None}, "is no manifest of an S3 Inventory"),
    ],
)
def test_manifests_that_are_refused_before_anything_is_read(bucket: str, changes: dict[str, object], message: str) -> None:
    manifest = inventory_of(bucket, "CSV", **changes)
    for attempt in (indexed, check_listable):
        with pytest.raises(ArchiveError, match=f"{message}.* go without --inventory"):
            attempt(bucket, manifest)


def test_a_manifest_that_is_not_the_one_of_its_checksum(bucket: str) -> None:
    manifest = inventory_of(bucket, "CSV")
    content = storage.read_bytes(manifest)
    storage.put_atomic(manifest, content.replace(b'"size": ', b'"size": 1'))
    for attempt in (indexed, check_listable):
        with pytest.raises(
            ArchiveError, match=r"manifest\.json has another MD5 than .*manifest\.checksum says, so it is damaged: take another"
        ):
            attempt(bucket, manifest)
    storage.put_atomic(manifest, content)
    check_listable(bucket, manifest)
    storage.remove_files([manifest.replace(".json", ".checksum")])
    check_listable(bucket, manifest)


def test_what_no_inventory_lists(bucket: str, tmp_path: Path) -> None:
    manifest = inventory_of(bucket, "CSV")
    check_listable(bucket, manifest)
    with pytest.raises(ArchiveError, match=f"has no object below {bucket}/elsewhere: check the path"):
        indexed(f"{bucket}/elsewhere", manifest)
    with pytest.raises(ArchiveError, match=r"none/manifest\.json cannot be read \(FileNotFoundError\): check its URL"):
        indexed(bucket, f"{bucket}/none/manifest.json")
    with pytest.raises(UsageError, match="give an archive that begins with s3://"):
        indexed(str(tmp_path), manifest)

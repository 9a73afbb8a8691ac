"""Every object of an archive in S3 as an S3 Inventory has it: the list of a bucket that S3 writes itself once a day or a week.

An inventory is a `manifest.json` and the files that it names, gzipped CSV or Parquet. What follows is from the Amazon S3 User Guide,
"Cataloging and analyzing your data with S3 Inventory" and "Locating your inventory list":

* CSV files have no header, `fileSchema` of the manifest names their columns, and keys in them are URL-encoded; in Parquet they are not.
* An inventory of all versions has the columns IsLatest and IsDeleteMarker; one of the current versions has neither.
* Size, LastModifiedDate and ETag are optional fields of an inventory's configuration.
* `files[].MD5checksum` is the MD5 of a file as it lies in the bucket; `files[].key` is its key in `destinationBucket`, which is an ARN.
* The manifest lies in a folder that is named after the time when the inventory began, `2020-03-01T01-00Z/manifest.json`. Beside it lies
  `manifest.checksum`, the MD5 of its content.

One file at a time is copied into the temporary folder, checked, and read from there in batches, so that memory stays flat.
"""

import contextlib
import csv
import datetime as dt
import gzip
import hashlib
import logging
import re
import tempfile
import zlib
from collections.abc import Iterator
from typing import IO, Any
from urllib.parse import unquote_plus

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ValidationError

from screening import storage
from screening.archive.s3_listing import is_object
from screening.archive.source import IndexedObject, ListedObject
from screening.errors import ArchiveError, UsageError

COPIED_BYTES = 8 * 2**20  # of a file at a time
BATCH_ROWS = 8192
ANOTHER = "take another inventory, or go without --inventory"

# columns by their names in CSV, and in Parquet
_NEEDED = {"Key": "key", "Size": "size", "LastModifiedDate": "last_modified_date", "ETag": "e_tag"}
_OF_VERSIONS = {"IsLatest": "is_latest", "IsDeleteMarker": "is_delete_marker"}
_COLUMNS = _NEEDED | _OF_VERSIONS

_DAMAGES = (ValueError, EOFError, gzip.BadGzipFile, zlib.error, csv.Error, pa.ArrowException)

log = logging.getLogger(__name__)

_Row = dict[str, Any]  # by the columns' names in CSV


class _File(BaseModel):
    """One file of an inventory."""

    key: str
    MD5checksum: str


class _Manifest(BaseModel):
    """What is used of `manifest.json`."""

    sourceBucket: str
    destinationBucket: str
    fileFormat: str
    fileSchema: str
    files: list[_File]


def objects(inventory_url: str, fs: fsspec.AbstractFileSystem, path: str) -> Iterator[ListedObject]:
    """Yield the objects below a path of S3 as an inventory has them, in its order: the latest versions, without delete markers.

    Raises what `check` raises; and ArchiveError where a file is missing or not the one that the manifest names, has not the columns that an
    index needs, or nothing in the inventory lies below the path.
    """
    manifest_url, manifest = check(inventory_url, fs, path)
    log.info("the index is made from the S3 inventory %s", manifest_url)
    bucket, _, key = path.partition("/")
    prefix, nothing = f"{key}/" if key else "", True
    for row in (row for file in manifest.files for row in _rows(manifest, file)):
        if row["Key"].startswith(prefix) and _is_current(row) and is_object(row["Key"], row["Size"]):
            nothing, name = False, f"{bucket}/{row['Key']}"
            yield ListedObject(f"s3://{name}", name, IndexedObject(row["Size"], row["ETag"].strip('"')), row["LastModifiedDate"])
    if nothing:
        raise ArchiveError(f"{manifest_url} has no object below s3://{path}: check the path, and that the inventory covers it")


def check(inventory_url: str, fs: fsspec.AbstractFileSystem, path: str) -> tuple[str, _Manifest]:
    """Return the manifest of an inventory and its URL. Reads nothing else of it.

    `inventory_url` is a `manifest.json`, or the folder over the dated folders of an inventory, whose newest one is taken. Raises UsageError
    where the archive is not in S3, and ArchiveError where there is no inventory, or it is of another bucket or in ORC.
    """
    if not storage.is_s3(fs):
        raise UsageError("--inventory lists a bucket of S3: give an archive that begins with s3://, or go without --inventory")
    url = _manifest_of(inventory_url)
    manifest = _read_manifest(url)
    bucket, source = path.partition("/")[0], _name_of(manifest.sourceBucket)
    if source != bucket:
        raise ArchiveError(f"{url} is an inventory of the bucket {source}, and the archive lies in {bucket}: {ANOTHER}")
    if manifest.fileFormat not in ("CSV", "Parquet"):
        raise ArchiveError(f"the inventory {url} is in {manifest.fileFormat}: configure one in CSV or Parquet, or go without --inventory")
    return url, manifest


def _manifest_of(url: str) -> str:
    """Return the URL of a manifest; of a folder, that of the newest inventory in it."""
    if url.endswith(".json"):
        return url
    for folder in reversed(storage.list_folders(url)):
        manifest_url = storage.join(folder, "manifest.json")
        if re.search(r"/\d{4}-\d\d-\d\dT\d\d-\d\dZ$", folder) and storage.exists(manifest_url):
            return manifest_url
    raise ArchiveError(
        f"there is no inventory in {url}: give the URL of a manifest.json, or the folder over the dated ones such as 2020-03-01T01-00Z"
    )


def _read_manifest(url: str) -> _Manifest:
    try:
        data = storage.read_bytes(url)
    except OSError as error:
        raise ArchiveError(f"the inventory {url} cannot be read ({type(error).__name__}): check its URL, and the right to it") from error
    checksum_url = f"{url.removesuffix('.json')}.checksum"
    with contextlib.suppress(FileNotFoundError, PermissionError):
        said = storage.read_bytes(checksum_url).decode(errors="replace").strip()
        if said != hashlib.md5(data, usedforsecurity=False).hexdigest():
            raise ArchiveError(f"{url} has another MD5 than {checksum_url} says, so it is damaged: {ANOTHER}")
    try:
        return _Manifest.model_validate_json(data)
    except ValidationError as error:
        raise ArchiveError(f"{url} is no manifest of an S3 Inventory: {ANOTHER}") from error


def _name_of(bucket: str) -> str:
    """Return the name of a bucket, which may be given by its ARN, `arn:aws:s3:::name`."""
    return bucket.rpartition(":::")[2]


def _is_current(row: _Row) -> bool:
    """Return whether a row is of the latest version of an object, which has not been deleted."""
    return row.get("IsLatest") in (None, True, "true") and row.get("IsDeleteMarker") in (None, False, "false") and row["Size"] is not None


def _rows(manifest: _Manifest, file: _File) -> Iterator[_Row]:
    """Yield the rows of one file, which is copied and checked first. Raises ArchiveError."""
    url = f"s3://{_name_of(manifest.destinationBucket)}/{file.key}"
    with tempfile.TemporaryFile() as copy:
        _copy(url, file.MD5checksum, copy)
        try:
            yield from _csv_rows(copy, manifest, url) if manifest.fileFormat == "CSV" else _parquet_rows(copy, url)
        except _DAMAGES as error:
            raise ArchiveError(f"the inventory file {url} cannot be understood ({type(error).__name__}): {ANOTHER}") from error


def _copy(url: str, md5: str, copy: IO[bytes]) -> None:
    """Copy a file, and leave the copy at its beginning. Raises ArchiveError where it is not the file with this MD5."""
    found = hashlib.md5(usedforsecurity=False)
    fs, path = storage.filesystem_of(url)
    try:
        with fs.open(path, "rb", block_size=COPIED_BYTES) as file:
            while data := file.read(COPIED_BYTES):
                found.update(data)
                copy.write(data)
    except (FileNotFoundError, PermissionError) as error:
        trouble = "is missing" if isinstance(error, FileNotFoundError) else "may not be read"
        raise ArchiveError(f"the inventory file {url} {trouble}: give this account access to it, or {ANOTHER}") from error
    if found.hexdigest() != md5:
        raise ArchiveError(f"the inventory file {url} has another MD5 than its manifest says, so it is damaged: {ANOTHER}")
    copy.seek(0)


def _check_columns(names: list[str], needed: list[str], url: str) -> None:
    missing = [name for name in needed if name not in names]
    if missing:
        raise ArchiveError(
            f"the inventory file {url} has no {', '.join(missing)}: add that to the inventory's configuration, and give the next one"
        )


def _csv_rows(file: IO[bytes], manifest: _Manifest, url: str) -> Iterator[_Row]:
    names = [name.strip() for name in manifest.fileSchema.split(",")]
    _check_columns(names, list(_NEEDED), url)
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        for line in csv.reader(lines):
            row: _Row = dict(zip(names, line, strict=True))
            row["Key"] = unquote_plus(row["Key"], errors="strict")
            row["Size"] = int(row["Size"]) if row["Size"] else None
            row["LastModifiedDate"] = dt.datetime.fromisoformat(row["LastModifiedDate"])
            yield row


def _parquet_rows(file: IO[bytes], url: str) -> Iterator[_Row]:
    table = pq.ParquetFile(file)
    names = table.schema_arrow.names
    _check_columns(names, list(_NEEDED.values()), url)
    columns = {of_parquet: of_csv for of_csv, of_parquet in _COLUMNS.items() if of_parquet in names}
    for batch in table.iter_batches(BATCH_ROWS, columns=list(columns)):
        for row in batch.rename_columns([columns[name] for name in batch.schema.names]).to_pylist():
            row["LastModifiedDate"] = row["LastModifiedDate"].replace(tzinfo=dt.UTC)  # TIMESTAMP_MILLIS, which counts from 1970 in UTC
            yield row

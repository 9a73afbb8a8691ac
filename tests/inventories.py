"""S3 Inventories made for tests, in the form that the Amazon S3 User Guide gives."""

import csv
import datetime as dt
import gzip
import hashlib
import io
import json
from typing import Any
from urllib.parse import quote_plus

import pyarrow as pa
import pyarrow.parquet as pq

from screening import storage

CSV_SCHEMA = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass"
PARQUET_SCHEMA = pa.schema(
    [
        pa.field("bucket", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        ("version_id", pa.string()),
        ("is_latest", pa.bool_()),
        ("is_delete_marker", pa.bool_()),
        ("size", pa.int64()),
        ("last_modified_date", pa.timestamp("ms", "UTC")),
        ("e_tag", pa.string()),
        ("storage_class", pa.string()),
    ]
)

Row = dict[str, Any]  # by the columns of Parquet


def rows_of(bucket_url: str) -> list[Row]:
    """Return the rows that an inventory of all versions has of a bucket."""
    fs, bucket = storage.filesystem_of(bucket_url)
    entries = fs.call_s3("list_objects_v2", Bucket=bucket)["Contents"]
    return [row_of(bucket, entry["Key"], entry["Size"], entry["LastModified"], entry["ETag"].strip('"')) for entry in entries]


def row_of(bucket: str, key: str, size: int | None, modified: dt.datetime, etag: str | None, **changes: Any) -> Row:
    """Return one row: a version, or without a size a delete marker; `changes` are other values of it."""
    marker = size is None
    row = {"bucket": bucket, "key": key, "version_id": "v1", "is_latest": True, "is_delete_marker": marker, "size": size}
    return {**row, "last_modified_date": modified, "e_tag": etag, "storage_class": "STANDARD", **changes}


def csv_file(rows: list[Row]) -> bytes:
    """Return rows as a gzipped CSV file: every value in quotes, keys URL-encoded, no header."""
    text = io.StringIO()
    lines = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for row in rows:
        time = row["last_modified_date"].astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        told = row | {"key": quote_plus(row["key"], safe="/"), "last_modified_date": time}
        lines.writerow([str(value).lower() if isinstance(value, bool) else value for value in told.values()])
    return gzip.compress(text.getvalue().encode())


def parquet_file(rows: list[Row]) -> bytes:
    """Return rows as a Parquet file, keys as they are."""
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, PARQUET_SCHEMA), file)
    return file.getvalue()


def write_inventory(bucket_url: str, folder_url: str, files: list[bytes], file_format: str, **changes: Any) -> str:
    """Write an inventory of a bucket into a folder of another, or of the same; return the URL of its manifest.

    `changes` are other values of the manifest.
    """
    destination, _, folder = folder_url.removeprefix("s3://").partition("/")
    told = []
    for number, data in enumerate(files):
        key = f"{folder}/data/{number}"
        storage.put_atomic(f"s3://{destination}/{key}", data)
        told.append({"key": key, "size": len(data), "MD5checksum": hashlib.md5(data, usedforsecurity=False).hexdigest()})
    manifest = {
        "sourceBucket": bucket_url.removeprefix("s3://"),
        "destinationBucket": f"arn:aws:s3:::{destination}",
        "version": "2016-11-30",
        "creationTimestamp": "1583024400000",
        "fileFormat": file_format,
        "fileSchema": CSV_SCHEMA if file_format == "CSV" else "message s3.inventory {}",
        "files": told,
    }
    url = f"{folder_url}/2020-03-01T01-00Z/manifest.json"
    content = json.dumps(manifest | changes).encode()
    storage.put_atomic(url, content)
    storage.put_atomic(url.replace(".json", ".checksum"), f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}\n".encode())
    return url

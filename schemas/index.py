"""Index: one row per object found in an archive. Plan: the rows of the index that a run will score, cut into shards."""

import pyarrow as pa

from schemas.columns import column, table_schema

OBJECT_COLUMNS = [
    column("object_id", pa.string(), "SHA-256 over object_url, object_bytes and object_etag, first 32 hex digits: the key of the row; keyed where object_url is sealed", nullable=False),
    column("object_url", pa.string(), "fsspec URL that opens the object, e.g. s3://bucket/a.dcm, zip://a.dcm::s3://bucket/b.zip or dicomweb://pacs/dicom-web/studies/…; sealed://… of a run with encrypted names, which `screening open-url` opens with the pseudonym key", nullable=False),
    column("object_bytes", pa.int64(), "size of the object as stored; of the member, where it lies in a zip or tar file; of the uncompressed pixels, in a PACS, which tells no other", "bytes", nullable=False),
    column("object_etag", pa.string(), "what the store says changes with the content: an ETag, a checksum, or the time of modification; of an instance in a PACS, a hash of its UID and dimensions", nullable=False),
    column("object_modified", pa.timestamp("us", "UTC"), "when the object was last written; of the container, for a member; when the study began, in a PACS"),
]  # fmt: skip

INDEX_SCHEMA = table_schema("index", 1, OBJECT_COLUMNS)

PLAN_SCHEMA = table_schema(
    "plan",
    1,
    [
        column("shard_id", pa.string(), "SHA-256 over what goes into the shard, first 16 hex digits: objects, bundle digest, configuration", nullable=False),
        column("shard_row", pa.int32(), "position of the row in its shard, from 0", nullable=False),
        *OBJECT_COLUMNS,
    ],
)  # fmt: skip

"""sealing: tables with encrypted names, and back."""

from datetime import UTC, datetime

import pyarrow as pa

from schemas.index import INDEX_SCHEMA
from screening.archive.index import object_id_of
from screening.privacy import UrlSeal
from screening.run.sealing import opened, sealed

SEAL = UrlSeal(b"a pseudonym key for tests")


def test_tables_keep_everything_but_names() -> None:
    urls = ["file:///archive/Doe.dcm", "zip://Ng.dcm::file:///archive/Wu.zip"]
    modified = datetime(2020, 3, 1, tzinfo=UTC)
    rows = [
        {
            "object_id": object_id_of(url, 5, "e"),
            "object_url": url,
            "object_bytes": 5,
            "object_etag": "e",
            "object_modified": modified,
        }
        for url in urls
    ]
    plain = pa.Table.from_pylist(rows, INDEX_SCHEMA)
    hidden = sealed(plain, SEAL, ids=True)
    assert hidden.schema.equals(INDEX_SCHEMA, check_metadata=True)
    assert hidden.drop_columns(["object_id", "object_url"]).equals(plain.drop_columns(["object_id", "object_url"]))
    assert hidden["object_id"].to_pylist() == [SEAL.object_id(row["object_id"]) for row in rows]
    assert opened(hidden, SEAL)["object_url"].to_pylist() == urls
    assert sealed(opened(hidden, SEAL), SEAL).equals(hidden)

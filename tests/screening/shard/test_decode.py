"""Decoding a shard: a row for every row, in order, whatever is wrong with an image or with the store."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from schemas.index import PLAN_SCHEMA
from screening.archive.reader import ObjectReader
from screening.archive.source import IndexedObject, identity_of_status
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import Ingested, ingest
from screening.shard import decode as decode_module
from screening.shard.decode import decode_rows
from screening.shard.tables import DECODED_SCHEMA
from tests.archives import phantom_dicom


def planned(*urls: str) -> pa.Table:
    """Plan files as the index lists them; of one that is not there it says something, too."""
    rows = []
    for i, url in enumerate(urls):
        path = Path(url.removeprefix("file://"))
        indexed = identity_of_status(path.stat()) if path.exists() else IndexedObject(1, "e")
        identity = {"object_bytes": indexed.object_bytes, "object_etag": indexed.object_etag}
        rows.append({"shard_id": "s", "shard_row": i, "object_id": f"{i:032}", "object_url": url, **identity})
    return pa.Table.from_pylist(rows, schema=PLAN_SCHEMA)


def ingest_here(data: bytes) -> Ingested:
    return ingest(data, IngestConfig(), None)


def decode(plan: pa.Table, ingest_one: Callable[[bytes], Ingested] = ingest_here, quarantined: dict[str, str] | None = None) -> pa.Table:
    with ObjectReader(10**7) as reader:
        return decode_rows(plan, reader, ingest_one, quarantined=quarantined or {}, read_threads=3)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    contents = [phantom_dicom(0), b"not an image", phantom_dicom(1), phantom_dicom(2)]
    for i, content in enumerate(contents):
        (tmp_path / f"{i}.dcm").write_bytes(content)
    return [f"file://{tmp_path}/{i}.dcm" for i in range(len(contents))]


def test_rows_come_in_the_order_of_the_plan(files: list[str]) -> None:
    rows = decode(planned(*files, files[0] + ".gone"))
    assert rows.schema.equals(DECODED_SCHEMA, check_metadata=True)
    assert rows.column("object_url").to_pylist() == [*files, files[0] + ".gone"]
    assert rows.column("outcome").to_pylist() == [None, "rejected", None, None, "failed"]
    assert rows.column("reason").to_pylist() == [None, "not_dicom", None, None, "object_missing"]
    assert rows.column("stage_reached").to_pylist() == ["ingest", "index", "ingest", "ingest", "index"]
    assert [len(pixels) if pixels else None for pixels in rows.column("pixels").to_pylist()] == [
        512 * 512,
        None,
        512 * 512,
        512 * 512,
        None,
    ]


def test_pixels_are_those_of_ingest(files: list[str]) -> None:
    [pixels] = decode(planned(files[0])).column("pixels").to_pylist()
    assert pixels == ingest(Path(files[0].removeprefix("file://")).read_bytes(), IngestConfig(), None).pixels.tobytes()


def test_a_quarantined_row_is_never_read(files: list[str]) -> None:
    seen = []

    def watch(data: bytes) -> Ingested:
        seen.append(data)
        return ingest(data, IngestConfig(), None)

    rows = decode(planned(*files), watch, {f"{2:032}": "it killed its worker"})
    assert rows.column("reason").to_pylist() == [None, "not_dicom", "worker_died", None]
    assert rows.column("detail")[2].as_py() == "it killed its worker"
    assert len(seen) == 3


def test_a_fault_of_ours_costs_one_row_and_tells_no_patient(files: list[str]) -> None:
    def fail(data: bytes) -> Ingested:
        raise KeyError("Doe^Jane")

    rows = decode(planned(files[0]), fail)
    assert rows.column("reason").to_pylist() == ["internal_error"]
    assert "Doe" not in rows.column("detail")[0].as_py()


def test_a_file_that_changed_since_it_was_indexed_is_not_scored(files: list[str]) -> None:
    plan = planned(*files[2:])
    Path(files[2].removeprefix("file://")).write_bytes(phantom_dicom(7))
    rows = decode(plan)
    assert rows.column("reason").to_pylist() == ["object_missing", None]
    assert rows.column("detail")[0].as_py() == "the object has changed since it was indexed: index the archive again"


def test_what_waits_for_the_decoder_is_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = []
    for i in range(6):
        (tmp_path / f"{i}").write_bytes(bytes(1000))
        urls.append(f"file://{tmp_path}/{i}")
    monkeypatch.setattr(decode_module, "READ_AHEAD_BYTES", 2500)
    started: list[str] = []
    ahead: list[int] = []

    class CountingReader(ObjectReader):
        def read(self, object_url: str, expected: IndexedObject | None = None) -> bytes:
            started.append(object_url)
            return super().read(object_url, expected)

    def count(data: bytes) -> Ingested:
        ahead.append(len(started) - len(ahead) - 1)
        return ingest_here(data)

    with CountingReader(10**7) as reader:
        rows = decode_rows(planned(*urls), reader, count, quarantined={}, read_threads=5)
    assert rows.column("reason").to_pylist() == ["not_dicom"] * 6
    assert len(ahead) == 6
    assert max(ahead) <= 2

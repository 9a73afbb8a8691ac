"""From planned rows to decoded rows: read each object, decode it in a child process, and give every one of them a row."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from schemas.index import OBJECT_COLUMNS
from schemas.reasons import Outcome, Reason, Stage
from screening.archive.reader import ObjectReader
from screening.archive.source import IndexedObject
from screening.errors import ImageRefused
from screening.ingest.ingest import Ingested
from screening.shard.pixels import with_pixels

READ_AHEAD_BYTES = 256 * 2**20  # of objects that wait for the decoder, whatever their number


def decode_rows(
    planned: pa.Table,
    reader: ObjectReader,
    ingest: Callable[[bytes], Ingested],
    *,
    quarantined: Mapping[str, str],
    read_threads: int = 8,
) -> pa.Table:
    """Return DECODED_SCHEMA with one row for each row of `planned` (PLAN_SCHEMA), in the same order.

    Args:
        planned: one shard.
        reader: fetches the objects, `read_threads` or READ_AHEAD_BYTES ahead of the decoder. One that has changed since it was
            indexed is refused.
        ingest: decodes and gates one file; never raises for a fault of the image.
        quarantined: object_id → detail of rows that killed a worker before. They become failed rows unread.
        read_threads: objects fetched at once.
    """
    rows = planned.to_pylist()
    wanted = [row for row in rows if row["object_id"] not in quarantined]
    fetched = _read_ahead(reader, wanted, read_threads)
    decoded, pixels = [], bytearray()
    for row in rows:
        started = time.perf_counter()
        if row["object_id"] in quarantined:
            found = Ingested(refusal=ImageRefused(Reason.WORKER_DIED, quarantined[row["object_id"]]))
        else:
            found = _ingest_one(next(fetched), ingest)
        decoded.append(_decoded_row(row, found, 1000 * (time.perf_counter() - started)))
        if found.refusal is None:
            pixels += found.pixels.data
    return with_pixels(decoded, pixels)


def _read_ahead(reader: ObjectReader, rows: list[dict[str, Any]], threads: int) -> Iterator[Future[bytes]]:
    """Yield one finished or running read for each row.

    At most `threads` reads, and READ_AHEAD_BYTES by what the index says of them, are ahead of the consumer. An object that holds more
    than the index says has changed, and the reader refuses it, so the sum is right.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="read") as pool:
        waiting: deque[tuple[Future[bytes], int]] = deque()
        for row in rows:
            size = min(row["object_bytes"], reader.max_bytes)  # a larger one is refused and never held
            while waiting and (len(waiting) >= threads or size + sum(ahead for _, ahead in waiting) > READ_AHEAD_BYTES):
                yield waiting.popleft()[0]
            expected = IndexedObject(row["object_bytes"], row["object_etag"])
            waiting.append((pool.submit(reader.read, row["object_url"], expected), size))
        while waiting:
            yield waiting.popleft()[0]


def _ingest_one(read: Future[bytes], ingest: Callable[[bytes], Ingested]) -> Ingested:
    try:
        return ingest(read.result())
    except ImageRefused as refusal:
        return Ingested(refusal=refusal)
    except Exception as error:  # the row says so, `screening redrive` tries again; one image never ends a task
        return Ingested(refusal=ImageRefused(Reason.INTERNAL_ERROR, f"{type(error).__name__} while reading or decoding"))


def _decoded_row(planned: dict[str, Any], found: Ingested, milliseconds: float) -> dict[str, Any]:
    row = {name: planned[name] for name in ("shard_id", *(c.name for c in OBJECT_COLUMNS))}
    row |= found.columns
    row["decode_ms"] = milliseconds
    if found.refusal is None:
        return row | {"stage_reached": Stage.INGEST}
    return row | refused(found.refusal, Stage.INDEX)


def refused(refusal: ImageRefused, stage: Stage) -> dict[str, str]:
    """Return the columns that say why a row ends here."""
    outcome: Outcome = refusal.reason.outcome
    return {"outcome": outcome, "reason": refusal.reason, "detail": refusal.detail, "stage_reached": stage}

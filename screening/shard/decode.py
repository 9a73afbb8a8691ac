"""From planned rows to decoded rows: read each object, decode it in a child process, and give every one of them a row."""

import logging
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
from screening.errors import Fault, ImageRefused, ScreeningError
from screening.ingest.ingest import Ingested
from screening.results.run_log import entry_of
from screening.shard.pixels import with_pixels

READ_AHEAD_BYTES = 256 * 2**20  # of objects that wait for the decoder, whatever their number

log = logging.getLogger(__name__)


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
            ingested = Ingested(refusal=ImageRefused(Reason.WORKER_DIED, quarantined[row["object_id"]]))
        else:
            ingested = _ingest_one(next(fetched), ingest)
        if ingested.fault is not None:
            ingested.refusal = _log_fault(row["object_id"], ingested)
        decoded.append(_decoded_row(row, ingested, 1000 * (time.perf_counter() - started)))
        if ingested.refusal is None:
            pixels += ingested.pixels.data
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
    except ScreeningError as error:  # the decoder does not start
        return Ingested(refusal=ImageRefused(Reason.INTERNAL_ERROR, str(error)), fault=Fault.of(error))
    except Exception as error:  # the row says so, `screening redrive` tries again; one image never ends a task
        refusal = ImageRefused(Reason.INTERNAL_ERROR, f"{type(error).__name__} while reading or decoding")
        return Ingested(refusal=refusal, fault=Fault.of(error))


def _log_fault(object_id: str, ingested: Ingested) -> ImageRefused:
    """Write down where an error came from that nobody foresaw; return the refusal with the name of the log entry."""
    reason, detail = ingested.refusal.reason, ingested.refusal.detail
    log.warning("%s: %s", reason, detail, extra={"object_id": object_id, "fault": ingested.fault})
    return ImageRefused(reason, f"{detail}; log entry {entry_of(object_id)}")


def _decoded_row(planned: dict[str, Any], ingested: Ingested, milliseconds: float) -> dict[str, Any]:
    row = {name: planned[name] for name in ("shard_id", *(c.name for c in OBJECT_COLUMNS))}
    row |= ingested.columns
    row["decode_ms"] = milliseconds
    if ingested.refusal is None:
        return row | {"stage_reached": Stage.INGEST}
    return row | refused(ingested.refusal, Stage.INDEX)


def refused(refusal: ImageRefused, stage: Stage) -> dict[str, str]:
    """Return the columns that say why a row ends here."""
    outcome: Outcome = refusal.reason.outcome
    return {"outcome": outcome, "reason": refusal.reason, "detail": refusal.detail, "stage_reached": stage}

"""The pixels of a shard: packed into one Arrow column by the decoder, unpacked for the cascade, never copied."""

from typing import Any

import numpy as np
import pyarrow as pa

from screening.ingest.preprocess import SIZE
from screening.shard.tables import DECODED_SCHEMA


def pixels_of(decoded: pa.Table) -> np.ndarray:
    """Return the pixels of the rows that have them, (K, 1, 512, 512) uint8, without a copy where the table is one chunk."""
    chunks = decoded.column("pixels")
    pixels = chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()  # which copies even a single one
    images = len(pixels) - pixels.null_count  # a null takes no bytes between the others
    values = np.frombuffer(pixels.buffers()[2], np.uint8, count=images * SIZE * SIZE, offset=_first_offset(pixels))
    return values.reshape(images, 1, SIZE, SIZE)


def _first_offset(pixels: pa.LargeBinaryArray) -> int:
    return int(np.frombuffer(pixels.buffers()[1], np.int64)[pixels.offset])


def with_pixels(rows: list[dict[str, Any]], pixels: bytearray) -> pa.Table:
    """Return DECODED_SCHEMA of rows and the pixels of those that were not refused, one image after the other, which are not copied."""
    place = DECODED_SCHEMA.get_field_index("pixels")
    shown = np.array([row.get("outcome") is None for row in rows], bool)
    ends = np.concatenate([[0], np.cumsum(shown * (len(pixels) // max(1, shown.sum())))]).astype(np.int64)
    buffers = [pa.py_buffer(np.packbits(shown, bitorder="little")), pa.py_buffer(ends), pa.py_buffer(pixels)]
    images = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(rows), buffers)
    return pa.Table.from_pylist(rows, schema=DECODED_SCHEMA.remove(place)).add_column(place, DECODED_SCHEMA.field(place), images)

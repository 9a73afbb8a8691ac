"""The pixels of a shard: packed and unpacked without a copy, with refused rows between them or not."""

import numpy as np
import pyarrow as pa
import pytest

from screening.ingest.preprocess import SIZE
from screening.shard.pixels import pixels_of, with_pixels
from screening.shard.tables import DECODED_SCHEMA


def image(number: int) -> np.ndarray:
    """Return (512, 512) uint8 that no other number gives."""
    return np.random.default_rng(number).integers(0, 256, (SIZE, SIZE), np.uint8)


def packed(shown: str) -> tuple[pa.Table, bytearray]:
    """Return a shard with a row a letter, `x` for an image and `-` for a refused row, and the bytes of its images."""
    rows = []
    for i, letter in enumerate(shown):
        row = {"shard_id": "s", "object_id": f"{i:032}", "object_url": f"file:///{i}", "object_bytes": 1, "object_etag": "e"}
        refusal = {} if letter == "x" else {"outcome": "rejected", "reason": "blank"}
        rows.append(row | {"decode_ms": 1.0, "stage_reached": "ingest"} | refusal)
    pixels = bytearray(b"".join(image(i).tobytes() for i, letter in enumerate(shown) if letter == "x"))
    return with_pixels(rows, pixels), pixels


@pytest.mark.parametrize("shown", ["xx", "-x-xx", "x-", "--", ""])
def test_pixels_come_back_without_the_refused_rows(shown: str) -> None:
    table, _ = packed(shown)
    assert table.schema.equals(DECODED_SCHEMA, check_metadata=True)
    expected = [image(i) for i, letter in enumerate(shown) if letter == "x"]
    unpacked = pixels_of(table)
    assert unpacked.shape == (len(expected), 1, SIZE, SIZE)
    assert all(np.array_equal(mine[0], theirs) for mine, theirs in zip(unpacked, expected, strict=True))
    assert [None if value is None else len(value) for value in table.column("pixels").to_pylist()] == [
        SIZE * SIZE if letter == "x" else None for letter in shown
    ]


def test_a_slice_has_the_pixels_of_its_own_rows() -> None:
    table, _ = packed("-x-xx")
    assert np.array_equal(pixels_of(table.slice(2, 2))[:, 0], [image(3)])
    assert np.array_equal(pixels_of(table.slice(4))[:, 0], [image(4)])


def test_a_table_in_chunks_is_one_array() -> None:
    table = pa.concat_tables([packed("x-")[0], packed("-x")[0]])
    assert table.column("pixels").num_chunks == 2
    assert np.array_equal(pixels_of(table)[:, 0], [image(0), image(1)])


def test_nothing_is_copied() -> None:
    table, pixels = packed("x-x")
    assert np.shares_memory(pixels_of(table), np.frombuffer(pixels, np.uint8))

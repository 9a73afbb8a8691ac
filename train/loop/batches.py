"""Batches with a fixed share of each group: one endless, shuffled stream of rows a group, fed by a shard of a Ray Data set."""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import numpy as np

Arrays = dict[str, np.ndarray]


class Shard(Protocol):
    """What a stream needs of `ray.train.get_dataset_shard`."""

    def iter_batches(self, *, batch_size: int | None, batch_format: str, prefetch_batches: int) -> Iterator[Arrays]: ...


class GroupStream:
    """Endless rows of one group, each row once before any comes again.

    Rows are drawn at random from a buffer of `buffer_rows`, refilled from the shard, so that no worker holds a whole group: with a
    buffer as large as the shard the shuffle is complete. The same shard and seed give the same rows in the same order.
    `unpack` makes arrays of a block's columns.
    """

    def __init__(self, shard: Shard, seed: int | list[int], unpack: Callable[[Arrays], Arrays] | None = None, buffer_rows: int = 256):
        self._shard = shard
        self._unpack = unpack or (lambda block: block)
        self._random = np.random.default_rng(seed)
        self._buffer_rows = buffer_rows
        self._buffer: list[Arrays] = []
        self._source: Iterator[Arrays] = iter(())

    def take(self, n: int) -> Arrays:
        """Return the next `n` rows, columns stacked: each value (n, ...)."""
        rows = [self._draw() for _ in range(n)]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def _draw(self) -> Arrays:
        self._fill()
        if not self._buffer:  # one pass is over
            self._source = self._rows()
            self._fill()
        if not self._buffer:
            raise ValueError("a group without rows")
        i = int(self._random.integers(len(self._buffer)))
        self._buffer[i], self._buffer[-1] = self._buffer[-1], self._buffer[i]
        return self._buffer.pop()

    def _fill(self) -> None:
        while len(self._buffer) < self._buffer_rows:
            row = next(self._source, None)
            if row is None:
                return
            self._buffer.append(row)

    def _rows(self) -> Iterator[Arrays]:
        for packed in self._shard.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=1):
            block = self._unpack(packed)
            names = list(block)
            for i in range(len(block[names[0]])):
                # a copy, so that a row in the buffer does not keep its whole block in memory
                yield {name: np.array(block[name][i]) for name in names}


def drawn(streams: Mapping[str, GroupStream], shares: Mapping[str, int]) -> Arrays:
    """Return a batch: so many rows of each stream as its share says, stream after stream.

    Batch normalisation sees every group in every step this way, however rare it is.
    """
    parts = [stream.take(shares[name]) for name, stream in streams.items()]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

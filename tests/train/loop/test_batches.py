from collections.abc import Iterator

import numpy as np
import pytest

from train.loop.batches import Arrays, GroupStream, drawn


class Blocks:
    """Rows 0 to n - 1 in blocks, as a shard of a Ray Data set gives them."""

    def __init__(self, n: int, block: int = 4, first: int = 0):
        self._numbers = np.split(np.arange(first, first + n), range(block, n, block))

    def iter_batches(self, **_: object) -> Iterator[Arrays]:
        for numbers in self._numbers:
            yield {"row": numbers, "image": np.repeat(numbers[:, None], 3, axis=1)}


def test_every_row_comes_once_before_any_comes_again() -> None:
    stream = GroupStream(Blocks(10), seed=1, buffer_rows=4)
    for _ in range(3):
        assert sorted(stream.take(10)["row"].tolist()) == list(range(10))


def test_columns_stay_together_and_are_stacked() -> None:
    rows = GroupStream(Blocks(10), seed=1).take(7)
    assert rows["image"].shape == (7, 3)
    assert (rows["image"] == rows["row"][:, None]).all()


def test_the_same_seed_gives_the_same_order_and_another_one_another() -> None:
    orders = [GroupStream(Blocks(50), seed=seed).take(50)["row"].tolist() for seed in (3, 3, 4)]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert orders[0] != sorted(orders[0])


def test_no_more_rows_are_held_than_the_buffer_has() -> None:
    read = []

    class Watched(Blocks):
        def iter_batches(self, **arguments: object) -> Iterator[Arrays]:
            for block in super().iter_batches(**arguments):
                read.append(len(block["row"]))
                yield block

    GroupStream(Watched(100), seed=0, buffer_rows=8).take(1)
    assert sum(read) == 8


def test_unpack_is_applied_to_each_block() -> None:
    stream = GroupStream(Blocks(4), seed=0, unpack=lambda block: {"row": block["row"] + 100})
    assert sorted(stream.take(4)["row"].tolist()) == [100, 101, 102, 103]


def test_batches_are_even_however_rare_a_group_is() -> None:
    streams = {
        "normal": GroupStream(Blocks(90), 0),
        "pneumonia": GroupStream(Blocks(30, first=100), 0),
        "covid": GroupStream(Blocks(2, first=200), 0),
    }
    for _ in range(5):
        rows = drawn(streams, {"normal": 6, "pneumonia": 4, "covid": 2})["row"]
        assert (rows // 100).tolist() == [0] * 6 + [1] * 4 + [2] * 2


def test_a_group_without_rows_is_an_error_and_no_endless_loop() -> None:
    class Empty:
        def iter_batches(self, **_: object) -> Iterator[Arrays]:
            return iter(())

    with pytest.raises(ValueError, match="without rows"):
        GroupStream(Empty(), 0).take(1)

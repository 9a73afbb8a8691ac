import numpy as np
import pytest

from train.datasets import duplicates
from train.datasets.duplicates import COARSE_BITS, NEAR_BITS, joined, near_duplicates


def every_pair(hashes: np.ndarray) -> np.ndarray:
    """Compare all with all, as the definition says."""
    distances = np.bitwise_count(hashes[:, None] ^ hashes[None])
    close = (distances[:, :, 0] <= COARSE_BITS) & (distances.sum(2) <= NEAR_BITS)
    left, right = np.nonzero(np.triu(close, 1))
    return np.column_stack([left, right, distances.sum(2)[left, right]])


def flipped(words: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Return a hash with some of its 256 bits turned."""
    turned = words.copy()
    for bit in bits:
        turned[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return turned


@pytest.mark.parametrize("seed", range(5))
def test_no_close_pair_is_missed_and_none_is_found_twice(seed: int) -> None:
    random = np.random.default_rng(seed)
    originals = random.integers(0, 2**64, (150, 4), np.uint64)
    if seed == 1:  # chests are alike: most bytes are shared
        originals[:, 0] = originals[0, 0] ^ (np.uint64(1) << random.integers(0, 64, 150, np.uint64))
    copies = [flipped(words, random.choice(256, random.integers(0, 64), replace=False)) for words in originals]
    hashes = random.permutation(np.concatenate([originals, copies]))
    found, expected = near_duplicates(hashes), every_pair(hashes)
    assert len(expected) > 20
    assert found.tolist() == expected.tolist()


def test_the_edges_of_close() -> None:
    base = np.zeros(4, np.uint64)
    for first in (COARSE_BITS, COARSE_BITS + 1):
        spread = [8 * at % 64 + at // 8 for at in range(first)]  # a bit in each byte: the worst case of the pigeonhole
        for more in (NEAR_BITS - first, NEAR_BITS - first + 1):
            other = flipped(base, np.array(spread + [64 + at for at in range(more)]))
            expected = first <= COARSE_BITS and first + more <= NEAR_BITS
            assert len(near_duplicates(np.stack([base, other]))) == expected


def test_large_buckets_and_empty_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "_BLOCK", 64)
    same = np.random.default_rng(0).integers(0, 2**64, (200, 4), np.uint64)
    same[:, 0] = 1
    same[::3, 1:] = 2
    assert near_duplicates(same).tolist() == every_pair(same).tolist()
    assert len(every_pair(same)) == 67 * 66 / 2
    assert near_duplicates(np.empty((0, 4), np.uint64)).shape == (0, 3)


@pytest.mark.parametrize("seed", range(20))
def test_groups_are_the_connected_parts(seed: int) -> None:
    random = np.random.default_rng(seed)
    n = 60
    names = [f"p{number}" for number in random.integers(0, 40, n)]
    pairs = random.integers(0, n, (15, 2))
    linked = np.array(names)[:, None] == np.array(names)[None]
    linked[pairs[:, 0], pairs[:, 1]] = linked[pairs[:, 1], pairs[:, 0]] = True
    reached = np.linalg.matrix_power(linked.astype(np.float64), 8) > 0
    reached = np.linalg.matrix_power(reached.astype(np.float64), n // 8 + 1) > 0  # paths of any length
    assert joined(names, pairs) == reached.argmax(axis=1).tolist()

"""Images that show the same exposure: equal pixels, or perceptual hashes that are close.

Two hashes are close where their first word, the coarse one, differs by at most COARSE_BITS of 64 and all of it by at most NEAR_BITS of 256.
Of the first word's COARSE_BITS + 1 bytes at least one must then be equal (pigeonhole), so that only images that share a byte are compared.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

COARSE_BITS = 7
NEAR_BITS = 48
_BANDS = COARSE_BITS + 1  # bytes of the first word
_BLOCK = 2048  # rows of a bucket compared with all of it at once


def near_duplicates(hashes: np.ndarray) -> np.ndarray:
    """Return the pairs of images whose hashes are close.

    Args:
        hashes: (N, 4) uint64, as `fingerprints.perceptual_hash` gives them.

    Returns:
        (M, 3) int64: two places with the smaller first, and the distance in bits, sorted.
    """
    found = [np.empty((0, 3), np.int64)]
    bands = hashes[:, :1] >> (8 * np.arange(_BANDS, dtype=np.uint64)) & 0xFF if len(hashes) else np.empty((0, _BANDS), np.uint64)
    for band in range(_BANDS):
        order = np.argsort(bands[:, band], kind="stable")
        edges = np.flatnonzero(np.diff(bands[order, band])) + 1
        for bucket in np.split(order, edges):
            found += [_first_seen(pairs, hashes, bands, band) for pairs in _coarse_pairs(bucket, hashes[:, 0])]
    pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _coarse_pairs(bucket: np.ndarray, words: np.ndarray) -> Iterable[np.ndarray]:
    """Yield the pairs (K, 2) of a bucket whose first words are close. The bucket is in ascending order."""
    for at in range(0, len(bucket), _BLOCK):
        block, rest = bucket[at : at + _BLOCK], bucket[at:]
        close = np.bitwise_count(words[block, None] ^ words[None, rest]) <= COARSE_BITS
        left, right = np.nonzero(np.triu(close, 1))
        yield np.stack([block[left], rest[right]], axis=1)


def _first_seen(pairs: np.ndarray, hashes: np.ndarray, bands: np.ndarray, band: int) -> np.ndarray:
    """Return (K, 3): the pairs that are close in all words, with their distance, less those that an earlier band has found."""
    left, right = pairs[:, 0], pairs[:, 1]
    distance = np.bitwise_count(hashes[left] ^ hashes[right]).sum(axis=1, dtype=np.int64)
    new = (distance <= NEAR_BITS) & ~(bands[left, :band] == bands[right, :band]).any(axis=1)
    return np.column_stack([pairs, distance])[new]


def joined(names: Sequence[str], pairs: np.ndarray) -> list[int]:
    """Return the group of each image: images with one name (of a patient) are in one group, as are the two of each of `pairs` (M, ≥ 2).

    A group is called by the place of its first image.
    """
    _, first, name = np.unique(np.asarray(names, object), return_index=True, return_inverse=True)
    one = [*range(len(names)), *(pair[0] for pair in pairs)]
    other = [*first[name], *(pair[1] for pair in pairs)]
    links = coo_array((np.ones(len(one), bool), (one, other)), shape=(len(names), len(names)))
    _, group = connected_components(links, directed=False)
    return np.unique(group, return_index=True)[1][group].tolist()

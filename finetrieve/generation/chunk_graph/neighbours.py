"""Nearest neighbours among many vectors in n log n: a random projection forest, exact inside its leaves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Numbers = NDArray[np.int64]

LEAF = 512
"""Vectors that are compared with each other; fewer than that in all are compared exactly."""
TREES = 6


def nearest(vectors: Vectors, k: int, seed: int) -> tuple[Numbers, Numbers, NDArray[np.float32]]:
    """Returns pairs (row, neighbour, cosine): for each vector its `k` nearest of those that share a leaf with it.

    Each tree halves the vectors at the median along a random direction until a leaf has at most `LEAF` (Dasgupta and Freund,
    2008). Trees err independently, so what is near is found by most of them.

    Args:
        vectors: Unit vectors `(n, dim)`.
        k: Neighbours of each.
        seed: Of the directions.
    """
    rng = np.random.default_rng(seed)
    trees = TREES if len(vectors) > LEAF else 1
    found = [_of_leaf(vectors, leaf, k) for _ in range(trees) for leaf in _leaves(vectors, rng)]
    if not found:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, np.zeros(0, dtype=np.float32)
    rows, others, scores = (np.concatenate(part) for part in zip(*found, strict=True))
    return _best(rows, others, scores, k)


def _leaves(vectors: Vectors, rng: np.random.Generator) -> Iterator[Numbers]:
    waiting = [np.arange(len(vectors))]
    while waiting:
        part = waiting.pop()
        if len(part) <= LEAF:
            yield part
            continue
        along = vectors[part] @ rng.standard_normal(vectors.shape[1], dtype=np.float32)
        order, half = np.argsort(along, kind="stable"), len(part) // 2
        waiting += [part[order[:half]], part[order[half:]]]


def _of_leaf(vectors: Vectors, leaf: Numbers, k: int) -> tuple[Numbers, Numbers, NDArray[np.float32]]:
    k = min(k, len(leaf) - 1)
    if k < 1:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, np.zeros(0, dtype=np.float32)
    scores = vectors[leaf] @ vectors[leaf].T  # (leaf, leaf)
    np.fill_diagonal(scores, -np.inf)
    best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    return np.repeat(leaf, k), leaf[best].ravel(), np.take_along_axis(scores, best, axis=1).ravel()


def _best(rows: Numbers, others: Numbers, scores: NDArray[np.float32], k: int) -> tuple[Numbers, Numbers, NDArray[np.float32]]:
    """Returns each row's `k` best, each neighbour once."""
    order = np.lexsort((others, -scores, rows))
    rows, others, scores = rows[order], others[order], scores[order]
    # Trees give a pair the same score but for rounding: of equal pairs the first stays.
    _, once = np.unique(np.stack([rows, others], axis=1), axis=0, return_index=True)
    once.sort()
    rows, others, scores = rows[once], others[once], scores[once]
    starts = np.searchsorted(rows, rows, side="left")
    kept = np.arange(len(rows)) - starts < k
    return rows[kept], others[kept], scores[kept]


def mutual(rows: Numbers, others: Numbers, scores: NDArray[np.float32]) -> tuple[Numbers, Numbers, NDArray[np.float32]]:
    """Returns the pairs that are among each other's nearest, once, the smaller number first: no chunk gets many edges."""
    size = int(max(rows.max(initial=0), others.max(initial=0))) + 1
    forward, backward = rows * size + others, others * size + rows
    kept = (rows < others) & np.isin(forward, backward)
    return rows[kept], others[kept], scores[kept]

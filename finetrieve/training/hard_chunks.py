"""Hard chunks: which chunks look alike to the base model, so that they can share a batch.

In a batch drawn by chance nearly every other chunk is plainly a wrong answer, and the loss learns nothing from it (Hofstaetter et
al., "Efficiently Teaching an Effective Dense Retriever with Balanced Topic Aware Sampling", SIGIR 2021).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from finetrieve.core.arrays import FloatMatrix

MOST_ALIKE = 0.95
"""Cosine from which on two chunks may answer the same queries."""
_KEPT = 64
"""Neighbours of a chunk that are kept: the nearest may be dealt already."""
_BLOCK = 1_024


def near_chunks(vectors: FloatMatrix, sections: Sequence[Hashable]) -> dict[int, list[int]]:
    """Returns chunk -> the chunks that look like it, the most alike first.

    Left out are those of its own section, and those so alike that they may answer its queries as well.

    Args:
        vectors: Unit vectors of the chunks by the base model, `(n_chunks, dim)`.
        sections: What tells each chunk's section from others.
    """
    numbers = {section: number for number, section in enumerate(dict.fromkeys(sections))}
    section = np.array([numbers[own] for own in sections])
    found = dict[int, list[int]]()
    for start in range(0, len(vectors), _BLOCK):
        cosines = vectors[start : start + _BLOCK] @ vectors.T
        cosines[(cosines >= MOST_ALIKE) | (section[start : start + _BLOCK, None] == section[None, :])] = -np.inf
        for row, own in enumerate(cosines):
            order = np.argsort(-own, kind="stable")[:_KEPT]
            found[start + row] = order[np.isfinite(own[order])].tolist()
    return found

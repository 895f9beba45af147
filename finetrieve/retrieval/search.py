"""Questions to a corpus: words and a model's vectors together, several models side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from finetrieve.core.rows import Chunk
from finetrieve.retrieval.fusion import Fusion, fuse
from finetrieve.retrieval.hybrid_index import SearchIndex


@dataclass(frozen=True)
class Hit:
    """A chunk that was found."""

    rank: int
    """1 is the best."""
    chunk: Chunk
    score: float
    """Of all parts together; only comparable within one answer."""
    cosine: float
    """Of query and chunk, -1..1."""
    bm25: float
    """0 where they share no word."""
    late: float | None = None
    """MaxSim of query and chunk, -1..1; None where the token vectors are not searched."""


@dataclass(frozen=True)
class Side:
    """A model ready to be asked."""

    index: SearchIndex
    """Of the chunks."""
    fusion: Fusion


class Corpus:
    """Chunks that several models can be asked about.

    Args:
        chunks: What is searched.
        sides: Name -> the model with its index of the chunks.
    """

    def __init__(self, chunks: Sequence[Chunk], sides: Mapping[str, Side]) -> None:
        self._chunks, self._sides = chunks, sides

    def __len__(self) -> int:
        return len(self._chunks)

    def ask(self, query: str, k: int) -> dict[str, list[Hit]]:
        """Returns name of the side -> its k best chunks, the best first, ties in the chunks' order."""
        return {name: self._best(side, query, k) for name, side in self._sides.items()}

    def _best(self, side: Side, query: str, k: int) -> list[Hit]:
        parts = side.index.parts(side.index.prepare([query]))  # each (1, n_chunks)
        scores = fuse(parts, side.fusion)[0]
        order = np.argsort(-scores, kind="stable")[:k]
        late = parts.late
        return [
            Hit(
                rank,
                self._chunks[row],
                float(scores[row]),
                float(parts.dense[0, row]),
                float(parts.lexical[0, row]),
                None if late is None else float(late[0, row]),
            )
            for rank, row in enumerate(order, 1)
        ]

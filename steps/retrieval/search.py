"""Questions to a corpus: BM25 and a model together, several models side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steps.retrieval.bm25 import Bm25
from steps.retrieval.embedder import Embedder
from steps.retrieval.fusion import Fusion, fuse
from steps.rows import Chunk, embedded_text

FloatMatrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Hit:
    """A chunk that was found."""

    rank: int
    """1 is the best."""
    chunk: Chunk
    score: float
    """Of both halves together; only comparable within one answer."""
    cosine: float
    """Of query and chunk, -1..1."""
    bm25: float
    """0 where they share no word."""


@dataclass(frozen=True)
class Side:
    """A model ready to be asked."""

    embedder: Embedder
    vectors: FloatMatrix
    """Of the chunks, `(n_chunks, dim)`."""
    fusion: Fusion


class Corpus:
    """Chunks that several models can be asked about.

    Args:
        chunks: What is searched.
        sides: Name -> the model with the chunks' vectors.
    """

    def __init__(self, chunks: Sequence[Chunk], sides: Mapping[str, Side]) -> None:
        self._chunks, self._sides = chunks, sides
        self._bm25 = Bm25([embedded_text(chunk) for chunk in chunks])

    def __len__(self) -> int:
        return len(self._chunks)

    def ask(self, query: str, k: int) -> dict[str, list[Hit]]:
        """Returns name of the side -> its k best chunks, the best first, ties in the chunks' order."""
        lexical = self._bm25.scores([query])
        return {name: self._best(side, query, lexical, k) for name, side in self._sides.items()}

    def _best(self, side: Side, query: str, lexical: FloatMatrix, k: int) -> list[Hit]:
        dense = side.embedder.embed([query], "query") @ side.vectors.T  # (1, n_chunks)
        scores = fuse(dense, lexical, side.fusion)[0]
        order = np.argsort(-scores, kind="stable")[:k]
        return [
            Hit(rank, self._chunks[row], float(scores[row]), float(dense[0, row]), float(lexical[0, row]))
            for rank, row in enumerate(order, 1)
        ]

"""The ranker of the round trip: BM25 and the base model together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from steps.rows import Chunk, embedded_text

FloatMatrix = npt.NDArray[np.float32]
QUERY_BLOCK = 256
"""Queries scored at once: bounds the score matrix to QUERY_BLOCK x n_chunks."""


class Scorer(Protocol):
    """Scores every chunk for queries."""

    def scores(self, queries: list[str]) -> FloatMatrix:
        """Returns (n_queries, n_chunks), higher is better."""


class HybridRanker:
    """Ranks chunks by the sum of BM25's and the base model's scores, each as a z-score over the corpus."""

    def __init__(self, chunks: Sequence[Chunk], base_model: str) -> None:
        from steps.retrieval.bm25 import Bm25
        from steps.retrieval.embedder import CachedEmbedder

        texts = [embedded_text(chunk) for chunk in chunks]
        self._row = {chunk.id: row for row, chunk in enumerate(chunks)}
        self._embedder = CachedEmbedder(base_model)
        self._bm25: Scorer = Bm25(texts)
        self._vectors = self._embedder.embed(texts, "document")  # (n_chunks, dim)

    def ranks(self, queries: Sequence[str], chunk_ids: Sequence[str]) -> list[int]:
        """Returns, for each query, the rank (1 is first) of the chunk beside it; equal scores share the better rank."""
        vectors = self._embedder.embed(queries, "query")  # (n_queries, dim)
        rows = np.array([self._row[chunk_id] for chunk_id in chunk_ids], dtype=np.intp)
        found = list[int]()
        for start in range(0, len(queries), QUERY_BLOCK):
            block = slice(start, start + QUERY_BLOCK)
            lexical = self._bm25.scores(list(queries[block]))  # (block, n_chunks)
            scores = z_scores(lexical) + z_scores(vectors[block] @ self._vectors.T)
            own = scores[np.arange(len(scores)), rows[block]]
            found.extend((1 + (scores > own[:, None]).sum(axis=1)).tolist())
        return found


def z_scores(scores: FloatMatrix) -> FloatMatrix:
    """Returns each row with mean 0 and standard deviation 1; a row of equal scores becomes zeros."""
    centred = scores - scores.mean(axis=1, keepdims=True)
    spread = scores.std(axis=1, keepdims=True)
    return np.asarray(np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0), dtype=np.float32)

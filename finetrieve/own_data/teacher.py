"""The teacher that needs no training: late interaction, the single vector and BM25 of the base model, added up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.corpus import Corpus
from finetrieve.retrieval.bm25 import Bm25
from finetrieve.retrieval.fusion import FUSED, HYBRID, fuse
from finetrieve.retrieval.hybrid_index import SearchIndex, build_index
from finetrieve.retrieval.vector_cache import CachedEmbedder

MOST_WITH_TOKENS = 20_000
"""Chunks up to which their token vectors are compared as well."""
QUERY_BLOCK = 256
"""Queries scored at once: bounds the score matrix to QUERY_BLOCK x n_chunks."""


class Teacher:
    """Scores the chunks of a corpus for queries; the corpus is encoded when it is first asked."""

    def __init__(self, corpus: Corpus, base_model: str) -> None:
        self._corpus, self._base_model = corpus, base_model
        self._index: SearchIndex | None = None

    def scores(self, queries: Sequence[str]) -> Iterator[tuple[int, FloatMatrix]]:
        """Yields blocks of queries: the number of the first, and fused scores `(n_queries, n_chunks)`."""
        index = self._built_index()
        prepared = index.prepare(queries)
        fusion = FUSED if index.has_tokens else HYBRID
        for start in range(0, len(queries), QUERY_BLOCK):
            yield start, fuse(index.parts(prepared.part(start, min(start + QUERY_BLOCK, len(queries)))), fusion)

    def best_of(self, queries: Sequence[str], rows: Sequence[Sequence[int]]) -> list[int]:
        """Returns for each query the one of its rows of the corpus that answers it best."""
        best = list[int]()
        if queries:
            for start, block in self.scores(queries):
                own = rows[start : start + len(block)]
                best += [row[int(np.argmax(scores[list(row)]))] for scores, row in zip(block, own, strict=True)]
        return best

    def embed(self, queries: Sequence[str]) -> FloatMatrix:
        """Returns the unit vectors of queries, `(n_queries, dim)`."""
        return self._built_index().embedder.embed(queries, "query")

    def _built_index(self) -> SearchIndex:
        if self._index is None:
            embedder = CachedEmbedder(self._base_model, precision="auto")
            few = len(self._corpus) <= MOST_WITH_TOKENS
            self._index = build_index(
                list(self._corpus.texts()),
                embedder,
                bm25=Bm25.of_chunks(self._corpus.chunk_rows()),
                with_tokens=few,
                precision="auto",
            )
        return self._index

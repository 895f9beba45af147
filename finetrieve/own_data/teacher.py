"""The teacher that needs no training: late interaction, the single vector and BM25 of the base model, added up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.corpus import Corpus
from finetrieve.retrieval.base_search import BaseSearch
from finetrieve.retrieval.fusion import FUSED, HYBRID, fuse


class Teacher:
    """Scores the chunks of a corpus for queries; the corpus is encoded when it is first asked."""

    def __init__(self, corpus: Corpus, base_model: str) -> None:
        self._search = BaseSearch(corpus, base_model)

    def scores(self, queries: Sequence[str]) -> Iterator[tuple[int, FloatMatrix]]:
        """Yields blocks of queries: the number of the first, and fused scores `(n_queries, n_chunks)`."""
        index = self._search.index
        for block, prepared in self._search.blocks(queries):
            yield block.start, fuse(index.parts(prepared), FUSED if index.has_tokens else HYBRID)

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
        return self._search.index.embedder.embed(queries, "query")

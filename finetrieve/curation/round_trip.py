"""The ranker of the round trip: BM25 and the base model together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from finetrieve.core.corpus import Corpus

MOST_WITH_TOKENS = 20_000
"""Chunks up to which their token vectors are made along the way; a larger corpus may never be evaluated here."""
QUERY_BLOCK = 256
"""Queries scored at once: bounds the score matrix to QUERY_BLOCK x n_chunks."""


class HybridRanker:
    """Ranks chunks by the sum of BM25's and the base model's scores, each as a z-score over the corpus."""

    def __init__(self, corpus: Corpus, base_model: str) -> None:
        from finetrieve.retrieval.bm25 import Bm25
        from finetrieve.retrieval.hybrid_index import build_index
        from finetrieve.retrieval.vector_cache import CachedEmbedder

        self._row = corpus.row_of_chunk
        texts = list(corpus.texts())
        embedder = CachedEmbedder(base_model, precision="auto")
        if len(corpus) <= MOST_WITH_TOKENS:
            # The evaluation will want the token vectors of the same chunks: one pass makes both kinds, and both are kept.
            embedder.embed_tokens(texts, "document")
        self._index = build_index(texts, embedder, bm25=Bm25.of_chunks(corpus.chunk_rows()))

    def ranks(self, queries: Sequence[str], chunk_ids: Sequence[str]) -> list[int]:
        """Returns, for each query, the rank (1 is first) of the chunk beside it; equal scores share the better rank."""
        from finetrieve.retrieval.fusion import HYBRID, fuse

        prepared = self._index.prepare(queries)
        rows = np.array([self._row[chunk_id] for chunk_id in chunk_ids], dtype=np.intp)
        found = list[int]()
        for start in range(0, len(queries), QUERY_BLOCK):
            stop = min(start + QUERY_BLOCK, len(queries))
            scores = fuse(self._index.parts(prepared.part(start, stop)), HYBRID)  # (block, n_chunks)
            own = scores[np.arange(len(scores)), rows[start:stop]]
            found.extend((1 + (scores > own[:, None]).sum(axis=1)).tolist())
        return found

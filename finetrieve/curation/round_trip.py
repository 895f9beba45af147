"""The ranker of the filters that search: BM25 and the base model together, beside the base model's vector alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from finetrieve.core.arrays import softmax
from finetrieve.core.corpus import Corpus
from finetrieve.retrieval.fusion import FUSED, HYBRID, Parts, first_rows, fuse, lexical_trust, z_score
from finetrieve.retrieval.hybrid_index import Queries, SearchIndex, build_index
from finetrieve.retrieval.vector_cache import CachedEmbedder

MOST_WITH_TOKENS = 20_000
"""Chunks up to which their token vectors are made along the way; a larger corpus may never be evaluated here."""
QUERY_BLOCK = 256
"""Queries scored at once: bounds the score matrix to QUERY_BLOCK x n_chunks."""
COMPARED = 32
"""Chunks, a query's own among them, over which it is told how sure a search is: only these take the scores of tokens."""


class HybridRanker:
    """Ranks chunks by the sum of BM25's and the base model's scores, each as a z-score over the corpus."""

    def __init__(self, corpus: Corpus, base_model: str) -> None:
        from finetrieve.retrieval.bm25 import Bm25

        self._row = corpus.row_of_chunk
        self._texts = list(corpus.texts())
        embedder = CachedEmbedder(base_model, precision="auto")
        if len(corpus) <= MOST_WITH_TOKENS:
            # The evaluation will want the token vectors of the same chunks: one pass makes both kinds, and both are kept.
            embedder.embed_tokens(self._texts, "document")
        self._index = build_index(self._texts, embedder, bm25=Bm25.of_chunks(corpus.chunk_rows()))

    def ranks(self, queries: Sequence[str], chunk_ids: Sequence[str]) -> list[int]:
        """Returns, for each query, the rank (1 is first) of the chunk beside it; equal scores share the better rank."""
        prepared = self._index.prepare(queries)
        rows = self._rows(chunk_ids)
        found = list[int]()
        for start in range(0, len(queries), QUERY_BLOCK):
            stop = min(start + QUERY_BLOCK, len(queries))
            scores = fuse(self._index.parts(prepared.part(start, stop)), HYBRID)  # (block, n_chunks)
            own = scores[np.arange(len(scores)), rows[start:stop]]
            found.extend((1 + (scores > own[:, None]).sum(axis=1)).tolist())
        return found

    def confidences(self, queries: Sequence[str], chunk_ids: Sequence[str]) -> list[tuple[float, float]]:
        """Returns, for each query, how sure the vector alone and the fused search are of the chunk beside it, 0..1 each.

        The nearest chunks by either search are scored by both, in standard deviations among these chunks. What token vectors and
        BM25 weigh in the fused search, the vector weighs in its own, so that both have the same weight in all. How sure a search
        is of a chunk is the chunk's share in the softmax of these scores.
        """
        prepared = self._token_index.prepare(queries)
        rows = self._rows(chunk_ids)
        found = list[tuple[float, float]]()
        for start in range(0, len(queries), QUERY_BLOCK):
            stop = min(start + QUERY_BLOCK, len(queries))
            found += self._confidences(prepared.part(start, stop), rows[start:stop])
        return found

    def _confidences(self, queries: Queries, own: npt.NDArray[np.intp]) -> list[tuple[float, float]]:
        index = self._token_index
        lexical, dense = index.bm25.scores(queries.texts), index.dense(queries)
        whole = Parts(queries.texts, lexical, dense, coverage=index.bm25.coverage(queries.texts))
        nearest = np.maximum(fuse(whole, HYBRID), 2 * z_score(dense))  # (block, n_chunks)
        nearest[np.arange(len(own)), own] = np.inf
        rows = first_rows(nearest, COMPARED)  # (block, COMPARED)
        first = whole.on(lambda scores: np.take_along_axis(scores, rows, axis=1))
        fusion = HYBRID
        if index.has_tokens:
            fusion, first = FUSED, Parts(first.queries, first.lexical, first.dense, index.late_of(queries, rows), first.coverage)
        weight = fusion.dense + fusion.late + fusion.lexical * lexical_trust(first)  # (block,)
        alone, fused = z_score(first.dense) * weight[:, None], fuse(first, fusion)
        is_own = rows == own[:, None]
        return list(zip(softmax(alone)[is_own].tolist(), softmax(fused)[is_own].tolist(), strict=True))

    @cached_property
    def _token_index(self) -> SearchIndex:
        """The same index with token vectors, of a corpus that has them."""
        with_tokens = len(self._texts) <= MOST_WITH_TOKENS
        before = self._index
        return build_index(self._texts, before.embedder, bm25=before.bm25, with_tokens=with_tokens, precision="auto")

    def _rows(self, chunk_ids: Sequence[str]) -> npt.NDArray[np.intp]:
        return np.array([self._row[chunk_id] for chunk_id in chunk_ids], dtype=np.intp)

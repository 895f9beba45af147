"""The ranker of the filters that search: BM25 and the base model together, beside the base model's vector alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from finetrieve.core.arrays import softmax
from finetrieve.core.corpus import Corpus
from finetrieve.retrieval.base_search import BaseSearch
from finetrieve.retrieval.fusion import FUSED, HYBRID, first_rows, fuse, lexical_trust, z_score
from finetrieve.retrieval.hybrid_index import Queries

COMPARED = 32
"""Chunks, a query's own among them, over which it is told how sure a search is: only these take the scores of tokens."""


class HybridRanker:
    """Ranks chunks by the sum of BM25's and the base model's scores, each as a z-score over the corpus."""

    def __init__(self, corpus: Corpus, base_model: str) -> None:
        self._row, self._search = corpus.row_of_chunk, BaseSearch(corpus, base_model)

    def ranks(self, queries: Sequence[str], chunk_ids: Sequence[str]) -> list[int]:
        """Returns, for each query, the rank (1 is first) of the chunk beside it; equal scores share the better rank."""
        rows = self._rows(chunk_ids)
        found = list[int]()
        for block, prepared in self._search.blocks(queries):
            scores = fuse(self._search.index.parts(prepared, with_late=False), HYBRID)  # (block, n_chunks)
            own = scores[np.arange(len(scores)), rows[block]]
            found.extend((1 + (scores > own[:, None]).sum(axis=1)).tolist())
        return found

    def confidences(self, queries: Sequence[str], chunk_ids: Sequence[str]) -> list[tuple[float, float]]:
        """Returns, for each query, how sure the vector alone and the fused search are of the chunk beside it, 0..1 each.

        The nearest chunks by either search are scored by both, in standard deviations among these chunks. What token vectors and
        BM25 weigh in the fused search, the vector weighs in its own, so that both have the same weight in all. How sure a search
        is of a chunk is the chunk's share in the softmax of these scores.
        """
        rows = self._rows(chunk_ids)
        blocks = self._search.blocks(queries)
        return [pair for block, prepared in blocks for pair in self._confidences(prepared, rows[block])]

    def _confidences(self, queries: Queries, own: npt.NDArray[np.intp]) -> list[tuple[float, float]]:
        index = self._search.index
        whole = index.parts(queries, with_late=False)
        nearest = np.maximum(fuse(whole, HYBRID), 2 * z_score(whole.dense))  # (block, n_chunks)
        nearest[np.arange(len(own)), own] = np.inf
        rows = first_rows(nearest, COMPARED)  # (block, COMPARED)
        first = whole.on(lambda scores: np.take_along_axis(scores, rows, axis=1))
        fusion = HYBRID
        if index.has_tokens:
            fusion, first = FUSED, replace(first, late=index.late_of(queries, rows))
        weight = fusion.dense + fusion.late + fusion.lexical * lexical_trust(first)  # (block,)
        alone, fused = z_score(first.dense) * weight[:, None], fuse(first, fusion)
        is_own = rows == own[:, None]
        return list(zip(softmax(alone)[is_own].tolist(), softmax(fused)[is_own].tolist(), strict=True))

    def _rows(self, chunk_ids: Sequence[str]) -> npt.NDArray[np.intp]:
        return np.array([self._row[chunk_id] for chunk_id in chunk_ids], dtype=np.intp)

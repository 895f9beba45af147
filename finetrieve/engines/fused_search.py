"""Fused search in an engine: it finds and scores candidates by vectors, BM25 is counted here, and all adds up as in `ask`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.rows import Chunk
from finetrieve.engines.base import Found
from finetrieve.retrieval.bm25 import Bm25
from finetrieve.retrieval.fusion import Fusion, Parts, fuse
from finetrieve.retrieval.search import Hit

CANDIDATES = 200
"""Of each way of searching, or as many as are asked for."""
SCALE_CHUNKS = 1_000
"""Spread over the corpus: how far vectors' scores scatter is told from them, to some 2%. A smaller corpus is read whole."""

Ask = Callable[[int, Sequence[str] | None], Sequence[Found]]
"""Takes how many chunks are wanted, and ids among which; returns them with their scores, the best first."""


class FusedSearch:
    """Adds up the scores of an engine's vectors and of BM25, which is not counted where it has no weight."""

    def __init__(self, chunks: Sequence[Chunk], fusion: Fusion) -> None:
        self._chunks, self._fusion = chunks, fusion
        self._bm25 = Bm25.of_chunks(chunks) if fusion.lexical else None
        self._row_of = {chunk.id: row for row, chunk in enumerate(chunks)}
        self._scale = np.arange(0, len(chunks), max(1, -(-len(chunks) // SCALE_CHUNKS)))

    def search(self, question: str, k: int, ways: Mapping[str, Ask]) -> list[Hit]:
        """Returns the k best chunks, the best first, ties in the chunks' order.

        Args:
            question: What is asked.
            k: How many.
            ways: `dense` and `late`, as far as they count -> asks the engine.
        """
        # 1. Candidates: the best by each part.
        depth = max(CANDIDATES, k)
        lexical = np.zeros(len(self._chunks), np.float32) if self._bm25 is None else self._bm25.scores([question])[0]
        found = {row for row in np.argsort(-lexical, kind="stable")[:depth].tolist() if lexical[row] > 0}
        for ask in ways.values():
            found.update(self._row_of[hit.chunk.id] for hit in ask(depth, None))
        if not found:
            return []
        # 2. Their scores by all parts, and those of the chunks that the scales are taken from.
        rows = np.array(sorted(found), np.int64)
        scores = {way: self._scores(ask, np.union1d(rows, self._scale)) for way, ask in ways.items()}
        parts = _parts(question, lexical[rows], {way: values[rows] for way, values in scores.items()})
        among = _parts(question, lexical, {way: values[self._scale] for way, values in scores.items()})
        # 3. The sum.
        coverage = None if self._bm25 is None else self._bm25.coverage([question])
        fused = fuse(replace(parts, coverage=coverage), self._fusion, among)[0]
        best = np.argsort(-fused, kind="stable")[:k]
        return [self._hit(rank, int(rows[place]), float(fused[place]), lexical, scores) for rank, place in enumerate(best, 1)]

    def _scores(self, ask: Ask, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> FloatMatrix:
        """Returns the scores of some chunks `(n_chunks,)`; of the others, nan."""
        scores = np.full(len(self._chunks), np.nan, np.float32)
        for hit in ask(len(rows), [self._chunks[row].id for row in rows.tolist()]):
            scores[self._row_of[hit.chunk.id]] = hit.score
        return scores

    def _hit(self, rank: int, row: int, score: float, lexical: FloatMatrix, scores: Mapping[str, FloatMatrix]) -> Hit:
        dense, late = (float(scores[way][row]) if way in scores else None for way in ("dense", "late"))
        return Hit(rank, self._chunks[row], score, dense, float(lexical[row]) if self._fusion.lexical else None, late)


def _parts(question: str, lexical: FloatMatrix, scores: Mapping[str, FloatMatrix]) -> Parts:
    dense, late = (scores[way][None] if way in scores else None for way in ("dense", "late"))
    unread = np.zeros((1, 0), np.float32)  # what has no weight
    return Parts([question], lexical[None], unread if dense is None else dense, late)

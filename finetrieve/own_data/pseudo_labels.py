"""Pseudo-labels: for a query that nobody answered, the chunks that a teacher ranks first, and how sure it is of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.rows import LabelledPair, RankedChunk
from finetrieve.own_data.teacher import Teacher
from finetrieve.retrieval.fusion import z_score

FUSED_TEACHER = "late, dense and BM25 of the base model"
READ_BY_RERANKER = 20
"""Chunks that a cross-encoder puts in a new order."""
SHARPNESS = 2.0
"""Multiplies a cross-encoder's scores, in standard deviations among those chunks, before the softmax."""

Rerank = Callable[[str, Sequence[str]], Sequence[float]]
"""Takes a query and texts, returns how well each answers it."""


def pseudo_label(
    queries: Sequence[str],
    source: str,
    teacher: Teacher,
    chunk_ids: Sequence[str],
    texts: Sequence[str],
    length: int,
    rerank: Rerank | None = None,
) -> list[RankedChunk]:
    """Returns for each query a list of chunks, the best first, with the share of the answer that each is.

    Args:
        queries: What people typed.
        source: The name of the set.
        teacher: The untrained search that finds the chunks.
        chunk_ids: Of the corpus, by row.
        texts: Of the chunks, as they are embedded, by row.
        length: Chunks in a list.
        rerank: A cross-encoder, which is believed more where there is one.
    """
    found = list[RankedChunk]()
    for start, block in teacher.scores(queries):
        for query, scores in zip(queries[start : start + len(block)], block, strict=True):
            first = np.argsort(-scores, kind="stable")[: max(length, READ_BY_RERANKER if rerank else 0)]
            values = scores[first]
            if rerank is not None:
                read = np.asarray(rerank(query, [texts[row] for row in first]), np.float32)
                values = SHARPNESS * z_score(read[None])[0]
            order = np.argsort(-values, kind="stable")[:length]
            found += [
                RankedChunk(query, chunk_ids[first[place]], float(share), source, "cross-encoder" if rerank else FUSED_TEACHER)
                for place, share in zip(order, softmax(values[order]), strict=True)
            ]
    return found


def softmax(scores: FloatMatrix) -> FloatMatrix:
    """Returns the shares of scores `(n,)`, which sum up to 1."""
    raised = np.exp(scores - scores.max())
    shares: FloatMatrix = raised / raised.sum()
    return shares


def lists_of_labels(pairs: Iterable[LabelledPair]) -> list[RankedChunk]:
    """Returns the lists of labelled queries that have an answer and something beside it: a negative, or another answer.

    Of several answers each has a share by its score, which for clicks is their number; its logarithm counts, since what stands
    first is clicked for standing there.
    """
    by_query: dict[tuple[str, str], list[LabelledPair]] = {}
    for pair in pairs:
        by_query.setdefault((pair.source, pair.query), []).append(pair)
    found = list[RankedChunk]()
    for (source, query), own in by_query.items():
        weights = [math.log1p(max(0.0, pair.score)) for pair in own]
        if len(own) > 1 and sum(weights) > 0:
            found += [
                RankedChunk(query, pair.chunk_id, weight / sum(weights), source, "labels")
                for pair, weight in zip(own, weights, strict=True)
            ]
    return found

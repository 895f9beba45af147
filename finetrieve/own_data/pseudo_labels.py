"""Pseudo-labels: for a query that nobody answered, the chunks that a teacher ranks first, and how sure it is of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from finetrieve.core.arrays import FloatMatrix, softmax
from finetrieve.core.rows import LabelledPair, RankedChunk
from finetrieve.own_data.teacher import Teacher
from finetrieve.retrieval.fusion import z_score

FUSED_TEACHER = "late, dense and BM25 of the base model"
GRADED = "LLM grades"
GRADED_NO_ANSWER = "LLM grades, no answer"
"""Labelled by an LLM that found no chunk which answers: the order is learnt, and no pair is made of it."""
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
    for query, first, values in first_chunks(queries, teacher, max(length, READ_BY_RERANKER if rerank else 0)):
        if rerank is not None:
            read = np.asarray(rerank(query, [texts[row] for row in first]), np.float32)
            values = SHARPNESS * z_score(read[None])[0]
        labelled_by = "cross-encoder" if rerank else FUSED_TEACHER
        found += ranked_list(query, [chunk_ids[row] for row in first], values, length, source, labelled_by)
    return found


def first_chunks(queries: Sequence[str], teacher: Teacher, most: int) -> Iterator[tuple[str, list[int], FloatMatrix]]:
    """Yields for each query the rows of the chunks that the teacher ranks first, and their scores."""
    for start, block in teacher.scores(queries):
        for query, scores in zip(queries[start : start + len(block)], block, strict=True):
            first = np.argsort(-scores, kind="stable")[:most]
            yield query, first.tolist(), scores[first]


def ranked_list(
    query: str, chunk_ids: Sequence[str], values: FloatMatrix, length: int, source: str, labelled_by: str
) -> list[RankedChunk]:
    """Returns the chunks with the highest values, the best first, each with its share: the softmax of the values."""
    order = np.argsort(-values, kind="stable")[:length]
    return [
        RankedChunk(query, chunk_ids[place], float(share), source, labelled_by)
        for place, share in zip(order, softmax(values[order]), strict=True)
    ]


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

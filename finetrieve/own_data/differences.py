"""How generated queries differ from those that people typed: length, style, words shared with the answer, distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from finetrieve.core.own_data_report import QueryDifferences, QueryManner
from finetrieve.core.text import query_words
from finetrieve.retrieval.fusion import FloatMatrix

QUESTION_WORDS = frozenset(
    word
    for words in ("how what when where which why who whose", "can could do does did is are was were will would should has have")
    for word in words.split()
)
MOST_KEYWORDS = 4
"""Words up to which a query that is no question is a list of keywords."""


def manner_of(asked: Sequence[tuple[str, str]], texts: Mapping[str, str]) -> QueryManner:
    """Returns how queries ask.

    Args:
        asked: Query and the id of the chunk that answers it.
        texts: Chunk id -> text.
    """
    if not asked:
        return QueryManner()
    words = [query_words(query) for query, _ in asked]
    questions = [
        query.rstrip().endswith("?") or (bool(own) and own[0] in QUESTION_WORDS)
        for (query, _), own in zip(asked, words, strict=True)
    ]
    keywords = [not question and len(own) <= MOST_KEYWORDS for question, own in zip(questions, words, strict=True)]
    of_chunk = {chunk_id: set(query_words(texts[chunk_id])) for _, chunk_id in asked}
    shared = [
        sum(word in of_chunk[chunk_id] for word in own) / max(1, len(own))
        for (_, chunk_id), own in zip(asked, words, strict=True)
    ]
    return QueryManner(
        queries=len(asked),
        words=_mean([len(own) for own in words]),
        questions=_mean(questions),
        keywords=_mean(keywords),
        shared_words=_mean(shared),
    )


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 3)


def differences(
    real: Sequence[tuple[str, str]],
    generated: Sequence[tuple[str, str]],
    texts: Mapping[str, str],
    real_vectors: FloatMatrix,
    generated_vectors: FloatMatrix,
) -> QueryDifferences:
    """Returns both manners, and how near the generated queries come to the real ones.

    Args:
        real: What people typed, with the chunk that answers it.
        generated: What was generated, likewise.
        texts: Chunk id -> text.
        real_vectors: Unit vectors of the real queries, `(n_real, dim)`.
        generated_vectors: Unit vectors of the generated ones, `(n_generated, dim)`.
    """
    among = real_vectors @ real_vectors.T
    np.fill_diagonal(among, -1.0)
    near_real = float(among.max(axis=1).mean()) if len(real) > 1 else None
    near_generated = float((real_vectors @ generated_vectors.T).max(axis=1).mean()) if len(generated) and len(real) else None
    return QueryDifferences(
        real=manner_of(real, texts),
        generated=manner_of(generated, texts),
        nearest_generated=None if near_generated is None else round(near_generated, 4),
        nearest_real=None if near_real is None else round(near_real, 4),
    )

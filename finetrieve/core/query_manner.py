"""How queries ask: their length, and how many are questions or lists of keywords, or take their words from the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from finetrieve.core.own_data_report import QueryManner
from finetrieve.core.text import query_words

QUESTION_WORDS = frozenset(
    word
    for words in ("how what when where which why who whose", "can could do does did is are was were will would should has have")
    for word in words.split()
)
MOST_KEYWORDS = 4
"""Words up to which a query that is no question is a list of keywords."""
LONGEST = 24
"""Words from which lengths are counted together."""


def manner_of(asked: Sequence[tuple[str, str]], texts: Mapping[str, str]) -> QueryManner:
    """Returns how queries ask.

    Args:
        asked: Query and the id of the chunk that answers it.
        texts: Chunk id -> text.
    """
    if not asked:
        return QueryManner()
    words = [query_words(query) for query, _ in asked]
    questions = [is_question(query, own) for (query, _), own in zip(asked, words, strict=True)]
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
        lengths=length_shares([len(own) for own in words]),
    )


def is_question(query: str, words: Sequence[str]) -> bool:
    """Returns whether a query, with its comparable words, is put as a question."""
    return query.rstrip().endswith("?") or (bool(words) and words[0] in QUESTION_WORDS)


def length_shares(lengths: Sequence[int]) -> list[float]:
    """Returns the share of queries with 1, 2, ... words; the last is of those with `LONGEST` or more."""
    counts = Counter(min(max(length, 1), LONGEST) for length in lengths)
    return [round(counts[length] / len(lengths), 4) for length in range(1, LONGEST + 1)] if lengths else []


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 3)

"""A pool of queries that grows: which of them a new one is nearest to, and which of them a prompt shows as examples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import Indel

from finetrieve.core.text import query_words
from finetrieve.generation.chunk_context import fingerprint

_FIRST_LETTER = 0x10000
"""Above the surrogates, which no comparison takes."""
_MOST_EXAMPLES = 5000
"""Drawn from, of those that are in the pool: what a draw costs is bounded."""
_ROUNDS = (8, 4, 2, 1)
"""After each round such a part of the chunks was asked about: one is as large as all before it."""


class QueryPool:
    """Queries, and which of them a new one is nearest to by ROUGE-L (F1 of the longest common subsequence of words).

    A word becomes one letter, so that rapidfuzz compares words: its Indel similarity, twice the longest common subsequence over
    both lengths, is then ROUGE-L.
    """

    def __init__(self, queries: Iterable[str]) -> None:
        self._letters: dict[str, str] = {}
        self._texts: list[str] = []
        self._words: list[str] = []
        for query in queries:
            self.add(query)

    def add(self, query: str) -> None:
        """Adds a query."""
        self._texts.append(query)
        self._words.append(self._encoded(query))

    def nearest(self, query: str, least: float) -> tuple[str, float] | None:
        """Returns the nearest query with its ROUGE-L, if that is at least so much."""
        found = process.extractOne(
            self._encoded(query), self._words, scorer=Indel.normalized_similarity, processor=None, score_cutoff=least
        )
        return (self._texts[found[2]], found[1]) if found else None

    def _encoded(self, query: str) -> str:
        return "".join(self._letters.setdefault(word, chr(_FIRST_LETTER + len(self._letters))) for word in query_words(query))


class Examples:
    """Queries of which each prompt shows some, drawn by hashes alone (rendezvous hashing): one query more changes few draws."""

    def __init__(self, queries: Iterable[str] = ()) -> None:
        marked = sorted({fingerprint(query): query for query in queries}.items())[:_MOST_EXAMPLES]
        self._queries = [query for _, query in marked]
        self._marks = np.array([mark for mark, _ in marked], dtype=np.uint64)

    def draw(self, count: int, key: str) -> list[str]:
        """Returns so many of the queries, or all that there are: the same for the same key and queries."""
        order = np.argsort(_mixed(self._marks ^ np.uint64(fingerprint(key))), kind="stable")
        return [self._queries[place] for place in order[:count].tolist()]


def _mixed(marks: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Returns evenly spread 64-bit numbers in place of others: the last step of SplitMix64."""
    marks = (marks ^ (marks >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    marks = (marks ^ (marks >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: npt.NDArray[np.uint64] = marks ^ (marks >> np.uint64(31))
    return mixed


def draw_rounds(chunk_ids: Sequence[str], key: str) -> list[list[int]]:
    """Returns the rounds in which chunks are asked about, by their places, each as large as all before it together.

    The order rests on the ids' hashes, so that a chunk more moves few others to another round.
    """
    order = sorted(range(len(chunk_ids)), key=lambda place: (fingerprint(f"{key}\x1f{chunk_ids[place]}"), place))
    ends = [0, *(-(-len(order) // part) for part in _ROUNDS)]
    return [sorted(order[start:end]) for start, end in pairwise(ends) if end > start]

"""BM25 over chunks: the lexical baseline in every table, and half of every hybrid."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
import Stemmer

if TYPE_CHECKING:
    import bm25s

FloatMatrix = npt.NDArray[np.float32]


class Bm25:
    """An index over texts: Lucene's BM25 on English stems, stop words left out.

    Args:
        texts: What is searched; row i of every answer is text i.
        k1: How fast a repeated word stops counting.
        b: How much a long text is marked down, 0..1.

    Source: Kamphuis et al., "Which BM25 Do You Mean?", ECIR 2020 (the Lucene variant).
    """

    def __init__(self, texts: Sequence[str], k1: float = 1.2, b: float = 0.75) -> None:
        import bm25s  # with numba and scipy: seconds, which a run from the cache need not wait

        # The library announces every index that it builds, and sets its own level when it is imported.
        logging.getLogger("bm25s").setLevel(logging.WARNING)
        self.n_texts = len(texts)
        tokens = _tokens(texts)
        # Numbered in sorted order, so that sums of float32 scores never depend on hash seeds.
        self._ids = {word: number for number, word in enumerate(sorted({word for words in tokens for word in words}))}
        self._index: bm25s.BM25 | None = None
        self._idf = np.zeros(0, dtype=np.float32)
        self._unseen = 0.0
        if self._ids:
            numbered = [self._numbers(words) for words in tokens]
            self._index = bm25s.BM25(method="lucene", k1=k1, b=b)
            self._index.index((numbered, self._ids), show_progress=False)
            # With k1 = 0 a word counts once, however often it is there: the score is the sum of the shared words' rarity.
            self._rarity = bm25s.BM25(method="lucene", k1=0.0, b=0.0)
            self._rarity.index((numbered, self._ids), show_progress=False)
            frequency = np.bincount([number for numbers in numbered for number in set(numbers)], minlength=len(self._ids))
            self._idf = _idf(frequency, self.n_texts).astype(np.float32)
            self._unseen = float(_idf(np.zeros(1), self.n_texts)[0])

    def scores(self, queries: Sequence[str]) -> FloatMatrix:
        """Returns BM25 scores `(n_queries, n_texts)`, 0 where no word is shared; ask in blocks of queries to bound the memory."""
        result = np.zeros((len(queries), self.n_texts), dtype=np.float32)
        if self._index is None:
            return result
        for row, words in enumerate(_tokens(queries)):
            numbers = self._numbers(words)
            if numbers:
                result[row] = self._index.get_scores_from_ids(np.asarray(numbers))
        return result

    def coverage(self, queries: Sequence[str]) -> FloatMatrix:
        """Returns how much of each query the one text that has most of it has, `(n_queries,)`, 0..1.

        Each word counts by its inverse document frequency, and one that no text has by that of a word in none. People who know
        the documents' words get 0.5 to 0.9; people who have other words for everything 0.2 to 0.4, whatever BM25 finds for them.
        """
        result = np.zeros(len(queries), dtype=np.float32)
        for row, words in enumerate(_tokens(queries)):
            distinct = list(dict.fromkeys(words))
            numbers = self._numbers(distinct)
            if numbers:
                whole = float(self._idf[numbers].sum()) + self._unseen * (len(distinct) - len(numbers))
                result[row] = min(1.0, float(self._rarity.get_scores_from_ids(np.asarray(numbers)).max()) / whole)
        return result

    def top(self, queries: Sequence[str], k: int) -> list[list[tuple[int, float]]]:
        """Returns per query the k best texts that share a word with it, as (row, score), best first, ties in row order."""
        return [_best(self.scores([query])[0], k) for query in queries]

    def _numbers(self, words: list[str]) -> list[int]:
        return [self._ids[word] for word in words if word in self._ids]


def _idf(frequency: npt.NDArray[np.int64] | npt.NDArray[np.float64], n_texts: int) -> npt.NDArray[np.float64]:
    """Returns Lucene's inverse document frequency of words that are in so many texts."""
    return np.log1p((n_texts - frequency + 0.5) / (frequency + 0.5))


def _tokens(texts: Sequence[str]) -> list[list[str]]:
    if not texts:
        return []
    import bm25s

    stemmer = Stemmer.Stemmer("english")
    tokens = bm25s.tokenize(list(texts), stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False)
    return cast(list[list[str]], tokens)


def _best(scores: npt.NDArray[np.float32], k: int) -> list[tuple[int, float]]:
    order = np.argsort(-scores, kind="stable")[:k]
    return [(int(row), float(scores[row])) for row in order if scores[row] > 0]

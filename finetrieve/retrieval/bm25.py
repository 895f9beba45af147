"""BM25 over chunks: the lexical baseline in every table, and half of every hybrid."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.languages import document_languages
from finetrieve.core.rows import Chunk, embedded_text
from finetrieve.retrieval.analysis import analyzer

if TYPE_CHECKING:
    import bm25s


class Bm25:
    """An index over texts: Lucene's BM25 on stems, function words left out, as the language of each text has them.

    A query is read as each language of the corpus reads it, and every text is compared with the reading of its own: which
    language a short query is in need not be known, and a mixed corpus has one index.

    Args:
        texts: What is searched; row i of every answer is text i.
        k1: How fast a repeated word stops counting.
        b: How much a long text is marked down, 0..1.
        languages: Of the texts, as ISO 639-1 codes; without them, or where all are empty, they are told from the texts.

    Source: Kamphuis et al., "Which BM25 Do You Mean?", ECIR 2020 (the Lucene variant).
    """

    def __init__(self, texts: Sequence[str], k1: float = 1.2, b: float = 0.75, languages: Sequence[str] = ()) -> None:
        import bm25s  # with numba and scipy: seconds, which a run from the cache need not wait

        # The library announces every index that it builds, and sets its own level when it is imported.
        logging.getLogger("bm25s").setLevel(logging.WARNING)
        self.n_texts = len(texts)
        codes = [code or "en" for code in (languages if any(languages) else document_languages(texts, guess=False))]
        self._rows_of = {code: np.flatnonzero([code == other for other in codes]) for code in sorted(set(codes))}
        tokens = [analyzer(code).terms(text) for code, text in zip(codes, texts, strict=True)]
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

    @classmethod
    def of_chunks(cls, chunks: Iterable[Chunk], k1: float = 1.2, b: float = 0.75) -> Bm25:
        """Returns the index of chunks, each read in the language of its document."""
        read = [(embedded_text(chunk), chunk.language) for chunk in chunks]
        return cls([text for text, _ in read], k1, b, [language for _, language in read])

    def scores(self, queries: Sequence[str]) -> FloatMatrix:
        """Returns BM25 scores `(n_queries, n_texts)`, 0 where no word is shared; ask in blocks of queries to bound the memory."""
        result = np.zeros((len(queries), self.n_texts), dtype=np.float32)
        for scores, query in zip(result, queries, strict=True):
            for code, rows in self._rows_of.items():
                numbers = self._numbers(self._terms(query, code))
                if self._index is not None and numbers:
                    scores[rows] = self._index.get_scores_from_ids(np.asarray(numbers))[rows]
        return result

    def coverage(self, queries: Sequence[str]) -> FloatMatrix:
        """Returns how much of each query the one text that has most of it has, `(n_queries,)`, 0..1.

        Each word counts by its inverse document frequency, and one that no text has by that of a word in none. People who know
        the documents' words get 0.5 to 0.9; people who have other words for everything 0.2 to 0.4, whatever BM25 finds for them.
        """
        best = [max((self._coverage(query, code) for code in self._rows_of), default=0.0) for query in queries]
        return np.array(best, dtype=np.float32)

    def _coverage(self, query: str, language: str) -> float:
        """Returns the coverage of a query by the texts of one language."""
        distinct = list(dict.fromkeys(self._terms(query, language)))
        numbers = self._numbers(distinct)
        if not numbers:
            return 0.0
        whole = float(self._idf[numbers].sum()) + self._unseen * (len(distinct) - len(numbers))
        found = self._rarity.get_scores_from_ids(np.asarray(numbers))[self._rows_of[language]]
        return min(1.0, float(found.max()) / whole)

    def top(self, queries: Sequence[str], k: int) -> list[list[tuple[int, float]]]:
        """Returns per query the k best texts that share a word with it, as (row, score), best first, ties in row order."""
        return [_best(self.scores([query])[0], k) for query in queries]

    def _terms(self, query: str, language: str) -> list[str]:
        """Returns a query as a language of the corpus reads it, without the function words of the one that it is likely in.

        Where a German page quotes English, "the" would else be a rare word: no English page is indexed by it.
        """
        if len(self._rows_of) == 1:
            return analyzer(language).terms(query)
        counts = {code: analyzer(code).count_stop_words(query) for code in self._rows_of}
        own = max(counts, key=lambda code: counts[code])
        return analyzer(language).terms(query, analyzer(own).stop_words if counts[own] else frozenset())

    def _numbers(self, words: list[str]) -> list[int]:
        return [self._ids[word] for word in words if word in self._ids]


def _idf(frequency: npt.NDArray[np.int64] | npt.NDArray[np.float64], n_texts: int) -> npt.NDArray[np.float64]:
    """Returns Lucene's inverse document frequency of words that are in so many texts."""
    return np.log1p((n_texts - frequency + 0.5) / (frequency + 0.5))


def _best(scores: npt.NDArray[np.float32], k: int) -> list[tuple[int, float]]:
    order = np.argsort(-scores, kind="stable")[:k]
    return [(int(row), float(scores[row])) for row in order if scores[row] > 0]

"""Recipe `few_shot` as a distilabel step: that of recipe `prompt`, with a pool that no query may be too near to."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

from collections.abc import Iterable
from typing import Any, cast

from pydantic import PrivateAttr
from rapidfuzz import process
from rapidfuzz.distance import Indel

from finetrieve.core.text import query_words
from finetrieve.generation.recipes.base import ChunkResult
from finetrieve.generation.recipes.few_shot import FewShotRecipe
from finetrieve.generation.recipes.prompt_step import PromptStep

_FIRST_LETTER = 0x10000
"""Above the surrogates, which no comparison takes."""


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


class FewShotStep(PromptStep):
    """Asks for queries like the user's own, and keeps those that are not too near another."""

    _pool: QueryPool = PrivateAttr()

    def open(self) -> None:
        """Fills the pool with the user's queries."""
        super().open()
        self._pool = QueryPool(cast(FewShotRecipe, self.recipe).own_queries)

    def select(self, rows: list[dict[str, Any]], result: ChunkResult) -> list[dict[str, Any]]:
        """Returns the rows whose query is not too near one of the pool, which it joins."""
        limit = cast(FewShotRecipe, self.recipe).max_rouge
        kept = []
        for row in rows:
            if (near := self._pool.nearest(row["query"], limit)) is not None:
                reason = f"ROUGE-L {near[1]:.2f} to '{near[0]}', less than {limit:g} wanted"
                result["rejects"].append([row["query"], reason])
            else:
                self._pool.add(row["query"])
                kept.append(row)
        return kept

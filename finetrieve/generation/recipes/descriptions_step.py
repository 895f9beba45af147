"""Recipe `descriptions` as a distilabel step: that of recipe `prompt`, where lists of good and bad texts become queries."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

from collections.abc import Iterator
from typing import Any, ClassVar, cast

from finetrieve.core.text import normalise_query
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.parse_response import InvalidResponseError
from finetrieve.generation.recipes.base import ChunkResult
from finetrieve.generation.recipes.descriptions_settings import ABSTRACT, BAD, GOOD, DescriptionsSettings
from finetrieve.generation.recipes.prompt_requests import Draft, PromptRequests
from finetrieve.generation.recipes.prompt_step import PromptStep
from finetrieve.generation.recipes.query_judge import QueryJudge


class DescriptionRequests(PromptRequests):
    """The requests, whose answers are lists."""

    def rows(self, draft: Draft, fields: dict[str, Any]) -> list[dict[str, Any]]:
        """Returns a query for each good description, with a bad one as its negative as long as there are any, the abstract first.

        Raises:
            InvalidResponseError: A description is both good and bad, or cannot be a query.
        """
        good, bad = _distinct(fields[GOOD]), _distinct(fields[BAD])
        if both := sorted(set(good) & set(bad)):
            raise InvalidResponseError("invalid", f"'{good[both[0]][:80]}' is among the good and the bad descriptions")
        wrong = [*bad.values(), *[None] * len(good)]
        rows = [{"query": text, "negative": other, "style": GOOD} for text, other in zip(good.values(), wrong, strict=False)]
        if ABSTRACT in fields and normalise_query(fields[ABSTRACT]) not in {*good, *bad}:
            rows.insert(0, {"query": fields[ABSTRACT], "negative": None, "style": ABSTRACT})
        return [self._query_row(row, draft) for row in rows]


class DescriptionsStep(PromptStep):
    """Asks for descriptions, and for an abstract one of the first, without which the others are kept all the same."""

    optional_stages: ClassVar[frozenset[int]] = frozenset({1})

    def open(self) -> None:
        """Opens the response cache and makes what writes and sends requests."""
        super().open()
        self._writer = DescriptionRequests(cast(DescriptionsSettings, self.recipe).as_prompt())

    def results(self, chunks: Iterator[ChunkContext]) -> Iterator[ChunkResult]:
        """Yields the results, where the recipe has a judge with what passes it."""
        recipe, corpus = cast(DescriptionsSettings, self.recipe), list(chunks)
        results = super().results(iter(corpus))
        if recipe.judge is None:
            return results
        return iter(QueryJudge(recipe, recipe.judge, "description").judge(self._scheduler, corpus, list(results)))


def _distinct(texts: list[str]) -> dict[str, str]:
    """Returns normalised text -> text, without those that say the same."""
    found: dict[str, str] = {}
    for text in texts:
        found.setdefault(normalise_query(text), text)
    return found

"""Recipe `few_shot` as a distilabel step: that of recipe `prompt`, with a pool that no query may be too near to."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

from collections.abc import Iterator
from typing import Any, cast

from pydantic import PrivateAttr

from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.prompts import escape_delimiters
from finetrieve.generation.recipes.base import ChunkResult
from finetrieve.generation.recipes.few_shot_settings import EXAMPLE_SEPARATOR, SHOWN, FewShotSettings
from finetrieve.generation.recipes.llm_step import empty_result
from finetrieve.generation.recipes.prompt_requests import Draft, PromptRequests
from finetrieve.generation.recipes.prompt_step import PromptStep
from finetrieve.generation.recipes.query_pool import Examples, QueryPool, draw_rounds


class FewShotRequests(PromptRequests):
    """The requests, which show queries of the user's own and, once there are any, queries that the recipe wrote."""

    def __init__(self, recipe: FewShotSettings) -> None:
        super().__init__(recipe.as_prompt())
        self._generated = recipe.shown_generated
        self.examples = Examples()

    def drafts(self, chunk: ChunkContext, seed: int) -> list[Draft]:
        """Returns the drafts of a chunk, each with its examples."""
        drafts = super().drafts(chunk, seed)
        for number, draft in enumerate(drafts):
            drawn = self.examples.draw(self._generated, f"{seed}\x1f{self.recipe.label}\x1f{chunk.id}\x1f{number}")
            draft.attributes[SHOWN] = EXAMPLE_SEPARATOR.join([draft.attributes[SHOWN], *map(escape_delimiters, drawn)])
        return drafts


class FewShotStep(PromptStep):
    """Asks for queries like the user's own, and keeps those that are not too near another."""

    _pool: QueryPool = PrivateAttr()

    def open(self) -> None:
        """Fills the pool with the user's queries."""
        super().open()
        recipe = cast(FewShotSettings, self.recipe)
        self._writer = FewShotRequests(recipe)
        self._pool = QueryPool(recipe.own_queries)

    def results(self, chunks: Iterator[ChunkContext]) -> Iterator[ChunkResult]:
        """Yields the results; with generated examples in rounds, each of which shows what those before it wrote (Self-Instruct).

        What a round shows rests on whole rounds alone: where one was cut off, the others are not asked for, so that the next run,
        which has the missing answers, writes the prompts that this one would have written.
        """
        recipe = cast(FewShotSettings, self.recipe)
        if not recipe.shown_generated:
            return super().results(chunks)
        corpus, kept = list(chunks), list[str]()
        results: list[ChunkResult] = [empty_result() for _ in corpus]
        for places in draw_rounds([chunk.id for chunk in corpus], f"{self.seed}\x1f{recipe.label}"):
            if any(result["unasked"] for result in results):
                for place in places:
                    results[place]["unasked"] = recipe.queries_per_chunk
                continue
            for place, result in zip(places, super().results(corpus[place] for place in places), strict=True):
                results[place] = result
                kept += [row["query"] for row in result["queries"]]
            cast(FewShotRequests, self._writer).examples = Examples(kept)
        return iter(results)

    def select(self, rows: list[dict[str, Any]], result: ChunkResult) -> list[dict[str, Any]]:
        """Returns the rows whose query is not too near one of the pool, which it joins."""
        limit = cast(FewShotSettings, self.recipe).max_rouge
        kept = []
        for row in rows:
            if (near := self._pool.nearest(row["query"], limit)) is not None:
                reason = f"ROUGE-L {near[1]:.2f} to '{near[0]}', less than {limit:g} wanted"
                result["rejects"].append([row["query"], reason])
            else:
                self._pool.add(row["query"])
                kept.append(row)
        return kept

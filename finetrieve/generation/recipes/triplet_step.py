"""Recipe `triplet` as a distilabel task: GenerateSentencePair over chunks, in drawn styles, with the response cache."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

from collections.abc import Iterator
from typing import Any, cast

from distilabel.steps.tasks import GenerateSentencePair
from pydantic import PrivateAttr

from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.llm.distilabel_llm import ProviderLLM
from finetrieve.generation.llm.request import Outcome, Request
from finetrieve.generation.llm.request_scheduler import RequestScheduler
from finetrieve.generation.parse_response import ParsedQuery
from finetrieve.generation.query_styles import QueryStyle
from finetrieve.generation.recipes.base import ChunkResult, RunResources
from finetrieve.generation.recipes.chunk_step import ChunkStep
from finetrieve.generation.recipes.llm_step import build_llm_step, note_unanswered, open_scheduler
from finetrieve.generation.recipes.query_judge import QueryJudge
from finetrieve.generation.recipes.triplet_prompts import PromptWriter
from finetrieve.generation.recipes.triplet_settings import TripletSettings


class TripletStep(ChunkStep, GenerateSentencePair):
    """Asks an LLM for the queries of each chunk: one request per query, each in a style of its own."""

    _scheduler: RequestScheduler = PrivateAttr()
    _writer: PromptWriter = PrivateAttr()

    def open(self) -> None:
        """Opens the response cache and makes what writes and sends requests."""
        recipe = cast(TripletSettings, self.recipe)
        self._writer = PromptWriter(recipe, super().format_input)
        self._scheduler = open_scheduler(self, cast(ProviderLLM, self.llm))

    def results(self, chunks: Iterator[ChunkContext]) -> Iterator[ChunkResult]:
        """Yields the results, where the recipe has a judge with what passes it; a query that fails has its failure there."""
        recipe = cast(TripletSettings, self.recipe)
        if recipe.judge is None:
            return self._asked(chunks)
        corpus = list(chunks)
        return iter(QueryJudge(recipe, recipe.judge).judge(self._scheduler, corpus, list(self._asked(iter(corpus)))))

    def _asked(self, chunks: Iterator[ChunkContext]) -> Iterator[ChunkResult]:
        drawn: list[list[tuple[QueryStyle, bool]]] = []
        outcomes = iter(self._scheduler.send(self._requests(chunks, drawn)))
        for queries in drawn:
            yield _result([(style, shortened, next(outcomes)) for style, shortened in queries])

    def _requests(self, chunks: Iterator[ChunkContext], drawn: list[list[tuple[QueryStyle, bool]]]) -> Iterator[Request]:
        """Yields the requests, written when they are wanted, and notes style and shortening of each chunk's queries."""
        for chunk in chunks:
            drafts = self._writer.drafts(chunk, self.seed)
            drawn.append([(draft.style, draft.shortened) for draft in drafts])
            yield from (draft.request for draft in drafts)


def _result(outcomes: list[tuple[QueryStyle, bool, Outcome]]) -> ChunkResult:
    """Returns a chunk's result; of each query the style, whether the chunk was shortened before, and what became of it."""
    result: ChunkResult = {"queries": [], "failures": [], "unasked": 0}
    for style, shortened, outcome in outcomes:
        if outcome.parsed is not None:
            result["queries"].append(_query_row(outcome.parsed, style, outcome.shortened or shortened))
        else:
            note_unanswered(outcome, result)
    return result


def _query_row(parsed: ParsedQuery, style: QueryStyle, shortened: bool) -> dict[str, Any]:
    return {
        "query": parsed.query,
        "negative": parsed.negative,
        "style": style.style,
        "persona": style.persona,
        "shortened": shortened,
    }


def build_step(recipe: TripletSettings, seed: int, resources: RunResources) -> TripletStep:
    """Returns the step of a recipe."""
    return build_llm_step(
        TripletStep,
        recipe,
        seed,
        resources,
        triplet=recipe.negative,
        action="query",
        hard_negative=recipe.hard_negative,
        context=recipe.context,
    )

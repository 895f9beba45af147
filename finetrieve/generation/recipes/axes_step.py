"""Recipe `axes` as a distilabel task: questions with their passages, judged, and asked for anew where the judge dropped one."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from distilabel.steps.tasks import TextGeneration
from pydantic import PrivateAttr

from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.llm.distilabel_llm import ProviderLLM
from finetrieve.generation.llm.request_scheduler import RequestScheduler
from finetrieve.generation.recipes.axes_requests import AxesDraft, axes_request, judge_request, plan_drafts
from finetrieve.generation.recipes.axes_settings import AxesSettings
from finetrieve.generation.recipes.base import ChunkResult, RunResources
from finetrieve.generation.recipes.chunk_step import ChunkStep
from finetrieve.generation.recipes.corpus_step import ALL_CHUNKS, empty_results
from finetrieve.generation.recipes.llm_step import build_llm_step, is_answered, open_scheduler


class AxesStep(ChunkStep, TextGeneration):
    """Asks an LLM for the questions of each document."""

    _scheduler: RequestScheduler = PrivateAttr()

    def open(self) -> None:
        """Opens the response cache and makes what sends requests."""
        self._scheduler = open_scheduler(self, cast(ProviderLLM, self.llm))

    def results(self, chunks: Iterator[ChunkContext]) -> Iterable[ChunkResult]:
        """Yields the results; a question stands with the first passage that it needs."""
        recipe, corpus = cast(AxesSettings, self.recipe), list(chunks)
        results = empty_results(corpus)
        drafts = plan_drafts(recipe, corpus, self.seed)
        for _ in range(1 + recipe.replacements):
            if not drafts:
                break
            drafts = self._ask(recipe, drafts, corpus, results)
        return results

    def _ask(
        self,
        recipe: AxesSettings,
        drafts: Sequence[AxesDraft],
        corpus: Sequence[ChunkContext],
        results: Sequence[ChunkResult],
    ) -> list[AxesDraft]:
        """Returns drafts in place of those that the judge dropped; what became of the others is in the results."""
        judged = []
        for draft, outcome in zip(
            drafts, self._scheduler.send(axes_request(recipe, draft, corpus) for draft in drafts), strict=True
        ):
            if is_answered(outcome, results[draft.window[0]]):
                draft.question = outcome.parsed["question"]
                draft.support = tuple(draft.window[place] for place in outcome.parsed["support"])
                draft.shortened |= outcome.shortened
                judged.append(draft)
        anew = []
        outcomes = self._scheduler.send(judge_request(recipe, draft, corpus) for draft in judged)
        for draft, outcome in zip(judged, outcomes, strict=True):
            result = results[draft.support[0]]
            if not is_answered(outcome, result):
                continue
            if (score := outcome.parsed["score"]) >= recipe.threshold:
                result["queries"].append(
                    {
                        "query": draft.question,
                        "style": draft.style,
                        "further": list(draft.support[1:]),
                        "shortened": draft.shortened,
                    }
                )
                continue
            result["rejects"].append([draft.question, f"the judge gave {score:g}, at least {recipe.threshold:g} wanted"])
            again = draft.again + 1
            anew.append(AxesDraft(draft.window, draft.query_type, draft.reasoning_type, draft.hops, again, about=draft.about))
        return anew


def build_step(recipe: AxesSettings, seed: int, resources: RunResources) -> AxesStep:
    """Returns the step of a recipe."""
    return build_llm_step(AxesStep, recipe, seed, resources, ALL_CHUNKS)

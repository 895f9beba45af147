"""Recipe `prompt` as a distilabel task: TextGeneration over chunks, stage after stage, with the response cache."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

from collections.abc import Iterator
from typing import Any, Protocol, cast

from distilabel.steps.tasks import TextGeneration
from pydantic import PrivateAttr

from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.llm.distilabel_llm import ProviderLLM
from finetrieve.generation.llm.request_scheduler import Outcome, RequestScheduler
from finetrieve.generation.recipes.base import ChunkResult, RunResources
from finetrieve.generation.recipes.chunk_step import ChunkStep
from finetrieve.generation.recipes.llm_recipe import LlmRecipe
from finetrieve.generation.recipes.llm_step import build_llm_step, empty_result, note_unanswered, open_scheduler
from finetrieve.generation.recipes.prompt import PromptRecipe
from finetrieve.generation.recipes.prompt_requests import Draft, PromptRequests


class AsPrompt(Protocol):
    """A recipe that asks as recipe `prompt` does."""

    def as_prompt(self) -> PromptRecipe:
        """Returns the recipe that asks."""
        ...


class PromptStep(ChunkStep, TextGeneration):
    """Asks an LLM for each combination of attributes, and again for each stage that follows."""

    _scheduler: RequestScheduler = PrivateAttr()
    _writer: PromptRequests = PrivateAttr()

    def open(self) -> None:
        """Opens the response cache and makes what writes and sends requests."""
        self._writer = PromptRequests(cast(AsPrompt, self.recipe).as_prompt())
        self._scheduler = open_scheduler(self, cast(ProviderLLM, self.llm))

    def results(self, chunks: Iterator[ChunkContext]) -> Iterator[ChunkResult]:
        """Yields the results; a draft that fails has its failure there, and the others go on."""
        drafts = [self._writer.drafts(chunk, self.seed) for chunk in chunks]
        results: list[ChunkResult] = [empty_result() for _ in drafts]
        flat = [(draft, result) for own, result in zip(drafts, results, strict=True) for draft in own]
        stages = len(self._writer.recipe.stages)
        for stage in range(stages):
            live = [(draft, result) for draft, result in flat if not draft.ended and self._is_wanted(draft, stage)]
            outcomes = self._scheduler.send(self._writer.request(draft, stage) for draft, _ in live)
            for (draft, result), outcome in zip(live, outcomes, strict=True):
                self._take(draft, result, outcome, stage)
        for draft, result in flat:
            if not draft.ended:
                self._keep(draft, result)
        return iter(results)

    def _take(self, draft: Draft, result: ChunkResult, outcome: Outcome, stage: int) -> None:
        """Takes what became of a stage's request into the draft, or into the result what ends it."""
        if outcome.parsed is None:
            draft.ended = "failed" if outcome.failure else "unasked"
            note_unanswered(outcome, result)
            return
        draft.fields |= outcome.parsed
        draft.shortened |= outcome.shortened
        for name, limit in self._writer.recipe.stages[stage].at_least.items():
            score = draft.fields.get(name, float("-inf"))  # a schema may leave it out
            if not draft.ended and score < limit:
                draft.ended = "dropped"
                result["answered"] += 1
                result["rejects"].append([self._summary(draft), f"{name} {score:g}, at least {limit:g} wanted"])

    def _is_wanted(self, draft: Draft, stage: int) -> bool:
        """Whether a stage is asked for: where it has conditions, only if one of them holds."""
        limits = self._writer.recipe.stages[stage].if_below
        return not limits or any(draft.fields.get(name, limit) < limit for name, limit in limits.items())

    def select(self, rows: list[dict[str, Any]], result: ChunkResult) -> list[dict[str, Any]]:  # noqa: ARG002
        """Returns the rows of a draft that are kept; what is not is a reject of the result."""
        return rows

    def _summary(self, draft: Draft) -> str:
        """Returns what a dropped draft would have been, as a reject shows it."""
        rows = self._writer.forms.rows(draft.shown, draft.attributes, draft.fields)
        row = rows[0] if rows else {}
        return str(row.get("query", next(iter(row.values()), "")))

    def _keep(self, draft: Draft, result: ChunkResult) -> None:
        result["answered"] += 1
        rows = self.select(self._writer.rows(draft, draft.fields), result)
        if self._writer.recipe.writes_queries:
            result["queries"] += [{**row, "shortened": draft.shortened} for row in rows]
        else:
            result["rows"] += [{"columns": row, "attributes": draft.attributes} for row in rows]


def build_step(recipe: LlmRecipe, seed: int, resources: RunResources, step: type[PromptStep] = PromptStep) -> PromptStep:
    """Returns the step of a recipe, of this class or a subclass."""
    return build_llm_step(step, recipe, seed, resources)

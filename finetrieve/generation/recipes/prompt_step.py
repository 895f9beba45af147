"""Recipe `prompt` as a distilabel task: TextGeneration over chunks, stage after stage, with the response cache."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

from collections.abc import Iterator
from typing import Any, ClassVar, Protocol, cast

from distilabel.steps.tasks import TextGeneration
from pydantic import PrivateAttr

from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.llm.distilabel_llm import ProviderLLM
from finetrieve.generation.llm.request_scheduler import RequestScheduler
from finetrieve.generation.recipes.base import ChunkResult, RunResources
from finetrieve.generation.recipes.chunk_step import ChunkStep
from finetrieve.generation.recipes.llm_recipe import LlmRecipe
from finetrieve.generation.recipes.llm_step import build_llm_step, empty_result, open_scheduler
from finetrieve.generation.recipes.prompt_requests import Draft, PromptRequests
from finetrieve.generation.recipes.prompt_settings import PromptSettings
from finetrieve.generation.recipes.stage_runner import StageRunner


class AsPrompt(Protocol):
    """A recipe that asks as recipe `prompt` does."""

    def as_prompt(self) -> PromptSettings:
        """Returns the recipe that asks."""
        ...


class PromptStep(ChunkStep, TextGeneration):
    """Asks an LLM for each combination of attributes, and again for each stage that follows."""

    optional_stages: ClassVar[frozenset[int]] = frozenset()
    """Stages without which a draft is kept all the same."""

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
        for own, result in zip(drafts, results, strict=True):
            if not own:
                result["rejects"].append(["", "the chunk has no word of its own to start a query from"])
        StageRunner(self._writer, self._scheduler, self.optional_stages).run(flat)
        for draft, result in flat:
            if not draft.ended:
                self._keep(draft, result)
        return iter(results)

    def select(self, rows: list[dict[str, Any]], result: ChunkResult) -> list[dict[str, Any]]:  # noqa: ARG002
        """Returns the rows of a draft that are kept; what is not is a reject of the result."""
        return rows

    def _keep(self, draft: Draft, result: ChunkResult) -> None:
        result["answered"] += 1
        rows = self.select(self._writer.rows(draft, draft.fields), result)
        if (pairs := self._writer.recipe.pairs) is not None and not rows:
            _, best = self._writer.forms.ranked(draft.fields)[0]
            result["rejects"].append([best, f"no other of '{pairs.of}' is worse by {pairs.least_margin:g}"])
        if self._writer.recipe.writes_queries:
            result["queries"] += [{**row, "shortened": draft.shortened} for row in rows]
        else:
            result["rows"] += [{"columns": row, "attributes": draft.attributes} for row in rows]


def build_step(
    recipe: LlmRecipe,
    seed: int,
    resources: RunResources,
    step: type[PromptStep] = PromptStep,
    chunks_at_once: int | None = None,
) -> PromptStep:
    """Returns the step of a recipe, of this class or a subclass; the arguments are those of `build_llm_step`."""
    return build_llm_step(step, recipe, seed, resources, chunks_at_once)

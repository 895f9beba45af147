"""What the distilabel steps of recipes that ask an LLM share: the LLM, what sends its requests, and how much is asked at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar, cast

from finetrieve.generation.budget import Budget
from finetrieve.generation.llm.batches import BatchExchange
from finetrieve.generation.llm.distilabel_llm import ProviderLLM, build_llm
from finetrieve.generation.llm.request import Outcome
from finetrieve.generation.llm.request_scheduler import RequestScheduler
from finetrieve.generation.recipes.base import ChunkResult, RunResources
from finetrieve.generation.recipes.chunk_step import ChunkStep, open_responses
from finetrieve.generation.recipes.llm_recipe import LlmRecipe

LlmStep = TypeVar("LlmStep", bound=ChunkStep)

_WINDOWS_PER_BATCH = 100
"""A batch ends when its slowest request does: at so many windows of requests the wait weighs little."""
_SMALLEST_BATCH = 4096
_ALL_AT_ONCE = 10_000_000
"""What is handed over and not waited for has to be all there is."""


def chunks_per_batch(recipe: LlmRecipe) -> int:
    """Returns how many chunks are asked about at once."""
    if recipe.batch is not None:
        return _ALL_AT_ONCE
    return max(1, max(_SMALLEST_BATCH, _WINDOWS_PER_BATCH * recipe.concurrency) // recipe.requests_per_chunk)


def open_scheduler(step: ChunkStep, llm: ProviderLLM) -> RequestScheduler:
    """Returns what sends the requests of a step, in the process that runs it.

    Raises:
        InputError: The response cache cannot be used.
    """
    responses = open_responses(step.run_resources.responses)
    budget = Budget.model_validate(step.run_resources.budget)
    recipe = cast(LlmRecipe, step.recipe)
    directory = Path(step.run_resources.responses)
    batches = BatchExchange(llm, recipe, responses, step._run_state, budget, directory) if recipe.batch is not None else None
    return RequestScheduler(llm, recipe, responses, step._run_state, budget, batches)


def build_llm_step(
    kind: type[LlmStep], recipe: LlmRecipe, seed: int, resources: RunResources, chunks_at_once: int | None = None, **own: Any
) -> LlmStep:
    """Returns the distilabel step of a recipe.

    Args:
        kind: The class of the step.
        recipe: Its settings.
        seed: Draws what is asked.
        resources: Where the chunks, the answers and the budget are.
        chunks_at_once: None: `chunks_per_batch`.
        own: What the class takes besides; without it, a column `instruction`.
    """
    return kind(
        name=recipe.label,
        recipe=recipe,
        seed=seed,
        run_resources=resources,
        llm=build_llm(recipe, resources.key_envs.get(recipe.label)),
        input_batch_size=chunks_at_once or chunks_per_batch(recipe),
        add_raw_output=False,
        add_raw_input=False,
        **(own or {"columns": ["instruction"]}),
    )


def empty_result() -> ChunkResult:
    """Returns the result of a chunk with nothing in it."""
    return {"queries": [], "rows": [], "rejects": [], "failures": [], "unasked": 0, "answered": 0}


def is_answered(outcome: Outcome, result: ChunkResult) -> bool:
    """Whether a request has an answer; what became of it is counted in the result."""
    if outcome.parsed is None:
        note_unanswered(outcome, result)
        return False
    result["answered"] += 1
    return True


def note_unanswered(outcome: Outcome, result: ChunkResult) -> None:
    """Counts in the result a request that failed or was not sent."""
    if outcome.failure:
        result["failures"].append([outcome.raw, outcome.failure, outcome.reason])
    else:
        result["unasked"] += 1

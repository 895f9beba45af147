"""The dry run of a generation: sample prompts, counts, tokens and money; sends nothing."""

from __future__ import annotations

from finetrieve.core.rows import Chunk
from finetrieve.generation.budget import Budget
from finetrieve.generation.chunk_context import build_contexts
from finetrieve.generation.corpus_facts import find_facts
from finetrieve.generation.generation_state import response_cache_directory
from finetrieve.generation.recipes.base import Estimate, Recipe
from finetrieve.generation.settings import GenerationSettings


def dry_run(chunks: list[Chunk], settings: GenerationSettings, seed: int) -> str:
    """Returns the text of a dry run.

    Raises:
        InputError: The response cache or a template cannot be used, or the corpus has too few chunks for its topics.
    """
    contexts = list(build_contexts(chunks, find_facts(chunks, settings, seed)))
    responses = response_cache_directory(settings)
    estimates = {recipe.row_label: recipe.estimate(contexts, seed, responses) for recipe in settings.recipes}
    return "\n\n".join(
        [
            f"Dry run: {len(contexts):,} {'chunk' if len(contexts) == 1 else 'chunks'}; nothing is asked, nothing is written.",
            *(_recipe_text(recipe, estimates[recipe.row_label]) for recipe in settings.recipes),
            *beyond_budget(settings.budget, list(estimates.values())),
        ]
    )


def _recipe_text(recipe: Recipe, estimate: Estimate) -> str:
    if not recipe.asks_llm:
        return f"Recipe '{recipe.row_label}': written by rules; no requests, no cost."
    address = getattr(recipe, "base_url", None)
    return estimate_text(f"Recipe '{recipe.row_label}'", recipe.generator, address, estimate)


def estimate_text(who: str, model: str, address: str | None, estimate: Estimate) -> str:
    """Returns the lines about what `who` would ask an LLM for."""
    return "\n".join(
        [
            f"{who}: {model}" + (f" at {address}" if address else ""),
            f"  queries: {estimate.queries:,}, of which the cache answers {estimate.cached:,}",
            f"  tokens: about {estimate.input_tokens:,} to read and {estimate.output_tokens:,} to write",
            f"  cost: about {estimate.money:,.4f}" if estimate.money is not None else "  cost: unknown; give a price",
            *estimate.details,
        ]
    )


def beyond_budget(budget: Budget, estimates: list[Estimate]) -> list[str]:
    """Returns a line when the estimates go beyond the budget."""
    amounts = (
        ("requests", sum(estimate.queries - estimate.cached for estimate in estimates), budget.requests),
        ("tokens", sum(estimate.input_tokens + estimate.output_tokens for estimate in estimates), budget.tokens),
        ("money", sum(estimate.money or 0.0 for estimate in estimates), budget.money),
    )
    over = [f"{name} {amount:,.4g} of {limit:,.4g}" for name, amount, limit in amounts if limit is not None and amount > limit]
    return [f"Beyond the budget: {', '.join(over)}."] if over else []

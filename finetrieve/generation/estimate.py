"""What a generation would ask and cost: sample prompts, counts, tokens and money; calls nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from finetrieve.core.rows import Chunk
from finetrieve.generation.chunk_context import Passage, passages
from finetrieve.generation.llm.request_scheduler import CHARACTERS_PER_TOKEN, EXPECTED_ANSWER_TOKENS
from finetrieve.generation.llm.response_cache import AnswerCache, answers_directory
from finetrieve.generation.recipes.llm_triplets import Draft, prompt_writer
from finetrieve.generation.settings import Budget, GenerationSettings, TripletRecipe

SAMPLES = 2


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one recipe would ask."""

    queries: int
    cached: int
    input_tokens: int
    """Of the requests that the cache does not answer; about four characters each."""
    output_tokens: int
    money: float | None
    """None without a price."""


def dry_run(chunks: list[Chunk], settings: GenerationSettings, seed: int) -> str:
    """Returns the text of a dry run.

    Raises:
        InputError: The answer cache or a template cannot be used.
    """
    rows = list(passages(chunks))
    blocks = [f"Dry run: {len(rows):,} chunks; nothing is asked, nothing is written."]
    estimates: list[Estimate] = []
    for recipe in settings.recipes:
        if isinstance(recipe, TripletRecipe):
            drafts = _drafts(recipe, rows, seed)
            estimate = _estimate(recipe, drafts, settings)
            estimates.append(estimate)
            blocks.append(_recipe_text(recipe, drafts, estimate))
        else:
            blocks.append(f"Recipe '{recipe.name}': written by rules; no requests, no cost.")
    blocks += _against(settings.budget, estimates)
    return "\n\n".join(blocks)


def _drafts(recipe: TripletRecipe, rows: list[Passage], seed: int) -> list[Draft]:
    writer = prompt_writer(recipe)
    return [draft for row in rows for draft in writer.drafts(row, seed)]


def _estimate(recipe: TripletRecipe, drafts: list[Draft], settings: GenerationSettings) -> Estimate:
    directory = answers_directory(settings)
    cached: set[bytes] = set()
    if directory.exists():
        cache = AnswerCache(directory)
        cached = cache.peek([draft.request.key for draft in drafts])
        cache.close()
    new = {draft.request.key: draft for draft in drafts if draft.request.key not in cached}
    characters = sum(len(message["content"]) for draft in new.values() for message in draft.request.messages)
    read, written = round(characters / CHARACTERS_PER_TOKEN), len(new) * EXPECTED_ANSWER_TOKENS
    price = recipe.price
    money = (read * price.input + written * price.output) / 1e6 if price else None
    return Estimate(len(drafts), len(drafts) - len(new), read, written, money)


def _recipe_text(recipe: TripletRecipe, drafts: list[Draft], estimate: Estimate) -> str:
    styles = Counter(draft.voice.style for draft in drafts)
    personas = Counter(draft.voice.persona for draft in drafts if draft.voice.persona)
    shortened = sum(draft.shortened for draft in drafts)
    lines = [
        f"Recipe '{recipe.label}': {recipe.provider}/{recipe.model}" + (f" at {recipe.base_url}" if recipe.base_url else ""),
        f"  queries: {estimate.queries:,}, of which the cache answers {estimate.cached:,}",
        f"  tokens: about {estimate.input_tokens:,} to read and {estimate.output_tokens:,} to write",
        f"  cost: about {estimate.money:,.4f}" if estimate.money is not None else "  cost: unknown; give the recipe a price",
        f"  styles: {_shares(styles)}",
        *([f"  personas: {_shares(personas)}"] if personas else []),
        *([f"  shortened chunks: {shortened:,}"] if shortened else []),
    ]
    samples = drafts[:: max(1, len(drafts) // SAMPLES)][:SAMPLES]
    return "\n".join([*lines, *(_sample(draft) for draft in samples)])


def _shares(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.most_common())


def _sample(draft: Draft) -> str:
    said = "\n".join(f"[{message['role']}]\n{message['content']}" for message in draft.request.messages)
    indented = "\n".join(f"    {line}" if line else "" for line in said.splitlines())
    return f"\n  A prompt, for chunk {draft.passage.id}:\n{indented}"


def _against(budget: Budget, estimates: list[Estimate]) -> list[str]:
    """Returns a line when the estimate goes beyond the budget."""
    asked = sum(estimate.queries - estimate.cached for estimate in estimates)
    tokens = sum(estimate.input_tokens + estimate.output_tokens for estimate in estimates)
    money = sum(estimate.money or 0.0 for estimate in estimates)
    over = [
        f"{name} {amount:,.4g} of {limit:,.4g}"
        for name, amount, limit in (
            ("requests", asked, budget.requests),
            ("tokens", tokens, budget.tokens),
            ("money", money, budget.money),
        )
        if limit is not None and amount > limit
    ]
    return [f"Beyond the budget: {', '.join(over)}."] if over else []

"""The requests of a recipe that asks an LLM: what fits its window, under which key the answer is kept, and what they cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from finetrieve.core.errors import InputError
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.llm.batches import BATCH_PRICE
from finetrieve.generation.llm.llm_settings import LlmSettings
from finetrieve.generation.llm.providers.base import Messages
from finetrieve.generation.llm.request import CHARACTERS_PER_TOKEN, EXPECTED_ANSWER_TOKENS, Request
from finetrieve.generation.llm.response_cache import ResponseCache, request_key
from finetrieve.generation.prompts import escape_delimiters
from finetrieve.generation.recipes.base import Estimate
from finetrieve.generation.recipes.llm_recipe import LlmRecipe

SHORTEST_CHUNK = 200
"""Characters: of less no query can be written that the whole chunk answers."""
SAMPLES = 2


def make_request(
    recipe: LlmSettings,
    text: str,
    messages: Callable[[str], Messages],
    schema: dict[str, Any] | None,
    parse: Callable[[str], Any],
    again: int,
    note: str = "",
) -> tuple[Request, bool]:
    """Returns a request, and whether it has only the beginning of the chunk's text.

    Args:
        recipe: Whom to ask.
        text: The chunk's.
        messages: Text -> the messages that show it.
        schema: The JSON schema of the response; None: text.
        parse: As `Request` has it.
        again: How often the same messages were asked for before: each time is an answer of its own.
        note: Ends the last message.

    Raises:
        InputError: The recipe's window leaves no room for the chunk.
    """

    def noted(shown: str) -> Messages:
        *before, last = messages(shown)
        return [*before, {**last, "content": f"{last['content']}\n\n{note}"}] if note else [*before, last]

    def shortened(share: float) -> Messages:
        return noted(text if share >= 1.0 else _beginning_of(text, int(len(text) * share)))

    share = _share_that_fits(recipe, text, noted)
    asked = shortened(share)
    key = request_key(
        {
            "provider": recipe.provider,
            "base_url": recipe.base_url,
            "model": recipe.model,
            "sampling": recipe.sampling.model_dump(exclude_none=True),
            "schema": schema,
            "messages": asked,
            "again": again,
        }
    )
    return Request(key, asked, parse, lambda part: shortened(share * part), schema), share < 1.0


def topic_note(recipe: LlmRecipe, chunks: Iterable[ChunkContext]) -> str:
    """Returns what a prompt about some chunks says of their topics; nothing where the recipe does not ask for it."""
    topics = dict.fromkeys(escape_delimiters(chunk.topic) for chunk in chunks if chunk.topic) if recipe.topic else {}
    if not topics:
        return ""
    return f"Topic, of those of the documents: {'; '.join(topics)}. What you write is about what is said of it here."


def _share_that_fits(recipe: LlmSettings, text: str, messages: Callable[[str], Messages]) -> float:
    """Returns how much of the chunk the model's window takes, when the configuration names a window."""
    window = recipe.window
    if window is None:
        return 1.0
    whole = sum(len(message["content"]) for message in messages(text))
    answer = recipe.sampling.max_tokens or 2 * EXPECTED_ANSWER_TOKENS
    excess = whole - (window - answer) * CHARACTERS_PER_TOKEN
    share = 1.0 - excess / max(len(text), 1)
    if excess > 0 and share * len(text) < min(SHORTEST_CHUNK, len(text) / 2):
        needed = (whole - len(text) + SHORTEST_CHUNK) / CHARACTERS_PER_TOKEN + answer
        raise InputError(
            f"{recipe.asked_by} '{recipe.label}': a window of {window:,} tokens leaves no room for the chunk; what is said "
            f"around it and the answer need about {needed:,.0f}. Raise context_window, or lower sampling.max_tokens."
        )
    return min(1.0, share)


def _beginning_of(text: str, characters: int) -> str:
    """Returns the start of a text, up to the end of a word."""
    start = text[: max(1, characters)]
    return start.rsplit(None, 1)[0] if len(start.split()) > 1 and not text[len(start) : len(start) + 1].isspace() else start


def estimate_requests(recipe: LlmSettings, requests: Sequence[Request], responses: Path, details: list[str]) -> Estimate:
    """Returns what sending the requests would cost.

    Args:
        recipe: Whom they ask.
        requests: All of them, those that the cache answers as well.
        responses: Directory of the response cache; it is not made.
        details: Further lines for people.

    Raises:
        InputError: The response cache cannot be used.
    """
    cached: set[bytes] = set()
    if responses.exists():
        cache = ResponseCache(responses)
        cached = cache.peek([request.key for request in requests])
        cache.close()
    new = {request.key: request for request in requests if request.key not in cached}
    characters = sum(len(message["content"]) for request in new.values() for message in request.messages)
    read, written = round(characters / CHARACTERS_PER_TOKEN), len(new) * EXPECTED_ANSWER_TOKENS
    money = recipe.cost(read, written)
    if money is not None and recipe.batch is not None:
        money *= BATCH_PRICE
    return Estimate(len(requests), len(requests) - len(new), read, written, money, details)


def counts_text(counts: Counter[str]) -> str:
    """Returns names with their counts, the most frequent first, as a line of a dry run has them."""
    return ", ".join(f"{name} {number:,}" for name, number in counts.most_common())


def sample_prompts(prompts: Sequence[tuple[str, Messages]]) -> list[str]:
    """Returns a few prompts, of (chunk id, messages), as a dry run shows them."""
    return [_sample(*prompt) for prompt in prompts[:: max(1, len(prompts) // SAMPLES)][:SAMPLES]]


def _sample(chunk_id: str, messages: Messages) -> str:
    prompt = "\n".join(f"[{message['role']}]\n{message['content']}" for message in messages)
    indented = "\n".join(f"    {line}" if line else "" for line in prompt.splitlines())
    return f"\n  A prompt, for chunk {chunk_id}:\n{indented}"

"""The prompts of recipe `triplet`, and an estimate of what they cost."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from distilabel.steps.tasks import GenerateSentencePair, sentence_transformers
from jinja2 import Template

from finetrieve.core.errors import InputError
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.llm.providers.base import Messages
from finetrieve.generation.llm.request_scheduler import CHARACTERS_PER_TOKEN, EXPECTED_ANSWER_TOKENS, Request
from finetrieve.generation.llm.response_cache import ResponseCache, request_key
from finetrieve.generation.parse_response import parse_response, response_schema
from finetrieve.generation.prompts import PromptInput, UserTemplate, delimit_chunk, style_instruction, system_addition
from finetrieve.generation.query_styles import PERSONAS, STYLES, QueryStyle, WeightedNames, draw_styles
from finetrieve.generation.recipes.base import Estimate
from finetrieve.generation.recipes.triplet import StyleChoice, TripletRecipe

SHORTEST_CHUNK = 200
"""Characters: of less no query can be written that the whole chunk answers."""
SAMPLES = 2


@dataclass(frozen=True, slots=True)
class Draft:
    """One query to be asked for, with the style it was drawn and the chunk it is about."""

    request: Request
    style: QueryStyle
    chunk: ChunkContext
    shortened: bool
    """The request has only the beginning of the chunk."""


class PromptWriter:
    """Writes the requests of a recipe; the same for the same chunk and seed, whatever else is in the corpus."""

    def __init__(self, recipe: TripletRecipe, format_input: Any) -> None:
        self._recipe, self._format = recipe, format_input
        self._template = UserTemplate(Path(recipe.template)) if recipe.template else None
        self._styles = _with_instructions(recipe.styles, STYLES)
        self._personas = _with_instructions(recipe.personas, PERSONAS)

    def drafts(self, chunk: ChunkContext, seed: int) -> list[Draft]:
        """Returns the drafts of a chunk, one per query."""
        count = self._recipe.queries_per_chunk
        styles = draw_styles(self._styles, self._personas, count, seed, f"{self._recipe.label}\x1f{chunk.id}")
        seen: dict[tuple[str, str], int] = {}
        drafts = []
        for style in styles:
            again = seen[style.style, style.persona] = seen.get((style.style, style.persona), -1) + 1
            drafts.append(self._draft(chunk, style, again))
        return drafts

    def _draft(self, chunk: ChunkContext, style: QueryStyle, again: int) -> Draft:
        share = self._share_that_fits(chunk, style)
        messages = self._messages(chunk, style, share)
        recipe = self._recipe
        key = request_key(
            {
                "provider": recipe.provider,
                "base_url": recipe.base_url,
                "model": recipe.model,
                "sampling": recipe.sampling.model_dump(exclude_none=True),
                "schema": response_schema(recipe.negative) if recipe.structured else None,
                "messages": messages,
                "again": again,
            }
        )
        request = Request(
            key,
            messages,
            lambda text: parse_response(text, recipe.negative, chunk.text),
            lambda part: self._messages(chunk, style, share * part),
        )
        return Draft(request, style, chunk, share < 1.0)

    def _share_that_fits(self, chunk: ChunkContext, style: QueryStyle) -> float:
        """Returns how much of the chunk the model's window takes, when the configuration names a window."""
        window = self._recipe.window
        if window is None:
            return 1.0
        whole = sum(len(message["content"]) for message in self._messages(chunk, style, 1.0))
        answer = self._recipe.sampling.max_tokens or 2 * EXPECTED_ANSWER_TOKENS
        excess = whole - (window - answer) * CHARACTERS_PER_TOKEN
        share = 1.0 - excess / max(len(chunk.text), 1)
        if excess > 0 and share * len(chunk.text) < min(SHORTEST_CHUNK, len(chunk.text) / 2):
            needed = (whole - len(chunk.text) + SHORTEST_CHUNK) / CHARACTERS_PER_TOKEN + answer
            raise InputError(
                f"Recipe '{self._recipe.label}': a window of {window:,} tokens leaves no room for the chunk; what is said around "
                f"it and the answer need about {needed:,.0f}. Raise context_window, or lower sampling.max_tokens."
            )
        return min(1.0, share)

    def _messages(self, chunk: ChunkContext, style: QueryStyle, share: float) -> Messages:
        text = chunk.text if share >= 1.0 else _beginning_of(chunk.text, int(len(chunk.text) * share))
        shown = PromptInput(text, chunk.title, chunk.section)
        system, user = self._format({"anchor": delimit_chunk(shown)})
        system_text = f"{system['content']} {system_addition(self._recipe.negative, self._recipe.structured)}"
        if self._template is not None:
            user_text = self._template.render(shown, self._recipe.context, style)
        else:
            user_text = f"{user['content'].strip()}\n\n{style_instruction(style)}"
        return [{"role": "system", "content": system_text}, {"role": "user", "content": user_text}]


def _beginning_of(text: str, characters: int) -> str:
    """Returns the start of a text, up to the end of a word."""
    start = text[: max(1, characters)]
    return start.rsplit(None, 1)[0] if len(start.split()) > 1 and not text[len(start) : len(start) + 1].isspace() else start


def _with_instructions(chosen: Mapping[str, StyleChoice], known: Mapping[str, str]) -> WeightedNames:
    return {name: (style.weight, style.says or known[name]) for name, style in sorted(chosen.items())}


def prompt_writer(recipe: TripletRecipe) -> PromptWriter:
    """Returns the writer of a recipe's requests without a client: for a dry run."""
    template = Path(sentence_transformers.__file__).parent / "templates" / "generate-sentence-pair.jinja2"
    task = SimpleNamespace(
        triplet=recipe.negative,
        action="query",
        hard_negative=recipe.hard_negative,
        context=recipe.context,
        _template=Template(template.read_text(encoding="utf-8")),
    )
    return PromptWriter(recipe, functools.partial(GenerateSentencePair.format_input, task))


def estimate_triplets(recipe: TripletRecipe, chunks: list[ChunkContext], seed: int, responses: Path) -> Estimate:
    """Returns what a recipe would send for the chunks.

    Raises:
        InputError: The response cache or the template cannot be used.
    """
    writer = prompt_writer(recipe)
    drafts = [draft for chunk in chunks for draft in writer.drafts(chunk, seed)]
    cached: set[bytes] = set()
    if responses.exists():
        cache = ResponseCache(responses)
        cached = cache.peek([draft.request.key for draft in drafts])
        cache.close()
    new = {draft.request.key: draft for draft in drafts if draft.request.key not in cached}
    characters = sum(len(message["content"]) for draft in new.values() for message in draft.request.messages)
    read, written = round(characters / CHARACTERS_PER_TOKEN), len(new) * EXPECTED_ANSWER_TOKENS
    price = recipe.price
    money = (read * price.input + written * price.output) / 1e6 if price else None
    return Estimate(len(drafts), len(drafts) - len(new), read, written, money, _describe(drafts))


def _describe(drafts: list[Draft]) -> list[str]:
    styles = Counter(draft.style.style for draft in drafts)
    personas = Counter(draft.style.persona for draft in drafts if draft.style.persona)
    shortened = sum(draft.shortened for draft in drafts)
    samples = drafts[:: max(1, len(drafts) // SAMPLES)][:SAMPLES]
    return [
        f"  styles: {_counts_text(styles)}",
        *([f"  personas: {_counts_text(personas)}"] if personas else []),
        *([f"  shortened chunks: {shortened:,}"] if shortened else []),
        *(_sample(draft) for draft in samples),
    ]


def _counts_text(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.most_common())


def _sample(draft: Draft) -> str:
    prompt = "\n".join(f"[{message['role']}]\n{message['content']}" for message in draft.request.messages)
    indented = "\n".join(f"    {line}" if line else "" for line in prompt.splitlines())
    return f"\n  A prompt, for chunk {draft.chunk.id}:\n{indented}"

"""The prompts of recipe `triplet`, and an estimate of what they cost."""

from __future__ import annotations

import functools
import hashlib
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from distilabel.steps.tasks import GenerateSentencePair, sentence_transformers
from jinja2 import Template

from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.llm.providers.base import Messages
from finetrieve.generation.llm.request import Request
from finetrieve.generation.parse_response import parse_response, response_schema
from finetrieve.generation.prompts import (
    PromptInput,
    UserTemplate,
    delimit_chunk,
    examples_instruction,
    style_instruction,
    system_addition,
)
from finetrieve.generation.query_styles import PERSONAS, STYLES, QueryStyle, WeightedNames, draw_styles
from finetrieve.generation.recipes.base import Estimate
from finetrieve.generation.recipes.llm_requests import counts_text, estimate_requests, make_request, sample_prompts, topic_note
from finetrieve.generation.recipes.query_judge import QueryJudge
from finetrieve.generation.recipes.triplet_settings import StyleChoice, TripletSettings


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

    def __init__(self, recipe: TripletSettings, format_input: Any) -> None:
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
        for number, style in enumerate(styles):
            again = seen[style.style, style.persona] = seen.get((style.style, style.persona), -1) + 1
            drafts.append(self._draft(chunk, style, again, self._examples(chunk, seed, number)))
        return drafts

    def _examples(self, chunk: ChunkContext, seed: int, number: int) -> list[str]:
        """Returns what people typed, drawn for one request."""
        recipe = self._recipe
        if not recipe.examples or isinstance(recipe.examples, str):
            return []
        key = f"{seed}\x1f{recipe.label}\x1f{chunk.id}\x1f{number}"
        source = random.Random(hashlib.sha256(key.encode()).digest())
        return source.sample(recipe.examples, min(recipe.shown, len(recipe.examples)))

    def _draft(self, chunk: ChunkContext, style: QueryStyle, again: int, examples: Sequence[str]) -> Draft:
        recipe = self._recipe
        request, shortened = make_request(
            recipe,
            chunk.text,
            lambda text: self._messages(chunk, style, text, examples),
            response_schema(recipe.negative) if recipe.structured else None,
            lambda answer: parse_response(answer, recipe.negative, chunk.text),
            again,
            topic_note(recipe, [chunk]),
        )
        return Draft(request, style, chunk, shortened)

    def _messages(self, chunk: ChunkContext, style: QueryStyle, text: str, examples: Sequence[str]) -> Messages:
        shown = PromptInput(text, chunk.title, chunk.section)
        system, user = self._format({"anchor": delimit_chunk(shown)})
        system_text = f"{system['content']} {system_addition(self._recipe.negative, self._recipe.structured)}"
        if self._template is not None:
            user_text = self._template.render(shown, self._recipe.context, style)
        else:
            user_text = f"{user['content'].strip()}\n\n{style_instruction(style)}"
        if examples:
            user_text += f"\n\n{examples_instruction(examples)}"
        return [{"role": "system", "content": system_text}, {"role": "user", "content": user_text}]


def _with_instructions(chosen: Mapping[str, StyleChoice], known: Mapping[str, str]) -> WeightedNames:
    return {name: (style.weight, style.says or known[name]) for name, style in sorted(chosen.items())}


def prompt_writer(recipe: TripletSettings) -> PromptWriter:
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


def estimate_triplets(recipe: TripletSettings, chunks: list[ChunkContext], seed: int, responses: Path) -> Estimate:
    """Returns what a recipe would send for the chunks.

    Raises:
        InputError: The response cache or the template cannot be used.
    """
    writer = prompt_writer(recipe)
    drafts = [draft for chunk in chunks for draft in writer.drafts(chunk, seed)]
    requests = [draft.request for draft in drafts]
    if recipe.judge is not None:
        requests += QueryJudge(recipe, recipe.judge).example_requests([draft.chunk for draft in drafts])
    return estimate_requests(recipe, requests, responses, _describe(drafts))


def _describe(drafts: list[Draft]) -> list[str]:
    styles = Counter(draft.style.style for draft in drafts)
    personas = Counter(draft.style.persona for draft in drafts if draft.style.persona)
    shortened = sum(draft.shortened for draft in drafts)
    return [
        f"  styles: {counts_text(styles)}",
        *([f"  personas: {counts_text(personas)}"] if personas else []),
        *([f"  shortened chunks: {shortened:,}"] if shortened else []),
        *sample_prompts([(draft.chunk.id, draft.request.messages) for draft in drafts]),
    ]

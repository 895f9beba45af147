"""The requests of recipe `prompt`, and what they cost."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetrieve.core.text import normalise_query
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.llm.providers.base import Messages
from finetrieve.generation.llm.request import Request
from finetrieve.generation.parse_response import (
    InvalidResponseError,
    answer_body,
    check_line,
    check_refusal,
    json_object,
    tidy,
)
from finetrieve.generation.prompts import PromptInput
from finetrieve.generation.recipes.answer_schema import PLAIN, Schema, example_of, schema_mistake
from finetrieve.generation.recipes.attribute_grid import Combination
from finetrieve.generation.recipes.base import Estimate
from finetrieve.generation.recipes.llm_requests import counts_text, estimate_requests, make_request, sample_prompts, topic_note
from finetrieve.generation.recipes.prompt_forms import PromptForms
from finetrieve.generation.recipes.prompt_settings import PromptSettings
from finetrieve.generation.recipes.stages import judge_score
from finetrieve.retrieval.analysis import analyzer


@dataclass(slots=True)
class Draft:
    """One row or several to be asked for: the chunk, the drawn attributes, and what the answers say so far."""

    chunk: ChunkContext
    attributes: Combination
    again: int
    """How often the chunk had these attributes before."""
    fields: dict[str, Any] = field(default_factory=dict)
    shortened: bool = False
    """The LLM read only the beginning of the chunk."""
    ended: str = ""
    """Why no further stage is asked for: `failed`, `dropped`, `unasked`; empty while there is none."""

    @property
    def shown(self) -> PromptInput:
        """Returns the chunk as prompts have it."""
        return PromptInput(self.chunk.text, self.chunk.title, self.chunk.section)


class PromptRequests:
    """Writes the requests of a recipe; the same for the same chunk and seed, whatever else is in the corpus.

    Raises:
        InputError: The recipe cannot be used.
    """

    def __init__(self, recipe: PromptSettings) -> None:
        self.recipe, self.forms = recipe, PromptForms(recipe)

    def drafts(self, chunk: ChunkContext, seed: int) -> list[Draft]:
        """Returns the drafts of a chunk, one per combination of attributes."""
        seen: Counter[str] = Counter()
        drafts = []
        facts = {name: getattr(chunk, name).splitlines() for name in self.recipe.corpus_facts}
        key = f"{self.recipe.label}\x1f{chunk.id}"
        for attributes in self.forms.grid.draw(self.recipe.requests, seed, key, facts):
            name = json.dumps(attributes)
            drafts.append(Draft(chunk, attributes, seen[name]))
            seen[name] += 1
        return drafts

    def request(self, draft: Draft, stage: int) -> Request:
        """Returns the request of a draft's stage, and notes whether it shows the chunk's beginning only."""
        schema = self.forms.schemas[stage]
        fields, order = dict(draft.fields), self.forms.judged_order(stage, draft.fields)
        seen = self.forms.reordered(fields, order)

        def messages(text: str) -> Messages:
            shown = PromptInput(text, draft.chunk.title, draft.chunk.section)
            return self.forms.messages(stage, shown, draft.attributes, seen)

        def parse(answer: str) -> dict[str, Any]:
            found = self.forms.as_written(parse_answer(answer, schema), order)
            if stage == 0:
                self._check_quotes(found, draft)
            self._check_words(found, draft)
            if self.forms.makes_rows(stage):
                self.rows(draft, fields | found)
            return found

        structured = schema if self.recipe.structured else None
        note = topic_note(self.recipe, [draft.chunk]) if stage == 0 else ""
        request, shortened = make_request(self.recipe, draft.chunk.text, messages, structured, parse, draft.again, note)
        draft.shortened |= shortened
        return request

    def _check_quotes(self, fields: dict[str, Any], draft: Draft) -> None:
        chunk = f" {normalise_query(draft.chunk.text)} "
        for name in self.recipe.quotes:
            found = fields.get(name)
            for quote in found if isinstance(found, list) else [found]:
                words = normalise_query(quote) if isinstance(quote, str) else ""
                if not words or f" {words} " not in chunk:
                    raise InvalidResponseError(
                        "invalid", f"'{name}' does not stand in the text word for word: {str(quote)[:80]!r}"
                    )

    def _check_words(self, fields: dict[str, Any], draft: Draft) -> None:
        terms = analyzer(draft.chunk.language or "en").terms
        for name, attribute in self.recipe.attributes.items():
            if attribute.occur_in not in fields:
                continue
            chosen = draft.attributes[name].split(attribute.joined_by)
            said = set(terms(str(fields[attribute.occur_in])))
            missing = [value for value in chosen if not said.issuperset(terms(value))]
            wanted = min(attribute.occur or len(chosen), len(chosen))
            if len(chosen) - len(missing) < wanted:
                raise InvalidResponseError(
                    "invalid", f"'{attribute.occur_in}' has to have {wanted} of {chosen} in it, and lacks: {', '.join(missing)}"
                )

    def rows(self, draft: Draft, fields: dict[str, Any]) -> list[dict[str, Any]]:
        """Returns the rows that a draft's answers make.

        Raises:
            InvalidResponseError: A query is none, or a text is empty.
        """
        rows = self.forms.rows(draft.shown, draft.attributes, fields)
        if not rows and self.recipe.pairs is None:
            raise InvalidResponseError("invalid", f"'{self.recipe.rows}' is an empty list")
        if not self.recipe.writes_queries:
            return [_written_row(row) for row in rows]
        scored = {"judge_score": judge_score(fields)} if self.recipe.judge is not None else {}
        return [{**self._query_row(row, draft), **scored} for row in rows]

    def _query_row(self, row: dict[str, Any], draft: Draft) -> dict[str, Any]:
        query, negative = _line(row, "query"), _line(row, "negative") if row.get("negative") is not None else None
        check_line(query, "query", draft.chunk.text, self.recipe.same_language)
        if negative is not None:
            check_line(negative, "negative", draft.chunk.text, same_language=False)
            if negative.casefold() == query.casefold():
                raise InvalidResponseError("invalid", "the negative is the same as the query")
        style, persona = (str(row.get(name, draft.attributes.get(name, ""))) for name in ("style", "persona"))
        return {"query": query, "negative": negative, "style": style or self.recipe.label, "persona": persona}


def _line(row: dict[str, Any], column: str) -> str:
    value = row.get(column)
    if not isinstance(value, str):
        raise InvalidResponseError("unparsable", f"the {column} is no text: {str(value)[:60]!r}")
    return tidy(value)


def _written_row(row: dict[str, Any]) -> dict[str, Any]:
    for column, value in row.items():
        if (isinstance(value, str) and not value.strip()) or value in ([], {}):
            raise InvalidResponseError("invalid", f"'{column}' is empty")
    return row


def parse_answer(text: str, schema: Schema | None) -> dict[str, Any]:
    """Returns the fields of an answer; of one without a schema, the field `answer`.

    Raises:
        InvalidResponseError: It is empty, refuses, is no JSON, or does not meet the schema.
    """
    body = answer_body(text).strip()
    if not body:
        raise InvalidResponseError("empty", "the answer is empty")
    if schema is None:
        check_refusal(body)
        return {PLAIN: body}
    found = json_object(body, next(iter(schema["properties"])))
    if found is None:
        check_refusal(body)
        raise InvalidResponseError("unparsable", "it is not the JSON object that was asked for")
    if (mistake := schema_mistake(found, schema)) is not None:
        raise InvalidResponseError("unparsable", f"the JSON does not meet the schema: {mistake}")
    return found


def estimate_prompts(
    recipe: PromptSettings,
    chunks: list[ChunkContext],
    seed: int,
    responses: Path,
    coverage: bool = True,
    further: Sequence[Request] = (),
) -> Estimate:
    """Returns what a recipe would send for the chunks; requests that follow an answer are counted with an example of one.

    Args:
        recipe: The recipe.
        chunks: The corpus.
        seed: Of every draw.
        responses: Directory of the response cache.
        coverage: Also say how often each value of an attribute is asked for.
        further: Requests that follow those of the recipe.

    Raises:
        InputError: The recipe or the response cache cannot be used.
    """
    writer = PromptRequests(recipe)
    drafts = [draft for chunk in chunks for draft in writer.drafts(chunk, seed)]
    requests = [writer.request(draft, 0) for draft in drafts]
    samples = sample_prompts([(draft.chunk.id, request.messages) for draft, request in zip(drafts, requests, strict=True)])
    requests += [*following_requests(writer, drafts), *further]
    return estimate_requests(recipe, requests, responses, [*(_coverage(writer, drafts) if coverage else []), *samples])


def following_requests(writer: PromptRequests, drafts: Sequence[Draft]) -> list[Request]:
    """Returns the requests of the drafts' stages after the first, each with an example of the answers before."""
    requests: list[Request] = []
    for stage in range(1, len(writer.recipe.stages)):
        schema = writer.forms.schemas[stage - 1]
        example = {PLAIN: "x"} if schema is None else example_of(schema)
        if example is None:
            break
        for number, draft in enumerate(drafts):
            draft.fields |= example
            draft.again = number  # the same example is no same answer
        requests += [writer.request(draft, stage) for draft in drafts]
    return requests


def _coverage(writer: PromptRequests, drafts: list[Draft]) -> list[str]:
    """Returns how often each value and how many of the combinations are asked for."""
    recipe = writer.recipe
    if not recipe.attributes:
        return []
    counts = {
        name: Counter(draft.attributes[name] for draft in drafts)
        for name, attribute in recipe.attributes.items()
        if attribute.words is None  # no axis of the grid
    }
    drawn = len({tuple(draft.attributes[name] for name in counts) for draft in drafts})
    topics = math.prod(len(counts[name]) for name in counts if recipe.attributes[name].topics)
    return [
        *(f"  {name}: {counts_text(values)}" for name, values in counts.items()),
        f"  combinations: {drawn:,} of {writer.forms.grid.combinations * topics:,} asked for",
    ]

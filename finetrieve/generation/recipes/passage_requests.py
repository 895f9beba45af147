"""Requests that show an LLM several passages, numbered, each as delimited data."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.llm.llm_settings import LlmSettings
from finetrieve.generation.llm.providers.base import Messages
from finetrieve.generation.llm.request import Request
from finetrieve.generation.parse_response import check_line, tidy
from finetrieve.generation.prompts import PromptInput, delimit_chunk
from finetrieve.generation.recipes.answer_schema import Schema
from finetrieve.generation.recipes.llm_requests import make_request
from finetrieve.generation.recipes.prompt_forms import DATA_NOTE, FORM_NOTE
from finetrieve.generation.recipes.prompt_requests import parse_answer

Fields = dict[str, Any]


def shown(chunk: ChunkContext) -> PromptInput:
    """Returns a chunk as prompts have it."""
    return PromptInput(chunk.text, chunk.title, chunk.section)


def passages_request(
    recipe: LlmSettings,
    passages: Sequence[PromptInput],
    says: str,
    schema: Schema,
    check: Callable[[Fields], Fields],
    again: int = 0,
    note: str = "",
) -> tuple[Request, bool]:
    """Returns a request, and whether the window takes only the beginnings of the passages.

    Args:
        recipe: Whom to ask.
        passages: Shown above the instruction; several are numbered from 1.
        says: The instruction.
        schema: Of the answer.
        check: Returns an answer's fields, tidied; raises InvalidResponseError for what cannot be used.
        again: How often the same was asked for before.
        note: As `make_request` has it.

    Raises:
        InputError: The recipe's window leaves no room for the passages.
    """
    whole = "".join(passage.text for passage in passages)
    system = f"{DATA_NOTE}\n\n{FORM_NOTE.format(schema=json.dumps(schema, ensure_ascii=False))}"

    def messages(text: str) -> Messages:
        share = len(text) / max(1, len(whole))  # each passage gives up the same share of its end
        cut = [PromptInput(one.text[: round(share * len(one.text))], one.title, one.section) for one in passages]
        blocks = [
            delimit_chunk(one) if len(cut) == 1 else f"Passage {number}:\n{delimit_chunk(one)}"
            for number, one in enumerate(cut, 1)
        ]
        return [{"role": "system", "content": system}, {"role": "user", "content": "\n\n".join([*blocks, says])}]

    def parse(answer: str) -> Fields:
        return check(parse_answer(answer, schema))

    return make_request(recipe, whole, messages, schema if recipe.structured else None, parse, again, note)


def object_schema(**fields: Schema) -> Schema:
    """Returns the schema of an object that has to have all of the fields."""
    return {"type": "object", "properties": fields, "required": list(fields)}


TEXT: Schema = {"type": "string", "minLength": 1}


def texts_schema() -> Schema:
    """Returns the schema of a list of texts."""
    return {"type": "array", "items": {"type": "string"}}


def question_in(fields: Fields, passages: Sequence[PromptInput]) -> str:
    """Returns the question of an answer on one line.

    Raises:
        InvalidResponseError: It is none, or in another language than the passages.
    """
    question = tidy(str(fields["question"]))
    check_line(question, "question", "\n".join(passage.text for passage in passages))
    return question


def distinct_texts(values: Sequence[object], most: int) -> list[str]:
    """Returns the texts of an answer's list, tidied, without repeats and what is empty."""
    tidied = (" ".join(str(value).split())[:120] for value in values)
    return list({value.casefold(): value for value in tidied if any(sign.isalnum() for sign in value)}.values())[:most]

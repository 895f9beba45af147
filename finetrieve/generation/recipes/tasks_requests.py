"""The requests of recipe `tasks`: distilabel's prompts for tasks and for their data, and what is read from the answers."""

from __future__ import annotations

import ast
import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from distilabel.steps.tasks import (
    BitextRetrievalGenerator,
    EmbeddingTaskGenerator,
    GenerateLongTextMatchingData,
    GenerateShortTextMatchingData,
    GenerateTextClassificationData,
    GenerateTextRetrievalData,
    MonolingualTripletGenerator,
)
from jinja2 import Template

from finetrieve.core.errors import InputError
from finetrieve.core.text import normalise_query
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.llm.providers.base import Messages
from finetrieve.generation.llm.request import Request
from finetrieve.generation.parse_response import InvalidResponseError, answer_body, check_refusal, json_object
from finetrieve.generation.prompts import PromptInput, delimit_chunk, escape_delimiters
from finetrieve.generation.recipes.answer_schema import Schema
from finetrieve.generation.recipes.base import Estimate
from finetrieve.generation.recipes.llm_requests import estimate_requests, make_request, sample_prompts, topic_note
from finetrieve.generation.recipes.prompt_forms import DATA_NOTE, FORM_NOTE
from finetrieve.generation.recipes.prompt_requests import parse_answer
from finetrieve.generation.recipes.tasks_settings import THOUGHT_UP, TaskKind, TasksSettings

LEAST_WORDS = 3
"""Of a task: less is a word of the list's frame."""
LONGEST_TASK = 400
"""Characters."""
_LONGEST_LIST = 20_000
TASK_LIST: Schema = {
    "type": "object",
    "properties": {"tasks": {"type": "array", "items": {"type": "string", "minLength": 10}, "minItems": 2}},
    "required": ["tasks"],
    "additionalProperties": False,
}
_LIST_NOTE = "Hand the list over as the field `tasks` of one JSON object."
_ABOUT = "All tasks are about the following subject, or could be set by people who deal with it:"
_TEMPLATES = resources.files("distilabel") / "steps" / "tasks" / "templates" / "improving_text_embeddings"
_UNITS = ("sentence", "phrase", "passage")
_HIGH, _LOW = ("4", "4.5", "5"), ("2.5", "3", "3.5")
_SCHOOLS = ("high school", "college", "PhD")
_CLARITY = ("clear", "understandable with some effort", "ambiguous")
_TRIPLE = {"unit": _UNITS, "difficulty": ("elementary school", "high school", "college"), "high_score": _HIGH, "low_score": _LOW}


@dataclass(frozen=True, slots=True)
class _Form:
    """How the data of a kind of task is asked for."""

    task: Any
    """distilabel's class."""
    template: str
    category: str = ""
    """Of EmbeddingTaskGenerator."""
    arguments: dict[str, tuple[Any, ...]] | None = None
    """What is drawn for each row, beside the language: name -> choices."""
    instruction: str = ""
    """The task, where it is always the same."""


FORMS: dict[TaskKind, _Form] = {
    "retrieval": _Form(
        GenerateTextRetrievalData,
        "text-retrieval",
        "text-retrieval",
        {
            "query_type": ("extremely long-tail", "long-tail", "common"),
            "query_length": ("less than 5 words", "5 to 15 words", "at least 10 words"),
            "difficulty": _SCHOOLS,
            "clarity": _CLARITY,
            "num_words": (50, 100, 200, 300, 400, 500),
        },
    ),
    "short_matching": _Form(GenerateShortTextMatchingData, "short-text-matching", "text-matching-short"),
    "long_matching": _Form(GenerateLongTextMatchingData, "long-text-matching", "text-matching-long"),
    "classification": _Form(
        GenerateTextClassificationData,
        "text-classification",
        "text-classification",
        {"difficulty": _SCHOOLS, "clarity": _CLARITY},
    ),
    "similarity": _Form(
        MonolingualTripletGenerator, "monolingual-triplet", arguments=_TRIPLE, instruction="Retrieve semantically similar text."
    ),
    "translation": _Form(
        BitextRetrievalGenerator, "bitext-retrieval", arguments=_TRIPLE, instruction="Retrieve the translation of the text."
    ),
}


@dataclass(frozen=True, slots=True)
class TaskDraft:
    """One row to be asked for."""

    chunk: ChunkContext
    kind: TaskKind
    task: str
    arguments: dict[str, Any]
    """What was drawn for it."""
    again: int
    """How often the chunk had this task with these arguments before."""


class TaskRequests:
    """Writes the requests of a recipe; the same for the same chunk and seed.

    Raises:
        InputError: A file of languages cannot be used, or a translation would be into the same language.
    """

    def __init__(self, recipe: TasksSettings) -> None:
        self.recipe = recipe
        try:
            self._languages = recipe.row_languages.weights()
            self._targets = recipe.target_languages.weights() if recipe.target_languages else self._languages
        except InputError as error:
            raise InputError(f"Recipe '{recipe.label}': {error}") from None
        if "translation" in recipe.kinds and len(alone := {*self._languages, *self._targets}) == 1:
            raise InputError(
                f"Recipe '{recipe.label}': kind 'translation' cannot translate {min(alone)} into {min(alone)}; "
                "give row_languages or target_languages another one."
            )

    def list_request(self, chunk: ChunkContext, kind: TaskKind) -> Request:
        """Returns the request for a list of tasks of a kind that is thought up."""
        task = SimpleNamespace(_template=_template(f"brainstorming/{FORMS[kind].category}"))
        [asked] = EmbeddingTaskGenerator.prompt.fget(task)

        def messages(text: str) -> Messages:
            said = [DATA_NOTE if self.recipe.about else "", _LIST_NOTE if self.recipe.structured else ""]
            content = asked["content"]
            if self.recipe.about:
                content += f"\n\n{_ABOUT}\n\n{delimit_chunk(PromptInput(text, chunk.title, chunk.section))}"
            return _messages(" ".join(filter(None, said)), content)

        schema = TASK_LIST if self.recipe.structured else None
        again = 0 if self.recipe.about else _number(chunk.id)
        note = topic_note(self.recipe, [chunk]) if self.recipe.about else ""
        return make_request(self.recipe, chunk.text, messages, schema, parse_tasks, again, note)[0]

    def drafts(self, chunk: ChunkContext, kind: TaskKind, tasks: list[str], seed: int) -> list[TaskDraft]:
        """Returns the rows to be asked for of a chunk's tasks."""
        drafts = []
        seen: Counter[str] = Counter()
        for number, task in enumerate(tasks):
            key = (seed, self.recipe.label, chunk.id, kind, task, tasks[:number].count(task))
            source = random.Random(hashlib.sha256(json.dumps(key).encode()).digest())
            for _ in range(self.recipe.examples):
                arguments = self._drawn(kind, source)
                name = json.dumps([task, arguments])
                drafts.append(TaskDraft(chunk, kind, task, arguments, seen[name]))
                seen[name] += 1
        return drafts

    def _drawn(self, kind: TaskKind, source: random.Random) -> dict[str, Any]:
        form = FORMS[kind]
        drawn = {name: source.choice(choices) for name, choices in (form.arguments or {}).items()}
        language = _weighted(self._languages, source)
        if kind != "translation":
            return {"language": language, **drawn}
        if set(self._targets) == {language}:
            language = _weighted({name: weight for name, weight in self._languages.items() if name != language}, source)
        others = {name: weight for name, weight in self._targets.items() if name != language}
        return {"source_language": language, "target_language": _weighted(others, source), **drawn}

    def request(self, draft: TaskDraft) -> Request:
        """Returns the request for a row."""
        form, kind = FORMS[draft.kind], draft.kind
        task = SimpleNamespace(_template=_template(form.template), **draft.arguments)
        if kind in THOUGHT_UP:
            [asked] = form.task.format_input(task, {"task": escape_delimiters(draft.task)})
        else:
            [asked] = form.task.prompt.fget(task)
        schema = data_schema(kind)
        note = FORM_NOTE.format(schema=json.dumps(schema)) if self.recipe.structured else ""
        content = asked["content"]
        again = draft.again + (0 if kind in THOUGHT_UP else _number(draft.chunk.id))
        structured = schema if self.recipe.structured else None
        # The chunk is not in it: nothing of the request can be shortened.
        return make_request(
            self.recipe, "", lambda _: _messages(note, content), structured, lambda text: parse_data(text, kind), again
        )[0]

    def columns(self, draft: TaskDraft, parsed: dict[str, str]) -> dict[str, str]:
        """Returns the row: `task`, `kind`, `query`, `passage`, and `negative` where the kind has one."""
        query = f"Instruct: {draft.task}\nQuery: {parsed['query']}" if self.recipe.instruct else parsed["query"]
        return {"task": draft.task, "kind": draft.kind, **parsed, "query": query}


def data_keys(kind: TaskKind) -> list[str]:
    """Returns the fields of distilabel's answer: what is asked with, what answers it, and perhaps what only seems to."""
    return list(FORMS[kind].task.keys.fget(None))


def data_schema(kind: TaskKind) -> Schema:
    """Returns the JSON Schema of the data of a kind of task."""
    keys = data_keys(kind)
    properties = {key: {"type": "string", "minLength": 1} for key in keys}
    return {"type": "object", "properties": properties, "required": keys, "additionalProperties": False}


def parse_data(answer: str, kind: TaskKind) -> dict[str, str]:
    """Returns `query`, `passage` and perhaps `negative` of an answer.

    distilabel would evaluate it as Python; here it is JSON, or not used.

    Raises:
        InvalidResponseError: It is not the JSON that was asked for, a text is empty, or two are the same.
    """
    found = parse_answer(answer, data_schema(kind))
    names = ("query", "passage", "negative")
    row = {name: str(found[key]).strip() for name, key in zip(names, data_keys(kind), strict=False)}
    seen: dict[str, str] = {}
    for name, text in row.items():
        if not any(sign.isalnum() for sign in text):
            raise InvalidResponseError("invalid", f"the {name} has no words: {text[:60]!r}")
        if other := seen.get(words := normalise_query(text)):
            raise InvalidResponseError("invalid", f"the {name} is the same as the {other}")
        seen[words] = name
    return row


def parse_tasks(answer: str) -> list[str]:
    """Returns the tasks of a list: a JSON object or list, a list as Python writes it, or lines with numbers or bullets.

    Raises:
        InvalidResponseError: There are no tasks in it.
    """
    body = answer_body(answer).strip()[:_LONGEST_LIST]
    if not body:
        raise InvalidResponseError("empty", "the answer is empty")
    found = [" ".join(item.split()) for item in _items(body) if isinstance(item, str)]
    tasks = [task for task in found if len(task.split()) >= LEAST_WORDS and len(task) <= LONGEST_TASK]
    if not tasks:
        check_refusal(body)
        raise InvalidResponseError("unparsable", "there is no list of tasks in it")
    return list({normalise_query(task): task for task in reversed(tasks)}.values())[::-1]


def _items(body: str) -> list[Any]:
    if body.startswith("{"):
        found = json_object(body, "tasks") or {}
        listed = found.get("tasks", [])
        return listed if isinstance(listed, list) else []
    readers: tuple[Callable[[str], Any], ...] = (json.loads, ast.literal_eval)
    start, end = body.find("["), body.rfind("]")
    if 0 <= start < end:
        for read in readers:
            try:
                listed = read(body[start : end + 1])
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(listed, list):
                return listed
    return re.findall(r"^\s*(?:\d+[.)]|[-*•])\s+(.+?)\s*$", body, flags=re.MULTILINE)


def estimate_tasks(recipe: TasksSettings, chunks: list[ChunkContext], seed: int, responses: Path) -> Estimate:
    """Returns what a recipe would send; the tasks of lists that were not written yet are counted with an example of one.

    Raises:
        InputError: The recipe or the response cache cannot be used.
    """
    writer = TaskRequests(recipe)
    requests: list[Request] = []
    prompts: list[tuple[str, Messages]] = []
    for chunk in chunks:
        for kind in recipe.kinds:
            if kind in THOUGHT_UP:
                requests.append(writer.list_request(chunk, kind))
                prompts.append((chunk.id, requests[-1].messages))
            tasks = [FORMS[kind].instruction or f"example {number}" for number in range(recipe.tasks)]
            requests += [writer.request(draft) for draft in writer.drafts(chunk, kind, tasks, seed)]
    return estimate_requests(recipe, requests, responses, sample_prompts(prompts))


def _messages(system: str, content: str) -> Messages:
    return [*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": content}]


def _template(name: str) -> Template:
    template: Template = Template((_TEMPLATES / f"{name}.jinja2").read_text(encoding="utf-8"))
    return template


def _number(chunk_id: str) -> int:
    """Returns a number of a chunk: what is asked in the same words for two chunks is asked twice."""
    return int.from_bytes(hashlib.sha256(chunk_id.encode()).digest()[:6])


def _weighted(weights: dict[str, float], source: random.Random) -> str:
    return source.choices(list(weights), list(weights.values()))[0]

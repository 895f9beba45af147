"""What recipe `graph` asks: the entities of a chunk, who the readers are, a question, and whether one chunk alone answers it."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.chunk_graph.graph import ENTITIES, ChunkGraph, term_graph
from finetrieve.generation.llm.request import Request
from finetrieve.generation.parse_response import InvalidResponseError
from finetrieve.generation.prompts import PromptInput, escape_delimiters
from finetrieve.generation.recipes.base import Estimate
from finetrieve.generation.recipes.corpus_step import check_two_hops
from finetrieve.generation.recipes.graph_settings import KINDS, LENGTHS, MANNERS, GraphSettings
from finetrieve.generation.recipes.llm_requests import estimate_requests, sample_prompts, topic_note
from finetrieve.generation.recipes.passage_requests import (
    TEXT,
    Fields,
    distinct_texts,
    object_schema,
    passages_request,
    question_in,
    shown,
    texts_schema,
)

MOST_PHRASES, MOST_ENTITIES = 8, 12
TERMS = 12
"""Looked at per chunk, where no LLM names its entities."""
_EXTRACT = (
    "Describe this passage for an index. summary: what it says, in one or two sentences. key_phrases: up to 8 phrases for "
    "what it deals with. entities: up to 12 names that occur in it, as it writes them: products, functions, settings, people."
)
_PERSONA = (
    "Above are samples of one part of a documentation. Who comes to it with a question? name: the role, in two to four words. "
    "who: the task of this person and what they know already, in one sentence."
)
_ALONE = (
    "Somebody asks:\n\n{question}\n\nYou have nothing but the passage above. needs_more: true if a part of the question stays "
    "without an answer; false if the passage answers all of it."
)
_EXTRACT_SCHEMA = object_schema(summary=TEXT, key_phrases=texts_schema(), entities=texts_schema())
_PERSONA_SCHEMA = object_schema(name=TEXT, who=TEXT)
_QUESTION_SCHEMA = object_schema(question=TEXT)
_ALONE_SCHEMA = object_schema(needs_more={"type": "boolean"})


@dataclass(frozen=True, slots=True)
class ChunkFacts:
    """What is known of a chunk before it is asked about."""

    summary: str
    entities: list[str]
    """Key phrases as well."""


@dataclass(frozen=True, slots=True)
class Persona:
    """Who asks."""

    name: str
    who: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """A question to be asked for."""

    chunks: tuple[int, ...]
    """Their numbers, the one with which it stands first."""
    kind: str
    manner: str
    length: str
    persona: Persona | None
    shared: str
    """What the chunks have in common, in words."""


def extraction_request(recipe: GraphSettings, chunk: ChunkContext) -> Request:
    """Returns the request for a chunk's entities; parsed, it is `ChunkFacts`."""
    return passages_request(recipe, [shown(chunk)], _with_context(recipe, _EXTRACT), _EXTRACT_SCHEMA, _checked_facts)[0]


def _checked_facts(fields: Fields) -> Fields:
    entities = distinct_texts([*fields["entities"][:MOST_ENTITIES], *fields["key_phrases"][:MOST_PHRASES]], 99)
    if not entities:
        raise InvalidResponseError("invalid", "it names no entity and no key phrase")
    return {"facts": ChunkFacts(" ".join(fields["summary"].split())[:600], entities)}


def persona_request(recipe: GraphSettings, samples: Sequence[str]) -> Request:
    """Returns the request for the reader of a group of chunks, of whose summaries it shows some."""
    text = "\n".join(f"- {sample}" for sample in samples)
    return passages_request(
        recipe, [PromptInput(text, "", "")], _with_context(recipe, _PERSONA), _PERSONA_SCHEMA, _checked_persona
    )[0]


def _checked_persona(fields: Fields) -> Fields:
    name, who = (" ".join(str(fields[key]).split()) for key in ("name", "who"))
    if not any(sign.isalnum() for sign in name) or len(name) > 80 or len(who) > 400:
        raise InvalidResponseError("invalid", f"it is no person in a line: {name[:60]!r}")
    return {"persona": Persona(name, who)}


def question_request(
    recipe: GraphSettings, scenario: Scenario, chunks: Sequence[ChunkContext], again: int
) -> tuple[Request, bool]:
    """Returns the request for a scenario's question, and whether the chunks were shortened; parsed, it has `question`."""
    passages = [shown(chunks[number]) for number in scenario.chunks]

    def check(fields: Fields) -> Fields:
        return {"question": question_in(fields, passages)}

    which = "these passages answer" if len(passages) > 1 else "this passage answers"
    parts = [
        f"Write a question that {which}. {KINDS[scenario.kind]}",
        f"The passages have in common: {escape_delimiters(scenario.shared)}." if scenario.shared and len(passages) > 1 else "",
        f"Who asks: {escape_delimiters(scenario.persona.name)}. {escape_delimiters(scenario.persona.who)}"
        if scenario.persona
        else "",
        f"It is {MANNERS[scenario.manner]}, {LENGTHS[scenario.length]} long, on one line, in the language of the passage.",
        "Whoever asks has not seen the passages: nothing points to them, and no sentence of theirs is copied.",
    ]
    note = topic_note(recipe, (chunks[number] for number in scenario.chunks))
    return passages_request(
        recipe, passages, _with_context(recipe, "\n".join(filter(None, parts))), _QUESTION_SCHEMA, check, again, note
    )


def question_requests(
    recipe: GraphSettings, scenarios: Sequence[Scenario], chunks: Sequence[ChunkContext]
) -> Iterator[tuple[Request, bool]]:
    """Yields what `question_request` returns of each scenario; where one is there twice, each has an answer of its own."""
    before = Counter[Scenario]()
    for scenario in scenarios:
        yield question_request(recipe, scenario, chunks, before[scenario])
        before[scenario] += 1


def alone_request(recipe: GraphSettings, question: str, chunk: ChunkContext) -> Request:
    """Returns the request whether a question needs more than one chunk of several; parsed, it has `needs_more`."""
    says = _ALONE.format(question=escape_delimiters(question))
    return passages_request(recipe, [shown(chunk)], says, _ALONE_SCHEMA, lambda fields: fields)[0]


def _with_context(recipe: GraphSettings, says: str) -> str:
    return f"{recipe.context}\n\n{says}" if recipe.context else says


def draw_scenarios(
    recipe: GraphSettings, number: int, chunk: ChunkContext, graph: ChunkGraph, personas: Sequence[Persona], seed: int
) -> list[Scenario]:
    """Returns the scenarios of a chunk: the same for a seed, a chunk and its links, whatever else is in the corpus."""
    source = random.Random(hashlib.sha256(f"{seed}\x1f{recipe.label}\x1f{chunk.id}".encode()).digest())
    scenarios = []
    left: dict[str, float] = {}
    for _ in range(recipe.queries_per_chunk):
        left = left or dict(recipe.kinds)
        kind = _draw(left, source)
        del left[kind]
        path, shared = _path(kind, number, graph, recipe.hops, source)
        if len(path) == 1:
            kind = kind.replace("multi", "single")  # nothing is linked to it
        persona = source.choice(personas) if personas else None
        manner, length = _draw(recipe.manners, source), _draw(recipe.lengths, source)
        scenarios.append(Scenario(path, kind, manner, length, persona, shared))
    return scenarios


def _path(kind: str, number: int, graph: ChunkGraph, hops: int, source: random.Random) -> tuple[tuple[int, ...], str]:
    """Returns the chunks of a question, each linked to the one before, and what the first two share."""
    path, shared = [number], ""
    wanted = source.randint(2, hops) if kind.startswith("multi") else 1
    while len(path) < wanted:
        links = [found for found in graph.neighbours.get(path[-1], []) if found[0] not in path]
        fitting = [found for found in links if (found[1].kind == ENTITIES) == kind.endswith("specific")] or links
        if not fitting:
            break
        other, link = source.choices(fitting, [max(found[1].weight, 0.01) for found in fitting])[0]
        path.append(other)
        shared = shared or link.shared
    return tuple(path), shared


def _draw(weights: Mapping[str, float], source: random.Random) -> str:
    return source.choices(list(weights), list(weights.values()))[0]


def given_personas(recipe: GraphSettings) -> list[Persona]:
    """Returns the personas of the configuration."""
    return [Persona(" ".join(who.split()), "") for who in recipe.personas] if isinstance(recipe.personas, list) else []


def estimate_graph(recipe: GraphSettings, chunks: list[ChunkContext], seed: int, responses: Path) -> Estimate:
    """Returns what a recipe would send for the chunks, as far as it is known before: links and personas here are made by counts.

    Raises:
        InputError: The corpus is too small, or the response cache cannot be used.
    """
    if recipe.needs_several:
        check_two_hops(recipe.label, chunks)
    graph = term_graph(chunks, TERMS, recipe.links_per_chunk)
    requests = [extraction_request(recipe, chunk) for chunk in chunks] if recipe.extraction == "llm" else []
    scenarios = [
        scenario
        for number, chunk in enumerate(chunks)
        for scenario in draw_scenarios(recipe, number, chunk, graph, given_personas(recipe), seed)
    ]
    asked = [request for request, _ in question_requests(recipe, scenarios, chunks)]
    several = sum(len(scenario.chunks) for scenario in scenarios if len(scenario.chunks) > 1)
    samples = [(chunks[scenario.chunks[0]].id, request.messages) for scenario, request in zip(scenarios, asked, strict=True)]
    details = [f"  and up to {several:,} checks whether one chunk alone answers a question of several", *sample_prompts(samples)]
    return estimate_requests(recipe, [*requests, *asked], responses, details)

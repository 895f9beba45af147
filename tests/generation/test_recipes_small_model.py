"""Each recipe once against the real small model: its row is valid, or what the model could not do is recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from finetrieve.core.errors import UnreachableError
from finetrieve.core.rows import Chunk, GeneratedQuery, Reject, WrittenRow
from finetrieve.core.tables import to_rows, to_table
from finetrieve.generation.generate import GenerationResult, generate
from finetrieve.generation.llm.gguf_models import gguf_file
from finetrieve.generation.recipes.base import RECIPES
from finetrieve.generation.settings import GenerationSettings

MODEL = "smollm2"
CHUNKS = [
    Chunk(
        "c0",
        "d0",
        "m.md",
        "Pages",
        "",
        "To share a page, open its menu and choose Share. Readers see all changes at once.",
        20,
        0,
    ),
    Chunk("c1", "d1", "m.md", "Network", "", "The guest network has a name of its own. Guests reach the internet only.", 20, 0),
]
ASKED: dict[str, Any] = {
    "provider": "llamacpp",
    "model": MODEL,
    "context_window": 1024,
    "asks": 1,  # it answers as before when it is asked again
    "sampling": {"temperature": 0.0, "max_tokens": 160, "seed": 1},
}
LINE = {"type": "string", "minLength": 10, "maxLength": 80}
"""Held to by llama.cpp: no answer rambles."""
LINES = {"type": "array", "minItems": 1, "maxItems": 1, "items": LINE}
LEAST: dict[str, dict[str, Any]] = {
    "triplet": {"negative": False, "styles": {"how_to": 1}},
    "prompt": {
        "prompt": "Write a question that this text answers.\n\n{{ text }}",
        "answer": {"question": LINE},
        "columns": {"query": "question"},
    },
    "few_shot": {"queries": ["how do i print a page", "guest wifi slow"]},
    "descriptions": {"answer": {"good": LINES, "bad": LINES}, "abstract": False},
    "tasks": {"kinds": ["classification"], "tasks": 1},
    "graph": {"personas": 0, "embedding_model": None, "extraction": "terms", "kinds": {"single_specific": 1}},
    "axes": {
        "query_types": {"factual": "It asks for a fact."},
        "reasoning_types": {"stated": "The passage says it."},
        "threshold": 0,
    },
}
"""Recipe -> the settings with which it asks for as little as it can. A new recipe is asked with its defaults."""

UNABLE = {
    "tasks": "its list of tasks repeats one line until the answer is cut off",
    "axes": "it names and quotes no passage",
}
"""Recipe -> what so small a model cannot do, so that a failed request in place of a row is right too."""
LLM_RECIPES = [name for name, recipe in RECIPES.classes().items() if recipe.asks_llm]


def settings_of(name: str) -> dict[str, Any]:
    return {"name": name, **ASKED, **LEAST.get(name, {})}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> GenerationResult:
    """What all recipes wrote in one run; the model is in the cache of whoever runs the tests."""
    pytest.importorskip("xllamacpp", reason="needs the extra 'llamacpp'")
    try:
        gguf_file(MODEL)
    except UnreachableError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("small-model")
    recipes = [settings_of(name) for name in LLM_RECIPES]
    settings = GenerationSettings.model_validate(
        {"recipes": recipes, "answers": str(folder / "answers"), "max_failed_share": 1.0}
    )
    return generate(to_table(CHUNKS, Chunk), settings, 13, folder)


@pytest.mark.parametrize("name", LLM_RECIPES)
def test_each_recipe_has_settings_with_which_the_small_model_can_be_asked(name: str) -> None:
    try:
        GenerationSettings.model_validate({"recipes": [settings_of(name)]})
    except ValidationError as error:
        pytest.fail(f"Recipe '{name}' cannot be run with its defaults; give it settings in LEAST: {error}")


@pytest.mark.slow(minutes=1)
@pytest.mark.parametrize("name", RECIPES.names())
def test_a_row_of_a_real_model_is_valid_or_what_it_could_not_do_is_recorded(name: str, request: pytest.FixtureRequest) -> None:
    if name not in LLM_RECIPES:
        pytest.skip(f"recipe '{name}' asks no LLM")
    made: GenerationResult = request.getfixturevalue("made")
    queries = [row for row in to_rows(made.queries, GeneratedQuery) if row.recipe == name]
    written = [row for row in to_rows(made.written, WrittenRow) if row.recipe == name]
    for row in queries:
        assert row.query.strip() and row.query != row.negative_query
        assert set(row.chunk_ids) <= {chunk.id for chunk in CHUNKS} and row.generator == f"llamacpp/{MODEL}"
    for other in written:
        columns = json.loads(other.columns)
        assert columns and all(columns.values()) and other.generator == f"llamacpp/{MODEL}"
    asked = made.usage[name]
    assert asked.requests > 0
    unable = name in UNABLE and asked.failed > 0
    assert queries or written or unable, f"no row, and {asked}; what was dropped: {made.report.dropped_examples}"


@pytest.mark.slow(minutes=1)
def test_each_failed_request_is_kept_with_its_answer_and_the_reason(made: GenerationResult) -> None:
    kept = [row for row in to_rows(made.rejects, Reject) if row.filter == "failure"]
    assert len(kept) == sum(asked.failed for asked in made.usage.values()) == sum(made.report.failures.values())
    assert all(row.query and row.reason for row in kept)

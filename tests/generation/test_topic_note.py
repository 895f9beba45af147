"""The topic of a chunk in the prompts of the recipes that ask an LLM, and nothing of it where no recipe wants it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from finetrieve.core.rows import Chunk
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.chunk_graph.graph import term_graph
from finetrieve.generation.llm.request_scheduler import Request
from finetrieve.generation.recipes.axes import AxesRecipe
from finetrieve.generation.recipes.axes_requests import axes_request, plan_drafts
from finetrieve.generation.recipes.few_shot import FewShotRecipe
from finetrieve.generation.recipes.graph import GraphRecipe
from finetrieve.generation.recipes.graph_requests import draw_scenarios, given_personas, question_requests
from finetrieve.generation.recipes.prompt import PromptRecipe
from finetrieve.generation.recipes.prompt_requests import PromptRequests
from finetrieve.generation.recipes.tasks import TasksRecipe
from finetrieve.generation.recipes.tasks_requests import TaskRequests
from finetrieve.generation.recipes.triplet import TripletRecipe
from finetrieve.generation.recipes.triplet_prompts import prompt_writer
from finetrieve.generation.settings import GenerationSettings
from tests.fakes.scripted_llm import ScriptedLlm
from tests.generation.generating import generate

ABOUT = {
    "wifi": "The wireless network shows guest {} its password, and the wireless guest signs in.",
    "ink": "The printer takes ink of colour {} from a cartridge, and the cartridge shows its ink.",
}
NOTE = re.compile(r"\n\nTopic, of those of the documents: (.+)\. What you write is about what is said of it here\.$")
PLACE = {"provider": "openai", "model": "m", "base_url": "http://127.0.0.1:9"}


def contexts(topics: bool = True) -> list[ChunkContext]:
    """Returns four chunks of two documents, two of which have one topic."""
    texts = [(topic, text.format(f"n{number}")) for topic, text in ABOUT.items() for number in range(2)]
    return [
        ChunkContext(f"c{n}", "Manual", "", text, n % 2 == 0, True, "en", f"d{n % 2}", topic=topic * topics)
        for n, (topic, text) in enumerate(texts)
    ]


def asked(kind: str, chunks: list[ChunkContext], **changed: Any) -> list[Request]:
    """Returns the requests of a recipe that ask for something to be written, in the order of the chunks."""
    given = {**PLACE, **changed}
    if kind == "triplet":
        writer = prompt_writer(TripletRecipe.model_validate(given))
        return [draft.request for chunk in chunks for draft in writer.drafts(chunk, 13)]
    if kind == "prompt":
        forms = {"prompt": "{{ text }}", "answer": {"query": "text"}, "columns": {"query": "query"}}
        return first_requests(PromptRecipe.model_validate({**given, **forms}), chunks)
    if kind == "few_shot":
        return first_requests(FewShotRecipe.model_validate({**given, "queries": ["wifi name", "ink gone"]}).as_prompt(), chunks)
    tasks = TaskRequests(TasksRecipe.model_validate(given))
    return [tasks.list_request(chunk, "retrieval") for chunk in chunks]


def first_requests(recipe: PromptRecipe, chunks: list[ChunkContext]) -> list[Request]:
    writer = PromptRequests(recipe)
    return [writer.request(draft, 0) for chunk in chunks for draft in writer.drafts(chunk, 13)]


def named(request: Request) -> str | None:
    found = NOTE.search(request.messages[-1]["content"])
    return found[1] if found else None


@pytest.mark.parametrize("kind", ["triplet", "prompt", "few_shot", "tasks"])
def test_a_recipe_names_the_topic_where_it_is_told_to_and_nothing_changes_where_it_is_not(kind: str) -> None:
    assert [named(request) for request in asked(kind, contexts(), topic=True)] == ["wifi", "wifi", "ink", "ink"]
    plain = asked(kind, contexts())
    assert [request.key for request in plain] == [request.key for request in asked(kind, contexts(topics=False))]
    assert not any(named(request) for request in plain)
    # Without topics there is nothing to name.
    assert [request.key for request in asked(kind, contexts(topics=False), topic=True)] == [request.key for request in plain]


def test_a_topic_is_data_and_stays_when_the_text_is_cut() -> None:
    [chunk, *_] = contexts()
    [request] = asked("triplet", [replace(chunk, topic="guest </chunk> all")], topic=True)
    assert named(request) == "guest ‹/chunk> all"
    long = replace(chunk, text=chunk.text * 200)
    [request] = asked("triplet", [long], topic=True, context_window=2000)
    assert len(request.messages[-1]["content"]) < len(long.text) and named(request) == "wifi"


def test_requests_that_follow_an_answer_do_not_name_it() -> None:
    recipe = FewShotRecipe.model_validate({**PLACE, "queries": ["wifi name"], "topic": True, "judge": {}})
    writer = PromptRequests(recipe.as_prompt())
    [draft] = writer.drafts(contexts()[0], 13)
    draft.fields = {"query": "what is the guest password"}
    assert (named(writer.request(draft, 0)), named(writer.request(draft, 1))) == ("wifi", None)


def test_the_questions_of_a_document_take_its_topics_in_turn() -> None:
    recipe = AxesRecipe.model_validate({**PLACE, "topic": True})
    drafts = plan_drafts(recipe, contexts(), 13)
    topics = [named(axes_request(recipe, draft, contexts())) for draft in drafts if draft.window == (0, 2)]
    assert topics == ["wifi", "ink"] * 4 + ["wifi"]
    plain = AxesRecipe.model_validate(PLACE)
    assert not any(named(axes_request(plain, draft, contexts())) for draft in plan_drafts(plain, contexts(), 13))


def test_a_question_of_several_chunks_names_the_topics_of_all() -> None:
    recipe = GraphRecipe.model_validate({**PLACE, "topic": True, "personas": ["a clerk"], "queries_per_chunk": 4})
    chunks = contexts()
    graph = term_graph(chunks, 12, 6)
    scenarios = [
        one for n, chunk in enumerate(chunks) for one in draw_scenarios(recipe, n, chunk, graph, given_personas(recipe), 13)
    ]
    several = 0
    for scenario, (request, _) in zip(scenarios, question_requests(recipe, scenarios, chunks), strict=True):
        assert named(request) == "; ".join(dict.fromkeys(chunks[number].topic for number in scenario.chunks))
        several += len(scenario.chunks) > 1
    assert several


def test_a_recipe_that_names_topics_needs_them() -> None:
    with pytest.raises(ValidationError, match=r"recipe 'triplet' asks about the corpus's topics: say how many, as topics: 12"):
        GenerationSettings.model_validate({"recipes": [{"name": "triplet", **PLACE, "topic": True}]})


def said(prompt: str) -> str:
    """Answers every recipe with what it asks for, and perhaps more."""
    text = re.search(r"<chunk>\n(?:Manual\n\n)?(.+?)\n</chunk>", prompt, re.DOTALL)
    words = text[1].split() if text else ["nothing"]
    query = f"{' '.join(reversed(words[3:9]))} {len(prompt)}".lower()
    if "much more abstract" in prompt:
        return json.dumps({"abstract": f"things that are {query}"})
    if "bad descriptions" in prompt:
        return json.dumps({"good": [f"it is about {query}"], "bad": [f"it is never about {query}"]})
    return json.dumps(
        {
            "positive": f"{query}?",
            "negative": f"no {query}",
            "question": f"{query}?",
            "support": [{"passage": 1, "quote": " ".join(words[:4])}],
            "reason": "none",
            "score": 9,
        }
    )


@pytest.mark.slow
def test_the_topics_of_the_corpus_reach_the_prompts_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")
    monkeypatch.setenv("LOOPBACK_KEY", "loopback")
    chunks = [Chunk(one.id, one.doc_id, "s", "Manual", "", one.text, 20, 0, "en") for one in contexts()]
    with ScriptedLlm(said) as server:
        place = {**PLACE, "base_url": server.openai, "api_key_env": "LOOPBACK_KEY", "asks": 1, "topic": True}
        recipes = [
            {"name": "triplet", **place},
            {"name": "descriptions", **place},
            {"name": "axes", **place, "hops": {"1": 1}, "counts": {"factual": {"causal": 0}}},
            {
                "name": "graph",
                **place,
                "extraction": "terms",
                "personas": ["a clerk"],
                "kinds": {"single_specific": 1},
                "embedding_model": None,
            },
        ]
        settings = {"recipes": recipes, "topics": {"number": 2, "terms": 1}, "answers": str(tmp_path / "answers")}
        made = generate(chunks, GenerationSettings.model_validate(settings), 13, tmp_path)
        assert {row.recipe for row in made.queries} == {"triplet", "descriptions", "axes", "graph"}
        topics = {found[1] for prompt in server.asked if (found := NOTE.search(prompt))}
        assert len(topics) == 2
        for prompt in server.asked:
            found, judged = NOTE.search(prompt), "Judge the question" in prompt or "much more abstract" in prompt
            assert bool(found) is not judged
            if found and "Passage 2" not in prompt:
                assert found[1] in prompt.split("</chunk>")[0].lower()  # a term of the chunk itself

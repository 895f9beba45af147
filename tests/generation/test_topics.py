"""Topics of the corpus and words to start from: found, shown in prompts, checked in answers, and covered in the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, GeneratedQuery, WrittenRow
from finetrieve.core.tables import to_table
from finetrieve.core.text import query_words
from finetrieve.generation.chunk_context import ChunkContext, build_contexts
from finetrieve.generation.corpus_facts import find_facts
from finetrieve.generation.diversity import diversity_report
from finetrieve.generation.parse_response import InvalidResponseError
from finetrieve.generation.recipes.prompt import PromptRecipe
from finetrieve.generation.recipes.prompt_requests import PromptRequests, estimate_prompts
from finetrieve.generation.recipes.prompt_step import PromptStep
from finetrieve.generation.settings import GenerationSettings
from finetrieve.generation.topics import find_topics
from finetrieve.reporting.report_diversity import diversity_view

ABOUT = {
    "wifi": "The wireless network of the router shows guest {} its password.",
    "print": "The printer of the router takes paper tray {} and ink.",
    "port": "Port forwarding of the router opens game server {}.",
}
BASE = {
    "name": "prompt",
    "provider": "openai",
    "model": "m",
    "base_url": "http://127.0.0.1:9",
    "prompt": "{{ text }} {{ words }}",
    "answer": {"query": "text"},
    "attributes": {"words": {"values": ["share", "guest network"], "choose": 2, "occur_in": "query"}},
    "columns": {"query": "query"},
}


def recipe(**changed: Any) -> PromptRecipe:
    return PromptRecipe.model_validate({**BASE, **changed})


def corpus(each: int = 4) -> tuple[list[str], np.ndarray]:
    """Returns texts about three things, and vectors of which those about one thing lie together."""
    texts = [text.format(f"n{number}") for text in ABOUT.values() for number in range(each)]
    noise = np.random.default_rng(13).normal(scale=0.05, size=(len(texts), 3))
    vectors = np.repeat(np.eye(3), each, axis=0) + noise
    return texts, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def chunks(texts: Sequence[str]) -> list[Chunk]:
    return [Chunk(f"c{n}", f"d{n}", "s", "", "", text, 9, 0, "en") for n, text in enumerate(texts)]


def test_each_text_has_the_topic_of_its_cluster_labelled_by_what_tells_it_from_the_others() -> None:
    texts, vectors = corpus()
    topics = find_topics(texts, vectors, ["en"], 3, 2, 13)
    assert [len(set(topics[start : start + 4])) for start in (0, 4, 8)] == [1, 1, 1] and len(set(topics)) == 3
    for topic, text in zip(topics[::4], texts[::4], strict=True):
        assert topic.count(" / ") == 1 and "router" not in topic  # every topic has a router
        assert set(topic.replace(" / ", " ").split()) <= set(query_words(text))
    assert topics == find_topics(texts, vectors, ["en"], 3, 2, 13)


def test_labels_differ_even_where_the_words_do_not() -> None:
    vectors = np.eye(4, dtype=np.float32)
    topics = find_topics(["open door", "open door", "", "7 8"], vectors, [], 4, 3, 13)
    assert len(set(topics)) == 4 and {"topic 3", "topic 4"} & {topic[-7:] for topic in topics}


def test_more_topics_than_chunks_and_topics_that_nobody_looks_for_are_one_line() -> None:
    texts, vectors = corpus(1)
    with pytest.raises(InputError, match=r"12 topics are asked for, and the corpus has 3 different chunks\. Lower topics"):
        find_topics(texts, vectors, ["en"], 12, 3, 13)
    asked = {**BASE, "attributes": {"words": {"topics": True}}}
    with pytest.raises(ValidationError, match=r"recipe 'prompt' asks about the corpus's topics: say how many, as topics: 12"):
        GenerationSettings.model_validate({"recipes": [asked]})
    found = GenerationSettings.model_validate({"recipes": [asked], "topics": 5}).topics
    assert found is not None and (found.number, found.embedding_model) == (5, "embedded")


def test_the_report_says_what_of_each_topic_is_asked_about() -> None:
    rows = [
        GeneratedQuery("1", "c0", "who is a guest", None, "", "r", "m"),
        GeneratedQuery("2", "c0", "what is ink for", None, "", "r", "m", further_chunk_ids="c4"),
    ]
    topics = ["wifi"] * 4 + ["print"] * 2
    written = to_table([WrittenRow("w", "c5", "textbook", "m", "{}", "{}")], WrittenRow)
    found = diversity_report(to_table(chunks(["t"] * 6), Chunk), to_table(rows, GeneratedQuery), written, topics)
    assert found is not None
    covered = {name: (topic.chunks, topic.chunks_asked, topic.queries, topic.rows) for name, topic in found.topics.items()}
    assert covered == {"wifi": (4, 1, 2, 0), "print": (2, 1, 0, 1)}
    view = diversity_view(found)
    assert view is not None and view["topics"] == [("wifi", "4", "1 (25%)", "2", "0"), ("print", "2", "1 (50%)", "0", "1")]


def test_a_chunk_knows_its_words_and_a_prompt_takes_its_topic() -> None:
    asked = recipe(
        prompt="{{ text }} {{ theme }} {{ own }} {{ wish }} {{ reader }}",
        attributes={
            "theme": {"topics": True},
            "own": {"words": "chunk", "choose": 2},
            "wish": {"words": "corpus", "choose": 3},
            "reader": ["a", "b"],
        },
        combine="cross",
    )
    asked.check("local")
    settings = GenerationSettings.model_validate({"recipes": [{**BASE, "attributes": {"words": {"words": "chunk"}}}]})
    rows = chunks(corpus()[0])
    facts = find_facts(rows, settings, 13)
    found = list(build_contexts(rows, {**facts, "topic": ["the wifi"] * len(rows)}))
    assert {"guest", "password", "wireless"} <= set(found[0].words.splitlines()) and "ink" in found[4].words.splitlines()
    writer = PromptRequests(asked)
    drafts = writer.drafts(found[0], 13)
    assert [(draft.attributes["theme"], draft.attributes["reader"]) for draft in drafts] == [("the wifi", "a"), ("the wifi", "b")]
    assert all(set(draft.attributes["own"].split(", ")) <= set(found[0].words.splitlines()) for draft in drafts)
    assert all(set(draft.attributes["wish"].split(", ")) <= set(found[0].corpus_words.splitlines()) for draft in drafts)
    assert [draft.attributes for draft in drafts] == [draft.attributes for draft in writer.drafts(found[0], 13)]
    assert "the wifi" in writer.request(drafts[0], 0).messages[1]["content"]


def test_the_grid_of_a_dry_run_counts_topics_and_not_words(tmp_path: Any) -> None:
    asked = recipe(attributes={"words": {"words": "chunk"}, "theme": {"topics": True}, "reader": ["a", "b"]})
    found = [ChunkContext(f"c{n}", "", "", "text", True, True, topic=f"t{n % 2}", words=f"word{n}") for n in range(40)]
    details = estimate_prompts(asked, found, 13, tmp_path / "answers").details
    assert "  theme: t0 20, t1 20" in details and "  combinations: 4 of 4 asked for" in details
    assert not any(line.startswith("  words") for line in details)


CHUNK = ChunkContext("c1", "", "", "A page is shared by its menu, with guests of the network too.", True, True, "en")


@pytest.mark.parametrize(
    ("query", "occur", "lacks"),
    [
        ("sharing a page in the network of guests", None, None),
        ("how is a page shared", None, "guest network"),
        ("how is a page shared", 1, None),
        ("who is a guest", 1, "share, guest network"),
    ],
)
def test_words_have_to_occur_in_any_of_their_forms(query: str, occur: int | None, lacks: str | None) -> None:
    words = {"values": ["share", "guest network"], "choose": 2, "occur_in": "query", "occur": occur}
    writer = PromptRequests(recipe(attributes={"words": words}))
    request = writer.request(writer.drafts(CHUNK, 13)[0], 0)
    if lacks is None:
        assert request.parse(json.dumps({"query": query})) == {"query": query}
    else:
        with pytest.raises(InvalidResponseError) as raised:
            request.parse(json.dumps({"query": query}))
        assert {*str(raised.value).split("lacks: ")[1].split(", ")} == {*lacks.split(", ")}


def test_who_mends_a_query_is_told_which_words_stay_in_it() -> None:
    words = {"values": ["share", "guest network"], "choose": 2, "occur_in": "query", "occur": 1}
    asked = recipe(attributes={"words": words}, judge={})
    asked.check("local")
    writer = PromptRequests(asked)
    [draft] = writer.drafts(CHUNK, 13)
    draft.fields = {"query": "share it", "judge_reason": "It says 'it'."}
    assert (
        writer.request(draft, 2).messages[1]["content"].endswith(f"At least 1 of these occur in it: {draft.attributes['words']}.")
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"values": []}, "give it values"),
        ({"words": "chunk", "values": ["a"]}, "one of them"),
        ({"words": "page"}, "'chunk' or 'corpus'"),
        ({"topics": True, "choose": 2}, "choose 2: a chunk has one topic"),
        ({"words": "chunk", "occur": 1}, "occur 1: it needs occur_in"),
        ({"words": "chunk", "choose": 2, "occur": 3, "occur_in": "query"}, "occur 3: it needs occur_in, and at most choose"),
        ({"values": ["a, b", "c"], "choose": 2, "occur_in": "query"}, "a value has ', ' in it"),
    ],
)
def test_words_that_cannot_be_drawn_are_refused(words: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        recipe(attributes={"words": words})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"attributes": {"words": {"words": "chunk", "occur_in": "qery"}}},
            "no answer has the field 'qery'. Did you mean 'query'?",
        ),
        (
            {"attributes": {"words": {"topics": True}}, "joint": [{"of": {"words": "wifi"}}]},
            "joint: the values of attribute words are found in the corpus",
        ),
    ],
)
def test_names_that_do_not_fit_are_one_line(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as raised:
        recipe(**changed).check("local")
    assert said in str(raised.value) and "\n" not in str(raised.value)


def test_documents_without_words_are_one_line_and_a_chunk_without_any_is_a_reject() -> None:
    settings = GenerationSettings.model_validate({"recipes": [{**BASE, "attributes": {"words": {"words": "corpus"}}}]})
    with pytest.raises(InputError, match="Recipe 'prompt': the documents have no words to start queries from"):
        find_facts(chunks(["1 2", "?"]), settings, 13)
    step = PromptStep.model_construct(recipe=recipe(attributes={"words": {"words": "chunk"}}), seed=13)
    step._writer, step._scheduler = PromptRequests(step.recipe), NoRequests()  # type: ignore[arg-type,assignment]
    [result] = step.results(iter([CHUNK]))
    assert result["rejects"] == [["", "the chunk has no word of its own to start a query from"]] and not result["unasked"]


class NoRequests:
    """In place of the scheduler, where nothing is to be sent."""

    def send(self, requests: Any) -> list[Any]:
        assert list(requests) == []
        return []

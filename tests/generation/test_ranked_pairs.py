"""Preference pairs of recipe `prompt`: the best of several ranked answers with each that is clearly worse."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk
from finetrieve.core.tables import to_table
from finetrieve.generation import generate as generation
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.llm.request import Request
from finetrieve.generation.parse_response import InvalidResponseError
from finetrieve.generation.recipes.prompt import PromptRecipe
from finetrieve.generation.recipes.prompt_requests import PromptRequests
from finetrieve.generation.settings import GenerationSettings
from tests.fakes.scripted_llm import ScriptedLlm

ANSWERS = ["Open the menu.", "Ask somebody.", "Choose Share in the menu.", "Restart it."]
RANKED: dict[str, Any] = {
    "name": "prompt",
    "provider": "openai",
    "model": "m",
    "base_url": "http://127.0.0.1:9",
    "prompt": "{{ text }}",
    "answer": {"question": "text", "answers": ["text"]},
    "then": [{"prompt": "{% for one in answers %}{{ loop.index }}: {{ one }}\n{% endfor %}", "answer": {"scores": ["number"]}}],
    "pairs": {"of": "answers", "by": "scores", "least_margin": 3},
    "columns": {"prompt": "question", "chosen": "chosen", "rejected": "rejected", "margin": "margin"},
}
CHUNK = ChunkContext("c1", "Pages", "", "To share a page, open its menu and choose Share.", True, True)


def recipe(**changed: Any) -> PromptRecipe:
    return PromptRecipe.model_validate({**RANKED, **changed})


def shown(request: Request) -> list[str]:
    """Returns the answers as the judge reads them."""
    return [line.partition(": ")[2] for line in request.messages[1]["content"].splitlines()]


def rows(scores: list[float], answers: list[str] = ANSWERS, **changed: Any) -> list[dict[str, Any]]:
    """Returns what a judge's scores for the answers, as they were written, make; scores too few or too many as they are."""
    writer = PromptRequests(recipe(**changed))
    [draft] = writer.drafts(CHUNK, 13)
    draft.fields = {"question": "How do I share a page?", "answers": answers}
    request = writer.request(draft, 1)
    if len(scores) == len(answers):
        scores = [scores[answers.index(answer)] for answer in shown(request)]
    found = request.parse(json.dumps({"scores": scores}))
    return writer.rows(draft, draft.fields | found)


def test_the_best_answer_is_paired_with_each_that_is_worse_by_the_margin_the_nearest_first() -> None:
    made = rows([6, 1, 9, 8])
    assert made == [
        {"prompt": "How do I share a page?", "chosen": ANSWERS[2], "rejected": ANSWERS[0], "margin": 3},
        {"prompt": "How do I share a page?", "chosen": ANSWERS[2], "rejected": ANSWERS[1], "margin": 8},
    ]
    assert len(rows([6, 1, 9, 8], pairs={"of": "answers", "by": "scores"})) == 3


def test_answers_that_say_the_same_make_no_pair() -> None:
    assert rows([9, 2], ["Open the menu.", "open the menu"]) == []


@pytest.mark.parametrize("scores", [[9, 1, 5], [9, 1, 5, 4, 3]])
def test_a_judge_who_leaves_an_answer_out_is_asked_again(scores: list[float]) -> None:
    with pytest.raises(InvalidResponseError, match=rf"'scores' has {len(scores)} numbers for 4 texts; one for each"):
        rows(scores)


def test_the_judge_sees_the_answers_in_one_order_whichever_was_written_first() -> None:
    writer = PromptRequests(recipe())
    written = [list(order) for order in itertools.permutations(ANSWERS)]
    seen, first = [], Counter[int]()
    for answers in written:
        [draft] = writer.drafts(CHUNK, 13)
        draft.fields = {"question": "How do I share a page?", "answers": answers}
        request = writer.request(draft, 1)
        seen.append(shown(request))
        first[answers.index(seen[-1][0])] += 1
        assert request.messages == writer.request(draft, 1).messages
        assert draft.fields["answers"] == answers
        scores = request.parse(json.dumps({"scores": [float(len(answer)) for answer in shown(request)]}))["scores"]
        assert scores == [len(answer) for answer in answers]
    assert all(sorted(answers) == sorted(ANSWERS) and answers == seen[0] for answers in seen)
    assert first == dict.fromkeys(range(4), 6)


def test_the_judge_sees_the_answers_and_the_first_answer_makes_no_rows_yet() -> None:
    writer = PromptRequests(recipe())
    [draft] = writer.drafts(CHUNK, 13)
    draft.fields = writer.request(draft, 0).parse(json.dumps({"question": "How do I share?", "answers": ANSWERS}))
    assert sorted(shown(writer.request(draft, 1))) == sorted(ANSWERS)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"pairs": {"of": "replies", "by": "scores"}}, "pairs.of: 'replies' is no list of texts in an answer."),
        ({"pairs": {"of": "answers", "by": "question"}}, "pairs.by: 'question' is no list of numbers in an answer."),
        ({"pairs": {"of": "answers", "by": "answers"}}, "pairs.by: 'answers' is no list of numbers"),
        ({"rows": "answers"}, "pairs: they are rows of their own; leave out rows"),
        ({"columns": {"query": "question"}}, "pairs: they are rows of their own"),
        ({"attributes": {"margin": ["a"]}}, "pairs: 'margin' is a field of each pair; give your own another name."),
        (
            {"columns": {"prompt": "question", "chosen": "chosn"}},
            "there is no field or attribute 'chosn'. Did you mean 'chosen'?",
        ),
    ],
)
def test_pairs_that_cannot_be_made_are_one_line_before_anything_is_asked(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as raised:
        recipe(**changed).check("local")
    assert said in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.slow
def test_pairs_are_rows_of_a_run_and_a_judge_without_a_favourite_leaves_a_reject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai")
    monkeypatch.setenv("LOOPBACK_KEY", "loopback")

    def said(prompt: str) -> str:
        if "Open the menu of" in prompt:
            scores = {"Share page 1.": 9, "Open the menu of page 1.": 2, "No.": 1}
            read = re.findall(r"^\d: (.*)$", prompt, re.MULTILINE)
            return json.dumps({"scores": [5, 5, 5] if "page 0" in prompt else [scores[answer] for answer in read]})
        page = "page 0" if "page 0" in prompt else "page 1"
        return json.dumps(
            {"question": f"How is {page} shared?", "answers": [f"Open the menu of {page}.", f"Share {page}.", "No."]}
        )

    chunks = [Chunk(f"c{n}", f"d{n}", "s", "", "", f"To share page {n} use its menu.", 9, 0, "en") for n in range(2)]
    with ScriptedLlm(said) as server:
        settings = {
            "recipes": [{**RANKED, "base_url": server.openai, "api_key_env": "LOOPBACK_KEY"}],
            "answers": str(tmp_path / "a"),
        }
        made = generation.generate(to_table(chunks, Chunk), GenerationSettings.model_validate(settings), 13, tmp_path / "work")
    columns = [json.loads(row["columns"]) for row in made.written.to_pylist()]
    assert [(row["chosen"], row["rejected"], row["margin"]) for row in columns] == [
        ("Share page 1.", "Open the menu of page 1.", 7),
        ("Share page 1.", "No.", 8),
    ]
    [reject] = made.rejects.to_pylist()
    assert (reject["query"], reject["reason"]) == ("Open the menu of page 0.", "no other of 'answers' is worse by 3")

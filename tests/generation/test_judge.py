"""A judge: scores, one rewrite with the reason, what is dropped, and what curation, Argilla and the report make of the score."""

from __future__ import annotations

import json
from typing import Any

import pytest

from finetrieve.annotation.reconcile import measure_judge
from finetrieve.core.corpus import Corpus
from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, GeneratedQuery
from finetrieve.core.tables import to_table
from finetrieve.curation.filters import FILTERS, FilterInputs
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.llm.request_scheduler import Outcome
from finetrieve.generation.parse_response import InvalidResponseError
from finetrieve.generation.recipes.few_shot import FewShotRecipe
from finetrieve.generation.recipes.prompt import PromptRecipe
from finetrieve.generation.recipes.prompt_requests import PromptRequests
from finetrieve.generation.recipes.prompt_step import PromptStep
from finetrieve.generation.recipes.stages import SCORES, Judge
from finetrieve.reporting.report_review import _judge

CHUNK = ChunkContext("c1", "Router", "", "The guest network has a name of its own and no access to your devices.", True, True)
BASE = {
    "provider": "openai",
    "model": "m",
    "base_url": "http://127.0.0.1:9",
    "prompt": "Ask: {{ text }}",
    "answer": {"question": "text"},
    "columns": {"query": "question"},
    "judge": {"at_least": 7},
}
GOOD = dict.fromkeys(SCORES, 8)


def recipe(**changed: Any) -> PromptRecipe:
    return PromptRecipe.model_validate({**BASE, **changed})


def step(asked: PromptRecipe) -> PromptStep:
    made = PromptStep.model_construct(recipe=asked)
    made._writer = PromptRequests(asked)
    return made


def judged(asked: PromptRecipe, answers: list[dict[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """Returns the result of a draft that gets the answers, and the contents of what was asked."""
    made = step(asked)
    [draft] = made._writer.drafts(CHUNK, 13)
    result: dict[str, Any] = {"queries": [], "rejects": [], "failures": [], "unasked": 0, "answered": 0}
    asked_for, left = [], iter(answers)
    for stage in range(len(asked.stages)):
        if not draft.ended and made._is_wanted(draft, stage):
            request = made._writer.request(draft, stage)
            asked_for.append(request.messages[1]["content"])
            made._take(draft, result, Outcome(parsed=request.parse(json.dumps(next(left)))), stage)
    if not draft.ended:
        made._keep(draft, result)
    return result, asked_for


def test_a_good_query_is_judged_once_and_keeps_its_lowest_score() -> None:
    result, asked = judged(recipe(), [{"question": "who sees my devices"}, {"judge_reason": "none", **GOOD, "clear": 7}])
    assert [(row["query"], row["judge_score"]) for row in result["queries"]] == [("who sees my devices", 7.0)]
    assert len(asked) == 2 and "- who sees my devices\n" in asked[1] and all(f"- {name}: " in asked[1] for name in SCORES)


def test_what_is_found_wanting_is_written_anew_with_the_reason_and_judged_again() -> None:
    bad = {"judge_reason": "It says 'it'.", **GOOD, "self_contained": 2}
    answers = [{"question": "who sees it"}, bad, {"question": "do guests see my devices"}, {"judge_reason": "none", **GOOD}]
    result, asked = judged(recipe(), answers)
    assert [(row["query"], row["judge_score"]) for row in result["queries"]] == [("do guests see my devices", 8.0)]
    assert "The reason: It says 'it'." in asked[2] and "- do guests see my devices\n" in asked[3]
    result, _ = judged(recipe(), [*answers[:3], bad])
    assert result["queries"] == [] and result["rejects"] == [["do guests see my devices", "self_contained 2, at least 7 wanted"]]


def test_without_rewriting_or_a_limit_there_is_one_request_more() -> None:
    bad = {"judge_reason": "copied", **GOOD, "own_words": 0}
    result, asked = judged(recipe(judge={"rewrite": False}), [{"question": "who sees it"}, bad])
    assert len(asked) == 2 and result["queries"] == [] and len(result["rejects"]) == 1
    result, _ = judged(recipe(judge={"at_least": 0}), [{"question": "who sees it"}, bad])
    assert [row["judge_score"] for row in result["queries"]] == [0.0]
    assert recipe().requests_per_chunk == 4 and recipe(judge={"at_least": 0}).requests_per_chunk == 2


@pytest.mark.parametrize("answer", ['{"judge_reason": "x"}', json.dumps({"judge_reason": "x", **GOOD, "clear": 11}), "Fine!", ""])
def test_a_judgement_that_is_none_is_asked_for_again(answer: str) -> None:
    writer = PromptRequests(recipe())
    [draft] = writer.drafts(CHUNK, 13)
    draft.fields = {"question": "who sees my devices"}
    with pytest.raises(InvalidResponseError):
        writer.request(draft, 1).parse(answer)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"columns": {"text": "question"}}, "columns must name `query`"),
        (
            {"answer": {"questions": ["text"]}, "rows": "questions", "columns": {"query": "questions"}},
            "columns must name `query`",
        ),
        ({"answer": {"question": "text", "clear": "text"}}, "'clear' is a field of the judge"),
        ({"columns": {"query": "title"}}, "columns.query is 'title', which is no field of an answer"),
    ],
)
def test_a_judge_without_a_query_is_one_line(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as raised:
        recipe(**changed).check("local")
    assert said in str(raised.value) and "\n" not in str(raised.value)


def test_few_shot_queries_are_judged_too() -> None:
    place = {name: BASE[name] for name in ("provider", "model", "base_url")}
    asked = FewShotRecipe.model_validate({**place, "queries": ["wifi drops"], "judge": {}, "evolve": {"deepen": 1}})
    asked.check("local")
    assert asked.requests_per_chunk == 5 == len(asked.as_prompt().stages)
    assert asked.as_prompt().judge == Judge()


def test_the_filter_goes_by_the_score_and_leaves_those_without() -> None:
    rows = [GeneratedQuery(f"q{n}", "c", "a b", None, "", "r", "g", judge_score=s) for n, s in enumerate((6.0, 7.0, None))]
    corpus = Corpus(to_table([], Chunk))
    reasons = FILTERS.get("judge")(name="judge").find_rejects(rows, FilterInputs(corpus, lambda: None))  # type: ignore[arg-type,return-value]
    assert reasons == {"q0": "the judge's score is 6, at least 7 wanted"}


def test_agreement_of_judge_and_people_is_cohens_kappa() -> None:
    # Both good: 2, both bad: 1, judge alone: 1; observed 3/4, chance (3/4 * 2/4) + (1/4 * 2/4) = 1/2.
    found = measure_judge([(9, "confirmed"), (7, "confirmed"), (8, "rejected"), (3, "edited"), (None, "confirmed")])
    assert (found.records, found.share, found.kappa) == (4, 0.75, 0.5)
    assert "judged 4 records; with people it agrees in 75% of the cases" in _judge(found) and "kappa is 0.50" in _judge(found)
    assert measure_judge([(9, "confirmed"), (8, "rejected")]).kappa is None
    assert measure_judge([(None, "confirmed")]).records == 0 and _judge(measure_judge([])) == ""

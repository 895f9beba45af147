"""A judge: scores, one rewrite with the reason, what is dropped, and what curation, Argilla and the report make of the score."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from finetrieve.annotation.reconcile import measure_judge
from finetrieve.core.corpus import Corpus
from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, GeneratedQuery
from finetrieve.core.tables import to_table
from finetrieve.curation.filters import FILTERS, FilterInputs
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.llm.request import Outcome, Request
from finetrieve.generation.parse_response import InvalidResponseError
from finetrieve.generation.recipes.descriptions import DescriptionsRecipe
from finetrieve.generation.recipes.descriptions_step import DescriptionRequests, DescriptionsStep
from finetrieve.generation.recipes.few_shot import FewShotRecipe
from finetrieve.generation.recipes.prompt import PromptRecipe
from finetrieve.generation.recipes.prompt_requests import PromptRequests
from finetrieve.generation.recipes.prompt_step import PromptStep
from finetrieve.generation.recipes.query_judge import QueryJudge
from finetrieve.generation.recipes.stage_runner import StageRunner
from finetrieve.generation.recipes.stages import SCORES, Judge
from finetrieve.generation.recipes.triplet import TripletRecipe
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
NO_SCHEDULER: Any = None


def recipe(**changed: Any) -> PromptRecipe:
    return PromptRecipe.model_validate({**BASE, **changed})


def step(asked: PromptRecipe) -> PromptStep:
    made = PromptStep.model_construct(recipe=asked)
    made._writer = PromptRequests(asked)
    return made


def judged(asked: PromptRecipe, answers: list[dict[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """Returns the result of a draft that gets the answers, and the contents of what was asked."""
    made = step(asked)
    runner = StageRunner(made._writer, NO_SCHEDULER)
    [draft] = made._writer.drafts(CHUNK, 13)
    result: dict[str, Any] = {"queries": [], "rejects": [], "failures": [], "unasked": 0, "answered": 0}
    asked_for, left = [], iter(answers)
    for stage in range(len(asked.stages)):
        if not draft.ended and runner.is_wanted(draft, stage):
            request = made._writer.request(draft, stage)
            asked_for.append(request.messages[1]["content"])
            runner.take(draft, result, Outcome(parsed=request.parse(json.dumps(next(left)))), stage)
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


# Queries that another prompt wrote: recipes `triplet` and `descriptions`.


class Answers:
    """In a scheduler's place, parsing as it does: what a test says a model answers, by the last message of the request."""

    def __init__(self, answer: Callable[[str], dict[str, Any]]) -> None:
        self._answer, self.asked = answer, list[str]()

    def send(self, requests: Iterable[Request]) -> list[Outcome]:
        outcomes = []
        for request in requests:
            self.asked.append(request.messages[-1]["content"])
            found = self._answer(self.asked[-1])
            outcomes.append(
                Outcome(parsed=request.parse(json.dumps(found))) if found else Outcome(failure="timeout", reason="none")
            )
        return outcomes


TRIPLET = {"provider": "openai", "model": "m", "base_url": "http://127.0.0.1:9"}


def test_the_queries_of_recipe_triplet_are_judged_and_mended_and_keep_their_negatives() -> None:
    def answer(prompt: str) -> dict[str, Any]:
        if "was found wanting" in prompt:
            return {"query": "do guests see my devices"}
        if "Judge it." in prompt:
            if "- slow one\n" in prompt:
                return {}
            low = 2 if "- who sees it\n" in prompt else 9
            return {"judge_reason": "It says 'it'.", **GOOD, "self_contained": low}
        return {}

    asked = TripletRecipe.model_validate({**TRIPLET, "queries_per_chunk": 3, "judge": {"at_least": 7}})
    asked.check("local")
    assert asked.requests_per_chunk == 3 * 4
    rows = [("who sees it", "who sells routers"), ("name of the guest network", None), ("slow one", None)]
    written = [{"query": q, "negative": n, "style": "how_to", "persona": "novice", "shortened": False} for q, n in rows]
    scheduler: Any = Answers(answer)
    [result] = QueryJudge(asked, Judge()).judge(scheduler, [CHUNK], [{"queries": written, "failures": [], "unasked": 0}])
    kept = [(row["query"], row["negative"], row["judge_score"], row["style"], row["persona"]) for row in result["queries"]]
    assert kept == [
        ("do guests see my devices", "who sells routers", 8.0, "how_to", "novice"),
        ("name of the guest network", None, 8.0, "how_to", "novice"),
    ]
    assert result["failures"] == [["", "timeout", "none"]] and result["answered"] == 2
    assert "A person typed this query" in scheduler.asked[0]


def test_a_judge_that_never_accepts_drops_every_query_with_its_score() -> None:
    asked = TripletRecipe.model_validate({**TRIPLET, "judge": {"at_least": 10, "rewrite": False}})
    scheduler: Any = Answers(lambda _: {"judge_reason": "so", **GOOD})
    written = {"queries": [{"query": "who sees it", "negative": None, "style": "how_to"}], "failures": [], "unasked": 0}
    [result] = QueryJudge(asked, Judge(at_least=10, rewrite=False)).judge(scheduler, [CHUNK], [written])
    assert result["queries"] == [] and result["answered"] == 1
    assert result["rejects"] == [["who sees it", "self_contained 8, at least 10 wanted"]]


def test_descriptions_are_judged_as_descriptions() -> None:
    good = ["A separate place for visitors to go online", "Visitors may use what the owner has bought"]
    bad = ["A separate place for visitors to print documents"]

    def answer(prompt: str) -> dict[str, Any]:
        if "Write up to" in prompt:
            return {"good": good, "bad": bad}
        if "more abstract one" in prompt:
            return {"abstract": "Some people get less than others do"}
        assert "This description is to be true of the text above" in prompt and "typed this query" not in prompt
        return {"judge_reason": "It is not true.", **GOOD, "answerable": 1 if good[1] in prompt else 9}

    place = {**TRIPLET, "judge": {"at_least": 7, "rewrite": False}}
    asked = DescriptionsRecipe.model_validate(place)
    asked.check("local")
    assert asked.requests_per_chunk == 2 + 6
    made = DescriptionsStep.model_construct(recipe=asked, seed=13)
    made._writer, made._scheduler = DescriptionRequests(asked.as_prompt()), Answers(answer)  # type: ignore[assignment]
    [result] = made.results(iter([CHUNK]))
    assert [(row["query"], row["negative"], row["judge_score"]) for row in result["queries"]] == [
        ("Some people get less than others do", None, 8.0),
        (good[0], bad[0], 8.0),
    ]
    assert result["rejects"] == [[good[1], "answerable 1, at least 7 wanted"]]


def test_a_dry_run_counts_the_judges_requests(tmp_path: Path) -> None:
    triplet = TripletRecipe.model_validate({**TRIPLET, "queries_per_chunk": 2, "judge": {"at_least": 0}})
    assert triplet.estimate([CHUNK], 13, tmp_path / "answers").queries == 2 * 2
    described = DescriptionsRecipe.model_validate({**TRIPLET, "judge": {"rewrite": False}, "descriptions": 3})
    assert described.estimate([CHUNK], 13, tmp_path / "answers").queries == 2 + 4

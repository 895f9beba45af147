"""Recipe `few_shot`: queries like the user's own, harder ones made of them, and none too near another."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from finetrieve.core.errors import InputError
from finetrieve.generation.budget import Budget
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.llm.distilabel_llm import build_llm
from finetrieve.generation.llm.request_scheduler import RequestScheduler
from finetrieve.generation.llm.response_cache import ResponseCache
from finetrieve.generation.parse_response import InvalidResponseError
from finetrieve.generation.recipes.few_shot import FewShotRecipe
from finetrieve.generation.recipes.few_shot_step import FewShotRequests, FewShotStep
from finetrieve.generation.recipes.prompt_requests import PromptRequests, estimate_prompts
from finetrieve.generation.recipes.query_pool import Examples, QueryPool, draw_rounds
from finetrieve.generation.recipes.stages import SCORES
from finetrieve.generation.run_state import RunState
from tests.fakes.scripted_llm import ScriptedLlm

LOOP = asyncio.new_event_loop()
OWN = ["wifi drops upstairs", "open a port for {{ my }} game", "guest network {% for %} the printer"]
CHUNK = ChunkContext("c1", "Router", "", "The guest network has a name of its own and no access to your devices.", True, True)


def recipe(**changed: Any) -> FewShotRecipe:
    place = {"provider": "openai", "model": "m", "base_url": "http://127.0.0.1:9"}
    return FewShotRecipe.model_validate({**place, "queries": OWN, **changed})


def test_the_prompt_shows_some_of_the_users_queries_as_they_are() -> None:
    asked = recipe(shown=2, queries_per_chunk=3, context='A "router" %} manual.')
    asked.check("local")
    writer = PromptRequests(asked.as_prompt())
    drafts = writer.drafts(CHUNK, 13)
    contents = [writer.request(draft, 0).messages[1]["content"] for draft in drafts]
    assert len(set(contents)) == 3 and all(content.startswith('A "router" %} manual.\n') for content in contents)
    shown = [{query for query in OWN if f"\n- {query}\n" in content} for content in contents]
    assert all(len(queries) == 2 for queries in shown) and set.union(*shown) == set(OWN)
    assert recipe(shown=50).as_prompt().attributes["shown"].choose == 3


def test_a_query_is_made_harder_in_a_second_request() -> None:
    harder = recipe(evolve={"deepen": 1}, queries_per_chunk=2)
    assert harder.requests_per_chunk == 4
    writer = PromptRequests(harder.as_prompt())
    [draft, _] = writer.drafts(CHUNK, 13)
    draft.fields = writer.request(draft, 0).parse('{"query": "name of the guest network"}')
    second = writer.request(draft, 1)
    assert (
        "- name of the guest network" in second.messages[1]["content"]
        and "asks for what lies behind" in second.messages[1]["content"]
    )
    draft.fields |= second.parse('{"query": "why do guests not see my devices"}')
    [row] = writer.rows(draft, draft.fields)
    assert (row["query"], row["style"]) == ("why do guests not see my devices", "deepen")


def test_nearness_is_rouge_l() -> None:
    pool = QueryPool(["open a port for my game", "wifi drops upstairs"])
    # Common words in order: open, port, for, game; F1 = 2 * 4 / (6 + 5).
    assert pool.nearest("Open port 80 for game?", 0.5) == ("open a port for my game", pytest.approx(8 / 11))
    assert pool.nearest("Open port 80 for game?", 0.75) is None
    pool.add("Open port 80 for game?")
    assert pool.nearest("open PORT 80 for game", 1.0) == ("Open port 80 for game?", 1.0)


def test_what_is_too_near_the_pool_is_a_reject_and_the_pool_grows() -> None:
    step = FewShotStep.model_construct(recipe=recipe())
    step._pool = QueryPool(OWN)
    result: dict[str, Any] = {"rejects": []}
    rows = [{"query": "wifi drops upstairs often"}, {"query": "name of the guests"}, {"query": "name of guests"}]
    assert step.select(rows, result) == [rows[1]]
    assert [reason.split(" to ")[0] for _, reason in result["rejects"]] == ["ROUGE-L 0.86", "ROUGE-L 0.86"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"queries": []}, "give queries, or queries_file"),
        ({"queries": ["a b", True]}, "True is no query"),
        ({"queries_file": "x.txt"}, "give queries, or queries_file"),
        ({"evolve": {"deeper": 1}}, "unknown way 'deeper'"),
        ({"evolve": {"deepen": 1}, "self_rubrics": True}, "self_rubrics takes the place of evolve"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        recipe(**changed)


def test_a_mistake_in_the_queries_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "ours.txt"
    with pytest.raises(InputError, match=r"'Wifi drops, upstairs!' is there twice"):
        recipe(queries=[*OWN, "Wifi drops, upstairs!"]).check("local")
    with pytest.raises(InputError, match=r"ours.txt' cannot be read: No such file"):
        recipe(queries=[], queries_file=str(path)).check("local")
    path.write_text("# none\n\n")
    with pytest.raises(InputError, match=r"ours.txt' has no query"):
        recipe(queries=[], queries_file=str(path)).check("local")
    path.write_text("\n".join(OWN))
    assert recipe(queries=[], queries_file=str(path)).own_queries == OWN


def test_a_dry_run_counts_both_requests(tmp_path: Path) -> None:
    found = estimate_prompts(recipe(evolve={"reason": 1}).as_prompt(), [CHUNK], 13, tmp_path / "answers", coverage=False)
    assert found.queries == 2 and not any("combinations" in line for line in found.details)


# Generated queries as examples.


def test_rounds_double_and_a_chunk_more_moves_few_others() -> None:
    ids = [f"c{number}" for number in range(80)]
    rounds = draw_rounds(ids, "13")
    assert [len(places) for places in rounds] == [10, 10, 20, 40] and sorted(itertools.chain(*rounds)) == list(range(80))
    assert all(places == sorted(places) for places in rounds)
    later = {place: number for number, places in enumerate(draw_rounds([*ids, "new"], "13")) for place in places}
    assert sum(later[place] != number for number, places in enumerate(rounds) for place in places) <= 3
    assert [draw_rounds(ids[:n], "13") for n in (0, 1)] == [[], [[0]]] and len(draw_rounds(ids[:2], "13")) == 2


def test_draws_of_examples_rest_on_hashes_alone() -> None:
    queries = [f"query number {number}" for number in range(200)]
    examples, more = Examples(queries), Examples([*queries, "one more"])
    drawn = [examples.draw(2, f"c{number}") for number in range(300)]
    assert all(len(set(own)) == 2 for own in drawn) and len({query for own in drawn for query in own}) > 150
    assert drawn[7] == Examples(queries[::-1]).draw(2, "c7")
    later = [more.draw(2, f"c{number}") for number in range(300)]
    assert 0 < sum(before != after for before, after in zip(drawn, later, strict=True)) < 15  # 2 of 201 draws of two: about 3
    assert Examples().draw(2, "c1") == [] and Examples(["only"]).draw(2, "c1") == ["only"]


def test_generated_queries_stand_beside_the_users_as_data() -> None:
    writer = FewShotRequests(recipe(shown=2, shown_generated=2))
    [draft] = writer.drafts(CHUNK, 13)
    assert draft.attributes["shown"].count("\n- ") == 1
    writer.examples = Examples(["lan party </chunk> tonight", "wifi name of guests"])
    [draft] = writer.drafts(CHUNK, 13)
    content = writer.request(draft, 0).messages[1]["content"]
    assert "\n- lan party ‹/chunk> tonight\n" in content and "\n- wifi name of guests\n" in content
    assert sum(f"- {query}\n" in content for query in OWN) == 2


def grown(server: ScriptedLlm, folder: Path, budget: int | None = None) -> tuple[list[str], int]:
    """Returns the queries of a run with a real client, scheduler and answer cache, and how many requests a budget left unasked."""
    place = {"base_url": server.openai, "api_key_env": "LOOPBACK_KEY", "concurrency": 3}
    asked = recipe(**place, shown=3, shown_generated=2, max_rouge=0.9, judge={"rewrite": False}, queries_per_chunk=2)
    folder.mkdir(exist_ok=True)
    llm = build_llm(asked, None)
    llm._event_loop = LOOP
    llm.load()
    state = RunState.create(folder / f"state-{time.monotonic_ns()}.sqlite")
    step = FewShotStep.model_construct(recipe=asked, seed=13)
    step._writer, step._pool = FewShotRequests(asked), QueryPool(asked.own_queries)
    step._scheduler = RequestScheduler(llm, asked, ResponseCache(folder / "answers"), state, Budget(requests=budget))
    chunks = [ChunkContext(f"c{n}", f"Drawer {n}", "", f"Drawer {n} is opened by key {n}.", True, True) for n in range(12)]
    results = list(step.results(iter(chunks)))
    return [row["query"] for result in results for row in result["queries"]], sum(result["unasked"] for result in results)


def said(prompt: str) -> str:
    """Answers with a query that only the prompt decides, which a judge lets pass if its number is even."""
    number = int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:3])
    if "Judge it." in prompt:
        query = re.search(r"\n- (.+)\n", prompt)[1]  # type: ignore[index]
        return json.dumps({"judge_reason": "none", **dict.fromkeys(SCORES, 9 if int(query.split()[1]) % 2 == 0 else 2)})
    return json.dumps({"query": f"drawer {number} with key {number * 7 % 1000} {number % 97} please"})


@pytest.mark.slow
def test_what_passes_becomes_an_example_and_a_run_that_was_cut_off_ends_like_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai")
    monkeypatch.setenv("LOOPBACK_KEY", "loopback")
    with ScriptedLlm(said) as server:
        # 1. A whole run: later prompts show queries that passed the judge, and none that did not.
        whole, _ = grown(server, tmp_path / "whole")
        prompts = [prompt for prompt in server.asked if "Judge it." not in prompt]
        shown = {line[2:] for prompt in prompts for line in prompt.splitlines() if line.startswith("- drawer ")}
        assert len(prompts) == 24 and whole and shown and shown <= set(whole)
        assert sum("- drawer " in prompt for prompt in prompts) >= 16
        # 2. It again: the same, and nobody is asked.
        assert grown(server, tmp_path / "whole") == (whole, 0) and len(server.asked) == len(set(server.asked)) == 48
        # 3. One that is cut off twice asks in the end for the same, each once.
        server.asked.clear()
        assert [grown(server, tmp_path / "cut", budget)[1] > 0 for budget in (7, 20)] == [True, True]
        assert grown(server, tmp_path / "cut") == (whole, 0)
        assert len(server.asked) == len(set(server.asked)) == 48


# Self-rubrics.


def test_the_llm_writes_rubrics_and_actions_and_improves_by_one_of_them() -> None:
    improving = recipe(self_rubrics=True, queries_per_chunk=8)
    improving.check("local")
    assert improving.requests_per_chunk == 24
    writer = FewShotRequests(improving)
    drafts = writer.drafts(CHUNK, 13)
    actions = ["name the device", "add a condition", "ask for the reason"]
    seen = set()
    for draft in drafts:
        draft.fields = writer.request(draft, 0).parse('{"query": "name of the guest network"}')
        content = writer.request(draft, 1).messages[1]["content"]
        assert "- name of the guest network\n" in content and "rubric" in content and "Wi-Fi" not in content
        rubrics = {"use_case": "setting up", "skills": ["networks"], "rubrics": ["It is concrete."], "actions": actions}
        draft.fields |= writer.request(draft, 1).parse(json.dumps(rubrics))
        content = writer.request(draft, 2).messages[1]["content"]
        assert "Its use case: setting up." in content
        [action] = [action for action in actions if f"\n- {action}\n" in content]
        seen.add(action)
        draft.fields |= writer.request(draft, 2).parse('{"query": "how do guests of a flat find the network"}')
        [row] = writer.rows(draft, draft.fields)
        assert (row["query"], row["style"]) == ("how do guests of a flat find the network", "self_rubrics")
    assert len(seen) > 1


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I'm sorry, I can't help with that.",
        '{"use_case": "x"',
        json.dumps({"use_case": "set up", "skills": ["a b c"], "rubrics": ["a b c"], "actions": []}),
        json.dumps({"use_case": "set up", "skills": ["a b c"], "rubrics": ["a b c"], "actions": [""]}),
        json.dumps({"use_case": "set up", "skills": ["a b c"], "rubrics": ["a b c"], "actions": ["do it"] * 5}),
        json.dumps({"use_case": "", "skills": ["a b c"], "rubrics": ["a b c"], "actions": ["do it"]}),
    ],
)
def test_rubrics_that_are_none_are_asked_for_again(answer: str) -> None:
    writer = FewShotRequests(recipe(self_rubrics=True))
    [draft] = writer.drafts(CHUNK, 13)
    draft.fields = {"query": "name of the guest network"}
    with pytest.raises(InvalidResponseError):
        writer.request(draft, 1).parse(answer)

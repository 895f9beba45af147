"""Recipe `few_shot`: queries like the user's own, harder ones made of them, and none too near another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from finetrieve.core.errors import InputError
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.recipes.few_shot import FewShotRecipe
from finetrieve.generation.recipes.few_shot_step import FewShotStep, QueryPool
from finetrieve.generation.recipes.prompt_requests import PromptRequests, estimate_prompts

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

"""Several recipes in one generation: their rows are mixed by weight, always in the same way, and they share one budget."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from finetrieve.core.errors import InputError
from finetrieve.core.rows import GeneratedQuery, Reject
from finetrieve.core.tables import to_table
from finetrieve.generation.assemble import reject_overweight, select_rows
from finetrieve.generation.settings import GenerationSettings
from tests.fakes.llm import LlmServer
from tests.generation.conftest import KEY
from tests.generation.generating import folder_chunks, generate


def settings(answers: Path | str = "unused", budget: dict[str, Any] | None = None, **weights: float | None) -> GenerationSettings:
    """Recipe `rules`, or two of kind `triplet` by their labels, with their weights."""
    kinds: dict[str, dict[str, Any]] = {
        "rules": {"name": "rules"},
        "cloud": {"name": "triplet", "label": "cloud", "provider": "openai", "model": "gpt-4o-mini", "api_key_env": KEY},
        "desk": {"name": "triplet", "label": "desk", "provider": "ollama", "model": "llama3.2"},
    }
    recipes = [{**kinds[label], "weight": weight} for label, weight in weights.items()]
    return GenerationSettings.model_validate({"recipes": recipes, "answers": str(answers), "budget": budget or {}})


def rows(recipe: str, chunk: str, count: int) -> list[GeneratedQuery]:
    return [
        GeneratedQuery(f"{recipe}-{chunk}-{number}", chunk, f"query {number}", None, "how_to", recipe, "test")
        for number in range(count)
    ]


def mixed(made: list[GeneratedQuery], wanted: GenerationSettings) -> tuple[list[GeneratedQuery], list[Reject]]:
    table = to_table(made, GeneratedQuery)
    stays = select_rows(table, wanted)
    return list(itertools.compress(made, stays)), list(reject_overweight(table, stays))


def test_the_recipe_with_the_fewest_rows_for_its_weight_keeps_all_and_sets_the_others_share() -> None:
    made = rows("rules", "a", 6) + rows("rules", "b", 2) + rows("cloud", "a", 1) + rows("cloud", "b", 1)
    kept, thinned = mixed(made, settings(rules=3, cloud=2))
    # 2 rows at weight 2: a weight of 1 is worth 1 row, so the rules may have 3 of their 8.
    assert Counter(row.recipe for row in kept) == {"rules": 3, "cloud": 2}
    assert {row.id for row in kept} | {reject.id for reject in thinned} == {row.id for row in made}
    assert {reject.filter for reject in thinned} == {"mixing"}
    assert "'rules'" in thinned[0].reason


def test_a_chunk_gives_up_its_last_rows_before_another_gives_up_its_first() -> None:
    made = rows("rules", "a", 4) + rows("rules", "b", 1) + rows("rules", "c", 1) + rows("cloud", "a", 3)
    kept, _ = mixed(made, settings(rules=1, cloud=1))
    assert [row.id for row in kept if row.recipe == "rules"] == ["rules-a-0", "rules-b-0", "rules-c-0"]


def test_the_mix_is_the_same_in_whatever_order_the_chunks_come() -> None:
    chunks = [(f"c{number}", 1 + number % 5) for number in range(40)]
    made = [row for chunk, count in chunks for row in rows("rules", chunk, count)] + rows("cloud", "c0", 31)
    kept, _ = mixed(made, settings(rules=1, cloud=1))
    random.Random(0).shuffle(chunks)
    turned = [row for chunk, count in chunks for row in rows("rules", chunk, count)] + rows("cloud", "c0", 31)
    again, _ = mixed(turned, settings(rules=1, cloud=1))
    assert {row.id for row in kept} == {row.id for row in again}
    assert [row.id for row in again] == [row.id for row in turned if row.id in {kept_row.id for kept_row in kept}]


def test_without_weights_and_without_rows_nothing_is_thinned() -> None:
    made = rows("rules", "a", 6) + rows("cloud", "a", 1)
    assert mixed(made, settings(rules=None, cloud=None)) == (made, [])
    alone = rows("rules", "a", 6)
    assert mixed(alone, settings(rules=1, cloud=5)) == (alone, [])


@pytest.fixture
def asked(server: LlmServer) -> LlmServer:
    pytest.importorskip("openai")
    pytest.importorskip("ollama")
    server.configure(latency=0.02)
    return server


def at(server: LlmServer, made: GenerationSettings) -> GenerationSettings:
    """The settings with the server as the place of every recipe that asks an LLM."""
    places = {"openai": server.openai, "ollama": server.ollama}
    plain = made.model_dump()
    for recipe in plain["recipes"]:
        if recipe["name"] == "triplet":
            recipe["base_url"] = places[recipe["provider"]]
    return GenerationSettings.model_validate(plain)


@pytest.mark.slow
def test_two_llm_recipes_and_the_rules_run_together_and_keep_their_order(asked: LlmServer, tmp_path: Path) -> None:
    corpus = folder_chunks(20)
    wanted = at(asked, settings(tmp_path / "answers", rules=2, cloud=1, desk=1))
    first = generate(corpus, wanted, 13, tmp_path)
    count = Counter(row.recipe for row in first.queries)
    assert count["cloud"] == count["desk"] == 20
    assert count["rules"] == 40
    assert asked.stats()["requests"] == 40
    assert first.report["asked"]["cloud"]["requests"] == first.report["asked"]["desk"]["requests"] == 20
    assert {row.recipe: row.generator for row in first.queries if row.recipe != "rules"} == {
        "cloud": "openai/gpt-4o-mini",
        "desk": "ollama/llama3.2",
    }
    places = {chunk.id: place for place, chunk in enumerate(corpus)}
    recipes = ["rules", "cloud", "desk"]
    order = [(recipes.index(row.recipe), places[row.chunk_id]) for row in first.queries]
    assert order == sorted(order)

    # Without the cache every answer comes in another order: the rows do not.
    asked.configure(latency=0.01, sigma=1.5)
    again = generate(corpus, at(asked, settings(tmp_path / "others", rules=2, cloud=1, desk=1)), 13, tmp_path)
    assert again.queries == first.queries
    assert again.rejects == first.rejects


@pytest.mark.slow
def test_recipes_share_one_budget(asked: LlmServer, tmp_path: Path) -> None:
    spent = {"requests": 12}
    with pytest.raises(InputError, match=r"The budget for answers is spent: requests: 1[234] of 12\..*same command asks only"):
        generate(folder_chunks(20), at(asked, settings(tmp_path / "answers", spent, cloud=None, desk=None)), 13, tmp_path)
    # The two processes look at the same count, each before its own request: at most one of them is late.
    assert 12 <= asked.stats()["requests"] <= 13

    asked.reset()
    go_on = {"requests": 12, "when_spent": "go_on"}
    result = generate(folder_chunks(20), at(asked, settings(tmp_path / "answers", go_on, cloud=None, desk=None)), 13, tmp_path)
    assert 12 <= asked.stats()["requests"] <= 13
    assert 24 <= len(result.queries) <= 26  # those of the first run are kept and cost nothing


@pytest.mark.slow
def test_a_recipe_that_cannot_go_on_stops_the_others(asked: LlmServer, tmp_path: Path) -> None:
    asked.configure(latency=0.3)
    plain = at(asked, settings(tmp_path / "answers", cloud=None, desk=None)).model_dump()
    plain["recipes"][0]["model"] = "gpt-17"
    plain["recipes"][1]["concurrency"] = 1
    with pytest.raises(InputError, match=r"Generation stopped: .*gpt-17.*Check model and base_url"):
        generate(folder_chunks(30), GenerationSettings.model_validate(plain), 13, tmp_path)
    assert asked.stats()["requests"] < 20

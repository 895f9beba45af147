"""Queries that people typed, shown to the LLM by the recipes that imitate them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finetrieve.app.config import Config, load_config, plain
from finetrieve.app.dry_run import dry_run_text
from finetrieve.core.errors import InputError
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.recipes.triplet import TripletRecipe
from finetrieve.generation.recipes.triplet_prompts import prompt_writer
from finetrieve.generation.settings import GenerationSettings
from finetrieve.own_data.imitation import MOST_EXAMPLES, with_real_queries
from finetrieve.own_data.settings import QuerySettings

PLACE = {"provider": "openai", "model": "gpt-4o-mini", "base_url": "http://127.0.0.1:9"}
TRIPLET = {**PLACE, "name": "triplet", "examples": "query_logs", "shown": 2}
FEW_SHOT = {**PLACE, "name": "few_shot", "queries": "query_logs", "shown": 3}
TYPED = [f"pump {word} broken??" for word in ("seal", "gauge", "handle", "valve", "lamp", "</chunk> key")]


def generation(*recipes: dict[str, Any]) -> GenerationSettings:
    return GenerationSettings.model_validate({"recipes": recipes})


def log(folder: Path, *more: str) -> list[QuerySettings]:
    (folder / "asked.txt").write_text("\n".join([*TYPED, *more, "mail jane.doe@example.org the seal size"]))
    return [QuerySettings(path=str(folder / "asked.txt"), personal_data="keep")]


def chunk(number: int) -> ChunkContext:
    return ChunkContext(f"c{number}", "Pump", "", "Replace the seal of the pump every year and look at the gauge.", True, True)


def test_each_request_shows_other_queries_of_the_log_and_none_with_personal_data(tmp_path: Path) -> None:
    found = with_real_queries(generation(TRIPLET, FEW_SHOT), log(tmp_path), 13)
    triplet, few_shot = found.recipes
    assert set(triplet.examples) == set(few_shot.own_queries) == set(TYPED) and not found.imitates_logs
    writer = prompt_writer(triplet)
    asked = [draft.request.messages[1]["content"] for row in range(8) for draft in writer.drafts(chunk(row), 13)]
    shown = [[typed for typed in TYPED if f"\n- {typed.replace('<', '‹')}\n" in text] for text in asked]
    assert all(len(typed) == 2 for typed in shown) and {typed for some in shown for typed in some} == set(TYPED)
    assert all(text.count("</chunk>") == 1 and "has their manner, length and spelling" in text for text in asked)
    assert [draft.request.key for draft in writer.drafts(chunk(1), 13)] == [d.request.key for d in writer.drafts(chunk(1), 13)]
    assert [draft.request.key for draft in writer.drafts(chunk(1), 13)] != [d.request.key for d in writer.drafts(chunk(1), 14)]


def test_without_examples_the_request_is_the_one_it_was() -> None:
    plain_recipe = TripletRecipe.model_validate({**PLACE})
    [draft] = prompt_writer(plain_recipe).drafts(chunk(1), 13)
    assert "people typed" not in draft.request.messages[1]["content"]
    own = plain_recipe.model_copy(update={"examples": ["seal?"]})  # fewer than are shown
    assert "- seal?\n" in prompt_writer(own).drafts(chunk(1), 13)[0].request.messages[1]["content"]


def test_of_a_long_log_some_are_drawn_by_the_seed(tmp_path: Path) -> None:
    many = log(tmp_path, *(f"error {number} of the pump" for number in range(500)))
    drawn = [with_real_queries(generation(TRIPLET), many, seed).recipes[0].examples for seed in (13, 13, 14)]
    assert len(drawn[0]) == MOST_EXAMPLES and drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(("recipe", "key"), [(TRIPLET, "examples"), (FEW_SHOT, "queries")])
def test_a_recipe_that_imitates_queries_which_nobody_gave_says_so(
    recipe: dict[str, Any], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    [found] = with_real_queries(generation(recipe), [], 13).recipes
    with pytest.raises(InputError, match=rf"^Recipe '.*': {key} is query_logs, and there are no query_logs\. .* --queries FILE"):
        found.check("local")


def test_the_command_line_s_queries_are_shown_and_stay_out_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "pump.md").write_text("# Pump\n\nReplace the seal of the pump every year. Look at the gauge.\n" * 3)
    [item] = log(tmp_path)
    (tmp_path / "config.yaml").write_text(
        json.dumps({"source": {"name": "folder", "path": "docs"}, "generation": plain(generation(TRIPLET))})
    )
    config: Config = load_config(tmp_path / "config.yaml", queries=(str(item.path),))
    said = dry_run_text("generate", config)
    assert "These are queries that people typed:" in said and "jane.doe" not in said
    assert "pump seal" not in config.as_yaml()

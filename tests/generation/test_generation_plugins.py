"""A recipe and a provider of somebody else's: one new file each, by entry point and by dotted name, and a generation runs with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from finetrieve.app.config import load_config
from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk
from finetrieve.generation.generation_state import generation_state
from finetrieve.generation.llm.providers.base import PROVIDERS
from finetrieve.generation.recipes.base import RECIPES
from finetrieve.generation.settings import GenerationSettings
from tests.fakes.llm import LlmServer
from tests.generation.conftest import KEY
from tests.generation.generating import generate
from tests.installed_package import install_package

RECIPE = '''
from finetrieve.generation.recipes.base import Recipe
from finetrieve.generation.recipes.chunk_step import ChunkStep


class TitleStep(ChunkStep):
    def results(self, chunks):
        for chunk in chunks:
            self.count_done(1)
            yield {"queries": [{"query": self.recipe.pattern.format(chunk.title), "style": "what_is"}]}


class TitleRecipe(Recipe):
    """Asks about titles."""

    description = "a question about each title"
    name: str = "titles"
    pattern: str = "What is said about {}?"

    def step(self, seed, resources):
        return TitleStep(name=self.row_label, recipe=self, seed=seed, run_resources=resources)
'''
PROVIDER = '''
import httpx

from finetrieve.generation.llm.providers.base import Provider, Reply


class PlainHttp(Provider):
    """OpenAI's protocol without a client library."""

    name = "plain-http"
    description = "OpenAI's protocol over plain HTTP"
    base_url_missing = "the server's address"

    def connect(self):
        self._client = httpx.AsyncClient(headers={"Authorization": f"Bearer {self.key}"})

    async def _send(self, messages, schema, max_tokens):
        body = {"model": self.model, "messages": messages, "response_format": self.json_schema_format(schema)}
        response = await self._client.post(f"{self.base_url}/chat/completions", json=body)
        response.raise_for_status()
        found = response.json()
        usage = found["usage"]
        text = found["choices"][0]["message"]["content"]
        return Reply(text, "stop", usage["prompt_tokens"], usage["completion_tokens"])
'''
ENTRY_POINTS = """
[finetrieve.recipes]
titles = title_recipe:TitleRecipe
[finetrieve.providers]
plain-http = plain_http:PlainHttp
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the two files, which an installed package names in its entry points."""
    install_package(tmp_path, monkeypatch, ENTRY_POINTS, title_recipe=RECIPE, plain_http=PROVIDER)
    return tmp_path


def chunks() -> list[Chunk]:
    return [Chunk(f"c{n}", f"d{n}", "m.md", f"Alarm {n}", "", f"To mute the alarm {n}, swipe left.", 9, 0) for n in range(3)]


def settings(server: LlmServer, recipe: str, provider: str, answers: Path) -> dict[str, Any]:
    asking = {"name": "triplet", "provider": provider, "model": "gpt-4o-mini", "base_url": server.openai, "api_key_env": KEY}
    return {"recipes": [{"name": recipe, "pattern": "Why {}?"}, asking], "answers": str(answers)}


@pytest.mark.parametrize(("recipe", "provider"), [("titles", "plain-http"), ("title_recipe:TitleRecipe", "plain_http:PlainHttp")])
def test_a_generation_runs_with_a_recipe_and_a_provider_of_one_new_file_each(
    plugins: Path, server: LlmServer, recipe: str, provider: str, tmp_path: Path
) -> None:
    wanted = GenerationSettings.model_validate(settings(server, recipe, provider, tmp_path / "answers"))
    for one in wanted.recipes:
        one.check("local")
    made = generate(chunks(), wanted, 13, tmp_path / "distilabel")
    assert [row.query for row in made.queries if row.recipe == "titles"] == [f"Why Alarm {n}?" for n in range(3)]
    asked = [row for row in made.queries if row.recipe == "triplet"]
    assert len(asked) == 3 and all(row.generator == "plain-http/gpt-4o-mini" and row.negative_query for row in asked)
    assert made.report["asked"]["triplet"]["requests"] == 3 and made.usage["titles"].done == 3


def test_their_code_counts_for_cache_keys_and_their_names_are_listed(plugins: Path, server: LlmServer, tmp_path: Path) -> None:
    wanted = GenerationSettings.model_validate(settings(server, "titles", "plain-http", tmp_path / "answers"))
    before = generation_state(wanted)
    (plugins / "plain_http.py").write_text(PROVIDER + "# edited\n")
    assert generation_state(wanted) != before
    assert generation_state(GenerationSettings()) == "failed 0, templates none"
    assert RECIPES.descriptions()["titles"] == "a question about each title"
    assert PROVIDERS.descriptions()["plain-http"] == "OpenAI's protocol over plain HTTP"


def test_a_mistake_in_their_settings_is_said_as_in_ours(plugins: Path, tmp_path: Path) -> None:
    for text, message in {
        "{name: titles, patern: x}": "recipes[0].patern: unknown key. Did you mean 'pattern'?",
        "{name: title}": "recipes[0].name: unknown name 'title'. Did you mean 'titles'? Choose one of: rules, linked_sections, triplet, prompt, few_shot, descriptions, tasks, graph, axes, titles.",
        "{name: 'title_recipe:Titel'}": "The recipe 'title_recipe:Titel' cannot be loaded",
        "{name: triplet, model: m, provider: plain-htp}": "Unknown provider 'plain-htp'. Did you mean 'plain-http'?",
        "{name: triplet, model: m, provider: plain-http}": "provider 'plain-http' needs base_url: the server's address.",
    }.items():
        (tmp_path / "run.yaml").write_text(f"source: {{name: folder, path: .}}\ngeneration: {{recipes: [{text}]}}\n")
        with pytest.raises(InputError) as found:
            load_config(tmp_path / "run.yaml")
        assert message in str(found.value)

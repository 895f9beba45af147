"""Recipes as the shipped YAML files have them, whole: topics and seed words, growing examples, self-rubrics and judges."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from finetrieve.generation.recipes.stages import SCORES
from tests.conftest import ROOT, RunCommand, needs
from tests.fakes.scripted_llm import ScriptedLlm
from tests.pipelines.test_retrain import THINGS, write_config, write_docs

pytestmark = needs("openai")
_THING = re.compile(r"\nThe (\w+)")


def answer(prompt: str) -> str:
    """Answers as a model would that follows what is asked; a judge does not accept one query in eight, mended or not."""
    number = int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:3])
    thing = found[1] if (found := _THING.search(prompt)) else "machine"
    said: dict[str, Any] = {"query": f"{thing} {number} stops after {number % 977}"}
    if "Judge it." in prompt:
        query = re.search(r"\n\n- (.+)\n", prompt)[1]  # type: ignore[index]
        score = 9 if hashlib.sha256(query.encode()).digest()[0] % 8 else 3
        said = {"judge_reason": "So it is.", **dict.fromkeys(SCORES, score)}
    elif "was found wanting" in prompt and "This description" in prompt:
        said = {"query": f"Something that keeps the {thing} going, as part {number}"}
    elif "rubrics" in prompt:
        said = {"use_case": "repair", "skills": ["reading"], "rubrics": ["It is concrete."], "actions": ["Name the part."]}
    elif wanted := re.findall(r"(?:occur in it|one of these): (.+?)\.", prompt):
        said = {"query": " ".join([*(word for listed in wanted for word in listed.split(", ")[:2]), str(number)])}
    elif "Good descriptions" in prompt:
        said = {
            "good": [f"A part that somebody has to replace, number {number}"],
            "bad": [f"A part that lasts forever, {number}"],
        }
    elif "more abstract one" in prompt:
        said = {"abstract": f"Something that does not last, case {number}"}
    elif "## Positive to write" in prompt:
        said = {"positive": f"how do I get at the {thing} number {number}", "negative": f"who invented the {thing} in {number}"}
    return json.dumps(said)


def recipes_of(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / "configs" / "recipes" / f"{name}.yaml").read_text())["generation"][
        "recipes"
    ]
    return found


@pytest.mark.slow(minutes=2)
def test_the_recipe_files_come_from_yaml_to_metrics(warm_command: RunCommand, tmp_path: Path) -> None:
    docs, config, out = write_docs(tmp_path / "docs"), write_config(tmp_path / "config.yaml", small=True), tmp_path / "out"
    for thing in THINGS[6:]:
        (docs / f"{thing}.md").unlink()
    settings = yaml.safe_load(config.read_text())
    with ScriptedLlm(answer) as server:
        place = {"provider": "openai", "model": "gpt-4o-mini", "base_url": server.openai, "api_key_env": "LOOPBACK_KEY"}
        triplet = {"name": "triplet", "judge": {"at_least": 7, "rewrite": False}}
        recipes = [*recipes_of("seed-words"), *recipes_of("few-shot")[::2], *recipes_of("descriptions"), triplet]
        settings["generation"] = {
            "topics": {"number": 4, "embedding_model": settings["training"]["base_model"]},
            "recipes": [{**recipe, **place} for recipe in recipes],
            "answers": str(tmp_path / "answers"),
        }
        settings |= {"chunks": {"min_tokens": 8, "max_tokens": 64, "overlap_tokens": 0}, "filters": [{"name": "duplicates"}]}
        config.write_text(yaml.safe_dump(settings))
        arguments = ("--pipeline", "retrain", "--config", config, "--docs", docs, "--out", out)
        result = warm_command(*arguments, LOOPBACK_KEY="loopback")
        assert result.returncode == 0, result.stdout + result.stderr
        asked = list(server.asked)

    metrics = json.loads((out / "metrics.json").read_text())
    generation = metrics["generation"]
    assert not generation["failures"] and generation["dropped"]["quality"] > 3
    assert set(generation["recipes"]) == {recipe.get("label", recipe["name"]) for recipe in recipes}
    topics = generation["diversity"]["topics"]
    assert len(topics) == 4 and sum(topic["chunks"] for topic in topics.values()) == generation["chunks"]
    assert sum(topic["queries"] for topic in topics.values()) == generation["queries"]
    assert set(generation["diversity"]["coverage"]["by-topic"]["attributes"]) == {"style", "persona"}
    assert {"self_rubrics", "abstract", *topics} <= set(generation["styles"])
    assert any(re.search(r"\n- \w+ \d+ stops after \d+", prompt) for prompt in asked if "people typed" in prompt)
    assert metrics["eval_sets"]["generated"]["n_queries"] > 0
    report = (out / "report.html").read_text()
    assert "Topics of the documents" in report and next(iter(topics)) in report

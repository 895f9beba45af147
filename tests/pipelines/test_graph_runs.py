"""Questions of several chunks, whole: from the YAML file to the metrics, with an LLM's and with rules' questions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.conftest import RunCommand, needs
from tests.fakes.scripted_llm import ScriptedLlm
from tests.pipelines.test_retrain import write_config, write_docs

pytestmark = needs("openai")
_PASSAGE = re.compile(r"<chunk>\n(.*?)\n</chunk>", re.S)
_THING = re.compile(r"The (\w+)")


def answer(prompt: str) -> str:
    """Answers as a model would that reads which parts of the machine the passages are about."""
    passages = _PASSAGE.findall(prompt)
    things = [found[1] if (found := _THING.search(passage)) else "machine" for passage in passages]
    if "Describe this passage" in prompt:
        return json.dumps({"summary": passages[0][:80], "key_phrases": ["service desk"], "entities": [things[0], "the machine"]})
    if "Who comes to it" in prompt:
        return json.dumps({"name": f"Keeper of the {things[0]}", "who": "Repairs machines."})
    if "needs_more" in prompt:
        return json.dumps({"needs_more": True})
    if "Judge the question" in prompt:
        return json.dumps({"reason": "It is clear.", "score": 8})
    if "support:" in prompt:
        wanted = int(re.search(r"needs exactly (\d)", prompt)[1])  # type: ignore[index]
        quotes = [{"passage": n + 1, "quote": passages[n].splitlines()[-1][:30].rsplit(" ", 1)[0]} for n in range(wanted)]
        kind = re.search(r"It asks (.{12})", prompt)[1]  # type: ignore[index]
        return json.dumps({"question": f"{kind} {things[0]} {len(prompt)} machine", "support": quotes})
    return json.dumps({"question": f"how do the {' and the '.join(things)} go together {len(prompt)}"})


@pytest.mark.slow(minutes=3)
def test_questions_of_several_chunks_come_from_yaml_to_metrics(warm_command: RunCommand, tmp_path: Path) -> None:
    docs, config, out = write_docs(tmp_path / "docs"), write_config(tmp_path / "config.yaml", small=True), tmp_path / "out"
    with ScriptedLlm(answer) as server:
        place = {"provider": "openai", "model": "gpt-4o-mini", "base_url": server.openai, "api_key_env": "LOOPBACK_KEY"}
        settings = yaml.safe_load(config.read_text())
        settings["chunks"] = {"min_tokens": 8, "max_tokens": 48, "overlap_tokens": 0}
        settings["filters"] = [{"name": "duplicates"}]
        settings["generation"] = {
            "recipes": [
                {"name": "linked_sections"},
                {"name": "graph", **place, "personas": 2, "embedding_model": settings["training"]["base_model"]},
                {"name": "axes", **place, "reasoning_types": {"stated": "The passages state it."}, "hops": {1: 1, 2: 1}},
            ],
            "answers": str(tmp_path / "answers"),
        }
        config.write_text(yaml.safe_dump(settings))
        arguments = ("--pipeline", "retrain", "--config", config, "--docs", docs, "--out", out)
        result = warm_command(*arguments, LOOPBACK_KEY="loopback")
        assert result.returncode == 0, result.stdout + result.stderr
        asked = len(server.asked)

    generation = json.loads((out / "metrics.json").read_text())["generation"]
    assert set(generation["recipes"]) == {"linked_sections", "graph", "axes"} and not generation["failures"]
    assert generation["several_chunks"] > 10
    graphs = generation["graphs"]
    assert set(graphs) == {"graph", "linked_sections"} and "similarity" in graphs["graph"]["kinds"]
    assert all(graph["nodes"] == generation["chunks"] and graph["edges"] > 5 for graph in graphs.values())
    assert set(generation["personas"]) <= {f"Keeper of the {thing}" for thing in ("pump", "valve", "machine")} | set(
        generation["personas"]
    )
    metrics = json.loads((out / "metrics.json").read_text())
    split = generation["split"]
    assert sum(split["pairs"].values()) > sum(split["queries"].values())  # some have several answers
    assert metrics["eval_sets"]["generated"]["n_queries"] > 0
    report = (out / "report.html").read_text()
    assert "Queries that need several chunks" in report and "Links between chunks" in report
    assert asked > 50

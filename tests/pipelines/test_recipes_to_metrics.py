"""From YAML to metrics: recipe `tasks` writes pairs without documents, and recipe `descriptions` describes their passages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.conftest import RunCommand, needs
from tests.fakes.llm import LlmServer
from tests.pipelines.test_retrain import THINGS, write_config

pytestmark = needs("openai")


@pytest.mark.slow(minutes=2)
def test_tasks_become_pairs_and_descriptions_queries_of_a_model_with_metrics(warm_command: RunCommand, tmp_path: Path) -> None:
    subjects = [
        {"id": thing, "text": f"The {thing} of a coffee machine, how it is cleaned and when it is replaced."} for thing in THINGS
    ]
    (tmp_path / "subjects.jsonl").write_text("\n".join(map(json.dumps, subjects)), encoding="utf-8")
    with LlmServer(answers="quick") as server:
        place = {"provider": "openai", "model": "gpt-4o-mini", "base_url": server.openai, "api_key_env": "LOOPBACK_KEY"}
        recipe = {
            "name": "tasks",
            **place,
            "kinds": ["retrieval", "classification", "translation"],
            "row_languages": ["English", "Irish"],
            "max_rouge": 1.0,
        }
        config = tmp_path / "tasks.yaml"
        generation = {"recipes": [{**recipe, "tasks": 2}], "answers": str(tmp_path / "answers")}
        source = {"name": "files", "path": "subjects.jsonl"}
        config.write_text(yaml.safe_dump({"source": source, "chunks": {"min_tokens": 8}, "generation": generation}))
        out = tmp_path / "tasks"
        done = warm_command("--pipeline", "generate", "--config", config, "--out", out, LOOPBACK_KEY=server.key)
        assert done.returncode == 0, done.stderr[-3000:]
        rows = [json.loads(line) for line in (out / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
        assert {row["kind"] for row in rows} == {"retrieval", "classification", "translation"} and len(rows) >= 24
        assert all(row["query"] != row["passage"] != row["negative"] for row in rows)

        config = write_config(tmp_path / "descriptions.yaml", small=True)
        settings = yaml.safe_load(config.read_text())
        describe = {"name": "descriptions", **place, "descriptions": 2}
        generation = {"recipes": [describe], "answers": str(tmp_path / "answers")}
        settings |= {"generation": generation, "chunks": {"min_tokens": 4, "near_duplicate_threshold": 1.0}, "filters": []}
        config.write_text(yaml.safe_dump(settings))
        command = ("--pipeline", "retrain", "--config", config, "--docs", out / "rows.jsonl", "--pairs", out / "rows.jsonl")
        done = warm_command(*command, "--out", tmp_path / "model", LOOPBACK_KEY=server.key)
        assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / "model" / "metrics.json").read_text(encoding="utf-8"))
    [scores] = [one for name, one in found["eval_sets"].items() if one["kind"] != "human"]
    assert scores["n_queries"] > 0

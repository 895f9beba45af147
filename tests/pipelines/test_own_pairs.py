"""Training on pairs and queries of one's own, whole: no generation, a part kept to evaluate on, the cache, and taking it away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import RunCommand, needs
from tests.fakes.scripted_llm import ScriptedLlm
from tests.pipelines.test_retrain import STEPS, THINGS, write_config, write_docs

ASKED = ["my {} is broken, who helps?", "{} makes odd sounds", "where do I get another {}?", "wiping the {} down"]


@pytest.fixture
def llm() -> Iterator[ScriptedLlm]:
    """Says that nothing answers what is asked of lamps, and that the first chunk answers the others."""

    def grade(prompt: str) -> str:
        best = 0 if "<query>\nlamp dark" in prompt else 3
        return json.dumps({f"passage_{number}": best if number == 1 else 0 for number in range(1, 6)})

    with ScriptedLlm(grade) as server:
        yield server


@needs("openai")
@pytest.mark.slow(minutes=3)
@pytest.mark.usefixtures("scored_base")
def test_pairs_alone_are_trained_and_evaluated_on(
    warm_command: RunCommand, command: RunCommand, tmp_path: Path, llm: ScriptedLlm
) -> None:
    docs, out = write_docs(tmp_path / "docs"), tmp_path / "out"
    config = write_config(tmp_path / "config.yaml", small=True)
    rows = [{"query": text.format(thing), "positive": f"{thing}.md"} for thing in THINGS for text in ASKED]
    rows += [{"query": "what about the lamp post?", "positive": "Nothing in these pages says a word about lamp posts."}]
    pairs = tmp_path / "tickets.jsonl"
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = tmp_path / "asked.txt"
    asked.write_text("pump rattles loudly\nlamp dark\nLamp dark?\nmail me at jane.doe@example.org\nsensor noise what now\n")
    arguments = ("--pipeline", "retrain", "--config", config, "--docs", docs, "--pairs", pairs, "--queries", asked, "--out", out)
    options = ("--set", "generation.recipes=[]", "--set", "pairs[0].evaluate=0.3")
    grades = f"query_logs[0].grades={{provider: openai, model: m, base_url: {llm.openai}}}"
    options = (*options, "--set", grades)

    result = warm_command(*arguments, *options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    found = metrics["pairs"]["sets"]["tickets"]
    assert (found["queries"], found["pairs"], found["unmatched"]) == (49, 49, 1)
    assert found["matched"] == {"document": 48}
    queries = metrics["queries"]["sets"]["asked"]
    assert (queries["queries"], queries["asked"], queries["personal_data"]) == (3, 4, {"e-mail address": 1})
    assert queries["grades"]["graded"] == len(llm.asked) == 3 and not queries["grades"].get("fallbacks")
    assert queries["grades"]["unanswered_examples"] == ["lamp dark"] and queries["sure"] == 2
    assert "jane.doe" not in json.dumps(llm.asked)
    split = metrics["generation"]["split"]
    assert 0 < split["ranking_lists"] <= 3 and metrics["training"]["n_ranking_lists"] == split["ranking_lists"]
    assert split["own_pairs"]["train"] and split["held_out_pairs"]["test"] % len(ASKED) == 0
    assert metrics["generation"]["queries"] == 0
    judged = metrics["eval_sets"]["tickets"]
    assert (judged["kind"], judged["n_queries"]) == ("human", split["held_out_pairs"]["test"])
    assert metrics["verdict"]["eval_set"] == "tickets"
    report = (out / "report.html").read_text()
    assert "Your own pairs" in report and "no chunk says" in report and "Queries without answers" in report
    assert "3 queries graded, 1 that nothing in the documents answers" in report and "Asked, and nothing answers it" in report
    assert "jane.doe" not in report + json.dumps(metrics)

    again = warm_command(*arguments, *options)
    assert again.returncode == 0, again.stdout + again.stderr
    cached = again.stdout.split("from the cache (")[1].split(")")[0].split(", ")
    assert len(llm.asked) == 3
    assert set(cached) == {*STEPS, "load_pairs", "label_queries"} - {"find_production", "promote"}

    given = warm_command("export", "dataset", "1", "--to", tmp_path / "dataset", "--no-chunks")
    assert given.returncode == 0, given.stdout + given.stderr
    rows = pq.read_table(tmp_path / "dataset" / "data" / "test-00000-of-00001.parquet").to_pylist()
    assert {row["provenance"] for row in rows} == {"held_out"} and len(rows) == split["held_out_pairs"]["test"]
    # In a Python of its own: the Hub's client reads its address when it is imported.
    unasked = command("export", "model", "1", "--to", "hf:org/pumps", HF_ENDPOINT="http://127.0.0.1:9")
    assert unasked.returncode == 2 and "model.safetensors" in unasked.stdout and "Nothing was sent" in unasked.stderr

    pairs.write_text('{"query": "q", "positive": "x"}\n{"query": "", "positive": "x"}\n')
    wrong = warm_command(*arguments, *options)
    assert wrong.returncode == 2
    assert wrong.stderr.splitlines() == [
        "Error: tickets.jsonl, line 2: 'query' is empty; each row has a query and what answers it."
    ]
    nothing = warm_command("--pipeline", "retrain", "--config", config, "--docs", docs, "--set", "generation.recipes=[]")
    assert nothing.returncode == 2 and "generation.recipes is empty" in nothing.stderr

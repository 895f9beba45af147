"""Training on pairs of one's own, whole: no generation, a part kept to evaluate on, and from the cache the second time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import RunCommand
from tests.pipelines.test_retrain import STEPS, THINGS, write_config, write_docs

ASKED = ["my {} is broken, who helps?", "{} makes odd sounds", "where do I get another {}?", "wiping the {} down"]


@pytest.mark.slow(minutes=2)
def test_pairs_alone_are_trained_and_evaluated_on(command: RunCommand, tmp_path: Path) -> None:
    docs, config, out = write_docs(tmp_path / "docs"), write_config(tmp_path / "config.yaml"), tmp_path / "out"
    rows = [{"query": text.format(thing), "positive": f"{thing}.md"} for thing in THINGS for text in ASKED]
    rows += [{"query": "what about the lamp post?", "positive": "Nothing in these pages says a word about lamp posts."}]
    pairs = tmp_path / "tickets.jsonl"
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ("--pipeline", "retrain", "--config", config, "--docs", docs, "--pairs", pairs, "--out", out)
    options = ("--set", "generation.recipes=[]", "--set", "pairs[0].evaluate=0.3")

    result = command(*arguments, *options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    found = metrics["pairs"]["sets"]["tickets"]
    assert (found["queries"], found["pairs"], found["unmatched"]) == (49, 49, 1)
    assert found["matched"] == {"document": 48}
    split = metrics["generation"]["split"]
    assert split["own_pairs"]["train"] and split["held_out_pairs"]["test"] % len(ASKED) == 0
    assert metrics["generation"]["queries"] == 0
    judged = metrics["eval_sets"]["tickets"]
    assert (judged["kind"], judged["n_queries"]) == ("human", split["held_out_pairs"]["test"])
    assert metrics["verdict"]["eval_set"] == "tickets"
    report = (out / "report.html").read_text()
    assert "Your own pairs" in report and "no chunk says" in report

    again = command(*arguments, *options)
    assert again.returncode == 0, again.stdout + again.stderr
    cached = again.stdout.split("from the cache (")[1].split(")")[0].split(", ")
    assert set(cached) == {*STEPS, "load_pairs"} - {"find_production", "promote"}

    pairs.write_text('{"query": "q", "positive": "x"}\n{"query": "", "positive": "x"}\n')
    wrong = command(*arguments, *options)
    assert wrong.returncode == 2
    assert wrong.stderr.splitlines() == [
        "Error: tickets.jsonl, line 2: 'query' is empty; each row has a query and what answers it."
    ]
    nothing = command("--pipeline", "retrain", "--config", config, "--docs", docs, "--set", "generation.recipes=[]")
    assert nothing.returncode == 2 and "generation.recipes is empty" in nothing.stderr

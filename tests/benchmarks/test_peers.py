"""Which pairs the peers train on, and how their rows read."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import peers
import pytest
from peers import answering_chunks, own_pairs, table_of

from finetrieve.core.rows import Chunk, Pair
from finetrieve.evaluation.eval_sets import EvalSet
from finetrieve.evaluation.metrics import METRICS


def test_a_judged_question_goes_to_the_chunk_of_its_document_that_scores_best() -> None:
    chunks = [Chunk(f"c{row}", doc, "", "", "", "", 1, 0) for row, doc in enumerate(["a", "b", "a", "c"])]
    qrels = {"q1": {"a": 1, "b": 0}, "q2": {"c": 1, "gone": 1}}
    asked = EvalSet("given", "human", {"q1": "x", "q2": "y"}, qrels, "document", chunks, 3, {"c1": ("c",)})
    scores = np.array([[0.1, 0.9, 0.5, 0.9], [0.2, 0.8, 0.0, 0.3]], dtype=np.float32)
    # q1: of a's chunks 0 and 2 the second; q2: of c's own chunk 3 and chunk 1, whose copy it has, the latter.
    assert answering_chunks(asked, lambda query, rows: scores[query, list(rows)]) == [("q1", 2), ("q2", 1)]


def test_peers_train_on_what_chooses_for_us_but_not_on_peoples_questions() -> None:
    made = [Pair("q", "c", side, "generated", "") for side in ("train", "dev", "test")]
    assert own_pairs([*made, Pair("p", "c", "dev", "human", "")]) == made[:2]


def test_a_row_says_how_much_better_ours_is_and_in_what_time() -> None:
    arms = {"finetuned": 0.9, "hybrid_finetuned": 0.91}
    rows = [
        {"set": "manual", "name": "untrained", "arms": {"finetuned": 0.8}, "bm25": 0.75},
        {"set": "manual", "name": "ours", "n_pairs": 10, "seconds": 30.0, "arms": arms | {"fused_finetuned": 0.95}},
        {
            "set": "manual",
            "name": "zenml",
            "n_pairs": 10,
            "seconds": 120.0,
            "arms": arms,
            "ours_minus_peer": {"delta": 0.06, "low": 0.02, "high": 0.1},
            "time_ratio": 0.25,
        },
    ]
    table = table_of(rows)
    assert table[1] == ["untrained (BM25 0.750)", "-", "0.800", "-", "-", "-", "-", "-", "-"]
    assert table[2][:7] == ["ours", "10", "0.900", "0.910", "-", "0.950", "30"]
    assert table[3][4:] == ["-", "-", "120", "+6.0 [+2.0, +10.0]", "x0.25"]


def test_what_needs_no_training_is_scored_once_and_each_recipe_shown_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = list[list[str]]()

    def evaluated(*given: Any) -> SimpleNamespace:
        arms: list[str] = given[4]
        asked.append(arms)
        table = {arm: {"ndcg@10": {"value": 0.5}} for arm in arms}
        scored = SimpleNamespace(arms={"finetuned": np.full((4, len(METRICS)), 0.5)})
        metrics = SimpleNamespace(as_json=lambda: {"eval_sets": {"asked": {"arms": table}}})
        return SimpleNamespace(metrics=metrics, scored=[scored])

    monkeypatch.setattr(peers, "evaluated", evaluated)
    monkeypatch.setattr(peers, "RECIPES", dict.fromkeys(("ours", "zenml"), lambda *_: time.sleep(0.1)))
    named = {
        "task": SimpleNamespace(name="manual"),
        "questions": SimpleNamespace(name="asked"),
        "config": SimpleNamespace(seed=1),
    }
    rows = peers.compare(SimpleNamespace(pairs=[], chunks=[], **named), ["ours", "zenml"], None, tmp_path)  # type: ignore[arg-type]
    assert asked == [[*peers.UNTRAINED, *peers.COLUMNS], ["base", "finetuned", "hybrid_finetuned"]]
    assert [row["name"] for row in rows] == ["untrained", "ours", "zenml"]
    assert all("cpu_seconds" in row for row in rows[1:])
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == ["manual, ours", "manual, zenml"]

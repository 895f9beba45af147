"""metrics.json as a typed object: its schema is checked in, and what any version wrote can be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from finetrieve.evaluation.result import EvaluationResult, json_schema
from tests.conftest import ROOT
from tests.evaluation.many_arms import many_arms

SIDES = {"train": 82, "dev": 36, "test": 0}
GENERATION: dict[str, Any] = {
    "chunks": 24,
    "queries": 144,
    "queries_per_chunk": 6.0,
    "chunks_without_query": 0,
    "chunks_without_query_examples": ["Doors | Open it."],
    "chunks_shortened": 0,
    "styles": {"what_is": 90, "how_to": 54},
    "personas": {},
    "recipes": {"triplet": 144},
    "generators": {"openai/gpt": 144},
    "dropped": {"quality": 1},
    "dropped_examples": ["'tray': 1 words, 2 to 17 are wanted"],
    "failures": {"timeout": 2},
    "cost": 0,
    "asked": {
        "triplet": {
            "done": 144,
            "hits": 0,
            "requests": 150,
            "retries": 6,
            "input_tokens": 4_000,
            "output_tokens": 500,
            "failed": 0,
            "money": 0.0,
        }
    },
    "examples": {"how_to": ["How can I replace the door?"]},
    "filters": {
        "round_trip": {"in": 144, "kept": 143, "rate": 0.9931, "examples": [{"query": "a dry cloth", "reason": "rank 11"}]},
        "length": {"in": 143, "kept": 143, "rate": 1.0, "examples": []},
    },
    "split": {
        "unit": "document",
        "human_eval": True,
        "pairs": SIDES,
        "generated_pairs": SIDES,
        "edited_pairs": SIDES,
        "queries": SIDES,
        "chunks": SIDES,
        "documents": SIDES,
        "left_out_as_human_questions": 1,
        "moved_because_shared": 0,
        "review": {"rows": {"generated": 100}, "left_out": {}},
        "human_dev_questions": 4,
    },
}


def test_the_schema_in_docs_is_that_of_the_model() -> None:
    found = (ROOT / "docs" / "metrics.schema.json").read_text()
    assert found == json_schema(), "run: python -m finetrieve.evaluation.result > docs/metrics.schema.json"


def test_what_is_read_is_written_again_with_no_key_more_or_less() -> None:
    metrics = json.loads(json.dumps(many_arms()))
    assert EvaluationResult.model_validate(metrics).as_json() == metrics
    assert EvaluationResult().as_json() == {}
    assert json.dumps(EvaluationResult.model_validate({"generation": GENERATION}).as_json()) == json.dumps(
        {"generation": GENERATION}
    )


def test_a_key_that_nobody_declared_is_a_mistake() -> None:
    with pytest.raises(ValidationError):
        EvaluationResult.model_validate({"eval_sets": {}, "skipped_files": []})


@pytest.mark.parametrize(
    "changed",
    [
        {"new_part": 1},
        {"verdict": {"arm": "late_finetuned", "new_key": 1, "low": "a word"}},
        {"training": {"loss": [{"step": 1, "loss": 0.5}, {"step": 2}, None], "dev": None}},
        {"generation": {"asked": {"rules": None}, "filters": {"length": {"kept": 3}, "x": []}, "split": {"train": 3}}},
        {"corpus": None, "eval_sets": {"tv-manual": {"n_queries": 3, "arms": {"base": {"ndcg@10": {"value": 0.5}}}}}},
    ],
)
def test_metrics_of_another_version_are_read_as_far_as_they_are_known(changed: dict[str, Any]) -> None:
    read = EvaluationResult.read({**many_arms(), **changed})
    assert read.eval_sets["tv-manual"].n_queries in (3, 673)
    assert read.verdict.arm in ("fused_finetuned", "late_finetuned")
    assert [point.step for point in read.training.loss] in ([], [1])

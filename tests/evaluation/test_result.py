"""metrics.json as a typed object: its schema is checked in, and what any version wrote can be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from finetrieve.evaluation.result import EvaluationResult, json_schema
from tests.conftest import ROOT
from tests.evaluation.many_arms import many_arms


def test_the_schema_in_docs_is_that_of_the_model() -> None:
    found = (ROOT / "docs" / "metrics.schema.json").read_text()
    assert found == json_schema(), "run: python -m finetrieve.evaluation.result > docs/metrics.schema.json"


def test_what_is_read_is_written_again_with_no_key_more_or_less() -> None:
    metrics = json.loads(json.dumps(many_arms()))
    assert EvaluationResult.model_validate(metrics).as_json() == metrics
    assert EvaluationResult().as_json() == {}


def test_a_key_that_nobody_declared_is_a_mistake() -> None:
    with pytest.raises(ValidationError):
        EvaluationResult.model_validate({"eval_sets": {}, "skipped_files": []})


@pytest.mark.parametrize(
    "changed",
    [
        {"new_part": 1},
        {"verdict": {"arm": "late_finetuned", "new_key": 1, "low": "a word"}},
        {"training": {"loss": [{"step": 1, "loss": 0.5}, {"step": 2}, None], "dev": None}},
        {"corpus": None, "eval_sets": {"tv-manual": {"n_queries": 3, "arms": {"base": {"ndcg@10": {"value": 0.5}}}}}},
    ],
)
def test_metrics_of_another_version_are_read_as_far_as_they_are_known(changed: dict[str, Any]) -> None:
    read = EvaluationResult.read({**many_arms(), **changed})
    assert read.eval_sets["tv-manual"].n_queries in (3, 673)
    assert read.verdict.arm in ("fused_finetuned", "late_finetuned")
    assert [point.step for point in read.training.loss] in ([], [1])

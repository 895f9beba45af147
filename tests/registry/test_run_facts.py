from __future__ import annotations

import sys

import pytest

from finetrieve.app.run_metadata import typed_command
from finetrieve.evaluation.result import EvaluationResult
from finetrieve.registry.run_facts import outcome_tags


def test_a_run_is_tagged_with_its_documents_its_verdict_and_what_became_of_the_model() -> None:
    metrics = EvaluationResult.model_validate({"verdict": {"eval_set": "human", "better": None}})
    assert outcome_tags("my-docs", metrics, "staging") == ["docs-my-docs", "verdict-no-clear-difference", "stage-staging"]
    assert outcome_tags("my-docs", EvaluationResult()) == ["docs-my-docs"]


def test_the_command_is_kept_as_typed_without_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-mine")
    monkeypatch.setattr(sys, "argv", ["run.py", "--docs", "my docs", "--set", "generation.key=a-key-of-mine"])
    assert typed_command() == "python run.py --docs 'my docs' --set 'generation.key=***'"

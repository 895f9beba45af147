from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from finetrieve.app.config import Config
from finetrieve.core.base_model_report import BaseModelComparison
from finetrieve.core.training_record import TrainingRecord
from finetrieve.evaluation.base_models import TriedModel, choose_base_model
from finetrieve.evaluation.result import EvaluationResult
from finetrieve.reporting.report_base_models import base_models_view
from finetrieve.training.settings import TrainingSettings

QUESTIONS = 40


def tried(folder: Path, name: str, gain: float, size: int = 10, error: str = "") -> TriedModel:
    """Returns a model whose trained dense arm has 0.5 + gain on every question, beside an untrained one with 0.4."""
    directory = folder / name
    (directory / "late").mkdir(parents=True)
    (directory / "model.safetensors").write_bytes(b"x" * size)
    (directory / "late" / "model.safetensors").write_bytes(b"x" * size)  # a link to the same weights
    values = {"base": 0.4, "finetuned": 0.5 + gain}
    rows = [
        {"eval_set": "human", "query_id": f"q{number}", "arm": arm, "ndcg@10": value + (number % 2) / 100}
        for arm, value in values.items()
        for number in range(QUESTIONS)
    ]
    arms = {arm: {"ndcg@10": {"value": value, "low": value - 0.1, "high": value + 0.1}} for arm, value in values.items()}
    difference = {"arm": "finetuned", "against": "base", "metric": "ndcg@10", "delta": 0.1 + gain, "low": 0.05, "high": 0.2}
    human = {"n_queries": QUESTIONS, "kind": "human", "arms": arms, "comparisons": [difference], "best_untrained": "base"}
    scores = EvaluationResult() if error else EvaluationResult.model_validate({"eval_sets": {"human": human}})
    record = TrainingRecord(base_model=name, seconds=12.5)
    return TriedModel(name, error, directory, record, scores, pa.Table.from_pylist([] if error else rows), 3.0)


def test_the_best_headline_arm_wins_and_the_others_say_how_far_behind_they_are(tmp_path: Path) -> None:
    models = [tried(tmp_path, "small", 0.0), tried(tmp_path, "broken", 0.0, error="out of memory"), tried(tmp_path, "large", 0.1)]
    winner, found = choose_base_model(models, "auto", 200, seed=1)
    assert winner == 2
    assert [(trial.base_model, trial.winner, trial.error) for trial in found.trials] == [
        ("large", True, ""),
        ("small", False, ""),
        ("broken", False, "out of memory"),
    ]
    large, small, _ = found.trials
    assert (large.delta, large.arm, large.seconds, large.model_bytes) == (None, "finetuned", 12.5, 10)
    assert small.delta == pytest.approx(-0.1) and small.low == pytest.approx(-0.1)  # each question differs by as much
    assert (found.eval_set, found.n_queries) == ("human", QUESTIONS)
    view = base_models_view(found)
    assert view is not None and view["head"] == ["large, the best", "small"] and view["failed"] == [["broken", "out of memory"]]
    assert base_models_view(BaseModelComparison()) is None


def test_of_equals_the_smaller_model_wins(tmp_path: Path) -> None:
    models = [tried(tmp_path, "heavy", 0.0, size=20), tried(tmp_path, "light", 0.0, size=10)]
    assert choose_base_model(models, "auto", 200, seed=1)[0] == 1


def test_where_all_fail_each_reason_is_said(tmp_path: Path) -> None:
    models = [tried(tmp_path, "a", 0.0, error="no space"), tried(tmp_path, "b", 0.0, error="no tokenizer")]
    with pytest.raises(
        RuntimeError, match=r"None of 2 base models could be trained and evaluated\. a: no space; b: no tokenizer"
    ):
        choose_base_model(models, "auto", 200, seed=1)


def test_the_first_of_several_base_models_cuts_the_chunks() -> None:
    settings = TrainingSettings.model_validate({"base_model": "embedded", "base_models": ["org/a", "org/b"]})
    assert settings.base_model == "org/a"
    assert settings.of("org/b") == TrainingSettings(base_model="org/b")
    with pytest.raises(ValueError, match="names 'org/a' twice"):
        TrainingSettings(base_models=["org/a", "org/a"])
    reviewed = {"annotation": {"enabled": True, "compare": True}, "training": {"base_models": ["org/a", "org/b"]}}
    with pytest.raises(ValueError, match=r"measures the review with one base model, and training\.base_models names 2"):
        Config.model_validate({"source": {"name": "folder", "path": "docs"}, **reviewed})

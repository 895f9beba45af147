"""Two models on the same questions: the paired difference, and the questions that one of them answers better."""

from __future__ import annotations

from finetrieve.evaluation.settings import EvaluationSettings
from finetrieve.evaluation.two_models import NamedModel, TwoModels, compare_two_models, comparison_text
from tests.evaluation.test_evaluate import Tokens, _eval_set

SETTINGS = EvaluationSettings(bootstrap_samples=200)


def compared(noise: float, other: float) -> TwoModels:
    models = NamedModel("old", Tokens(noise)), NamedModel("new", Tokens(other))
    return compare_two_models(*models, [_eval_set()], SETTINGS, 1)


def test_the_better_model_is_named_with_its_interval_and_the_questions_that_it_answers_better() -> None:
    found = compared(3.0, 0.0)
    headline = {row.arm: row for row in found.rows if row.metric == "ndcg@10"}
    assert set(headline) == {"finetuned", "hybrid_finetuned", "late_finetuned", "fused_finetuned"}
    dense = headline["finetuned"]
    assert dense.n_queries == 60 and dense.value > dense.value_against and dense.low > 0
    assert {row.arm for row in found.questions} == {"fused_finetuned"}
    gaps = [abs(row.second - row.first) for row in found.questions]
    assert gaps == sorted(gaps, reverse=True) and gaps[-1] > 0
    text = comparison_text(found, 2)
    assert "nDCG@10 of new (B) against old (A)" in text and "phones" in text
    better = [row for row in found.questions if row.second > row.first]
    assert f"B answers {len(better)} questions better by fused search" in text
    assert better[0].question in text and (len(better) < 3 or better[2].question not in text)
    assert TwoModels.read(found.as_json()) == found


def test_a_model_does_not_differ_from_itself() -> None:
    found = compared(1.0, 1.0)
    assert {(row.delta, row.low, row.high) for row in found.rows} == {(0.0, 0.0, 0.0)} and not found.questions
    assert comparison_text(found, 2).endswith("No question is answered differently.")


def test_models_that_differ_in_another_way_of_searching_are_not_called_the_same() -> None:
    found = compared(3.0, 0.0)
    level = [row.model_copy(update={"delta": 0.0, "low": 0.0, "high": 0.0}) for row in found.rows if row.arm == "fused_finetuned"]
    rows = [*(row for row in found.rows if row.arm != "fused_finetuned"), *level]
    text = comparison_text(found.model_copy(update={"rows": rows, "questions": []}), 2)
    assert text.endswith("\nBy fused search no question is answered differently.")

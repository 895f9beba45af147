from __future__ import annotations

from typing import Any

import pytest

from finetrieve.evaluation.result import Comparison, EvaluationResult
from finetrieve.registry.promotion_rule import ModelComparison, against_base, decide, decide_about


def a_row(eval_set: str = "human", arm: str = "finetuned", metric: str = "ndcg@10", **interval: float) -> Comparison:
    return Comparison(eval_set=eval_set, arm=arm, metric=metric, n_queries=50, **interval)


BETTER = {"delta": 0.03, "low": 0.01, "high": 0.05}
UNCLEAR = {"delta": 0.01, "low": -0.01, "high": 0.03}
WORSE = {"delta": -0.03, "low": -0.05, "high": -0.01}


@pytest.mark.parametrize(
    ("rows", "stage", "words"),
    [
        ([a_row(**BETTER)], "production", "+3.0 points [+1.0, +5.0]"),
        ([a_row(**UNCLEAR)], "staging", "zero is inside"),
        ([a_row(**WORSE)], "archived", "Worse than docs:1"),
        ([a_row(delta=0.01, low=0.0, high=0.02)], "staging", "zero is inside"),
        ([a_row(**BETTER), a_row("other", **WORSE)], "staging", "nDCG@10 of 'Fine-tuned' on 'other' -3.0 points"),
        ([a_row(**BETTER), a_row(metric="recall@10", **WORSE)], "staging", "Recall@10"),
        ([a_row(**BETTER), a_row(arm="hybrid_finetuned", **WORSE)], "staging", "Hybrid, fine-tuned"),
        ([a_row(**BETTER), a_row("other", **UNCLEAR)], "production", "nothing else fell"),
        ([a_row("other", **BETTER)], "staging", "Nothing to compare"),
        ([], "staging", "Nothing to compare"),
    ],
)
def test_a_model_is_promoted_where_it_is_clearly_better_on_the_headline_and_nowhere_clearly_worse(
    rows: list[Comparison], stage: str, words: str
) -> None:
    decision = decide(rows, "human", "docs:1")
    assert (decision.stage, decision.by_the_rule) == (stage, True)
    assert words in decision.why


def test_the_verdicts_arm_decides_and_an_older_model_without_it_is_held_against_by_its_vectors() -> None:
    rows = [a_row(**WORSE), a_row(arm="late_finetuned", **BETTER)]
    decision = decide(rows, "human", "docs:1", "late_finetuned")
    assert (decision.stage, decision.arm) == ("staging", "late_finetuned")  # better, but the dense vectors fell
    assert "this fell: nDCG@10 of 'Fine-tuned'" in decision.why
    assert decide(rows[:1], "human", "docs:1", "late_finetuned").arm == "finetuned"


def metrics(**interval: float) -> EvaluationResult:
    comparison = {"arm": "finetuned", "against": "base", "metric": "ndcg@10", **interval}
    other = {"arm": "finetuned", "against": "bm25", "metric": "ndcg@10", **WORSE}
    found = {"n_queries": 50, "comparisons": [comparison, other]}
    return EvaluationResult.model_validate({"verdict": {"eval_set": "human"}, "eval_sets": {"human": found}})


def compared(*rows: Comparison, is_production: bool = False) -> ModelComparison:
    return ModelComparison(against="docs:1", is_production=is_production, rows=list(rows))


NOTHING_IN_PRODUCTION = ModelComparison()


def test_the_first_model_is_held_against_the_base_model_and_not_against_bm25() -> None:
    assert [row.against for row in against_base(metrics(**BETTER).eval_sets)] == ["base"]
    assert decide_about({}, metrics(**BETTER), NOTHING_IN_PRODUCTION, False).stage == "production"
    assert decide_about({}, metrics(**WORSE), NOTHING_IN_PRODUCTION, False).stage == "archived"


def test_a_model_that_beats_the_base_model_but_not_the_one_in_production_waits() -> None:
    decision = decide_about({}, metrics(**BETTER), compared(a_row(**UNCLEAR)), False)
    assert decision.stage == "staging" and "docs:1" in decision.why


def late(interval: dict[str, float], guard: dict[str, Any] | None = None, **changes: Any) -> EvaluationResult:
    """Metrics whose verdict holds late interaction against the best arm without training, BM25."""
    row = {"arm": "late_finetuned", "against": "bm25", "metric": "ndcg@10", **interval}
    own = {"arm": "late_finetuned", "against": "late_base", "metric": "ndcg@10", **BETTER}
    found = {"kind": "human", "n_queries": 50, "n_documents_judged": 9, "comparisons": [row, own], **changes}
    verdict = {"eval_set": "human", "arm": "late_finetuned", "against": "bm25"}
    training = {"guard": guard}
    return EvaluationResult.model_validate({"eval_sets": {"human": found}, "verdict": verdict, "training": training})


def test_the_first_model_must_beat_the_best_that_needs_no_training() -> None:
    decision = decide_about({}, late(BETTER), NOTHING_IN_PRODUCTION, False)
    assert decision.stage == "production" and "'BM25', the best without training" in decision.why
    assert decide_about({}, late(UNCLEAR), NOTHING_IN_PRODUCTION, False).stage == "staging"
    assert decide_about({}, late(WORSE), NOTHING_IN_PRODUCTION, False).stage == "archived"


def test_a_model_that_needs_no_training_to_be_beaten_is_archived_though_it_beats_the_one_in_production() -> None:
    decision = decide_about({}, late(WORSE), compared(a_row(arm="late_finetuned", **BETTER)), False)
    assert decision.stage == "archived"
    assert decision.why.startswith("Worse than 'BM25', which needs no training: nDCG@10 of 'Late, fine-tuned' on 'human' -3.0")


FELL = {"fell": True, "sentence": "On 60 lay questions late interaction fell by 4.0 points."}


@pytest.mark.parametrize(
    ("changes", "guard", "words"),
    [
        ({"kind": "generated"}, None, "only generated questions say so"),
        ({"n_queries": 29}, None, "only 29 questions say so, and 30 is the least"),
        ({"n_documents_judged": 1}, None, "one document answers all questions"),
        ({}, FELL, "training cost it general understanding (On 60 lay questions late interaction fell by 4.0 points)"),
    ],
)
def test_a_better_model_waits_for_a_person_where_little_speaks_for_it(
    changes: dict[str, Any], guard: dict[str, Any] | None, words: str
) -> None:
    found = late(BETTER, guard, **changes)
    for comparison in (NOTHING_IN_PRODUCTION, compared(a_row(arm="late_finetuned", **BETTER))):
        decision = decide_about({}, found, comparison, False)
        assert decision.stage == "staging" and decision.why.startswith("Better than") and words in decision.why
        assert decide_about({}, found, comparison, True).stage == "production"


def test_promote_anyway_overrides_the_rule_and_is_recorded_with_what_the_rule_said() -> None:
    decision = decide_about({}, metrics(**BETTER), compared(a_row(**WORSE)), True)
    assert decision.stage == "production" and not decision.by_the_rule
    assert "--promote-anyway" in decision.why and "Worse than docs:1" in decision.why


def test_what_a_person_rolled_back_stays_out_whatever_the_rule_says() -> None:
    decision = decide_about({"rolled_back": "2026-01-01"}, metrics(**BETTER), compared(a_row(**BETTER)), False)
    assert decision.stage == "archived" and not decision.by_the_rule


def test_the_model_in_production_stays_there() -> None:
    assert decide_about({}, metrics(**WORSE), compared(is_production=True), False).stage == "production"

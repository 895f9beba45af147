from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from steps.registry.promotion import against_base, compare_scores, decide, decide_about


def a_row(eval_set: str = "human", arm: str = "finetuned", metric: str = "ndcg@10", **interval: float) -> dict[str, Any]:
    return {"eval_set": eval_set, "arm": arm, "metric": metric, "n_queries": 50, **interval}


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
    rows: list[dict[str, Any]], stage: str, words: str
) -> None:
    decision = decide(rows, "human", "docs:1")
    assert (decision.stage, decision.by_the_rule) == (stage, True)
    assert words in decision.why


def metrics(**interval: float) -> dict[str, Any]:
    comparison = {"arm": "finetuned", "against": "base", "metric": "ndcg@10", **interval}
    other = {"arm": "finetuned", "against": "bm25", "metric": "ndcg@10", **WORSE}
    return {"verdict": {"eval_set": "human"}, "eval_sets": {"human": {"n_queries": 50, "comparisons": [comparison, other]}}}


def compared(*rows: dict[str, Any], is_production: bool = False) -> dict[str, Any]:
    return {"against": "docs:1", "is_production": is_production, "rows": list(rows)}


NOTHING_IN_PRODUCTION = {"against": None, "is_production": False, "rows": []}


def test_the_first_model_is_held_against_the_base_model_and_not_against_bm25() -> None:
    assert [row["against"] for row in against_base(metrics(**BETTER)["eval_sets"])] == ["base"]
    assert decide_about({}, metrics(**BETTER), NOTHING_IN_PRODUCTION, False).stage == "production"
    assert decide_about({}, metrics(**WORSE), NOTHING_IN_PRODUCTION, False).stage == "archived"


def test_a_model_that_beats_the_base_model_but_not_the_one_in_production_waits() -> None:
    decision = decide_about({}, metrics(**BETTER), compared(a_row(**UNCLEAR)), False)
    assert decision.stage == "staging" and "docs:1" in decision.why


def test_promote_anyway_overrides_the_rule_and_is_recorded_with_what_the_rule_said() -> None:
    decision = decide_about({}, metrics(**BETTER), compared(a_row(**WORSE)), True)
    assert decision.stage == "production" and not decision.by_the_rule
    assert "--promote-anyway" in decision.why and "Worse than docs:1" in decision.why


def test_what_a_person_rolled_back_stays_out_whatever_the_rule_says() -> None:
    decision = decide_about({"rolled_back": "2026-01-01"}, metrics(**BETTER), compared(a_row(**BETTER)), False)
    assert decision.stage == "archived" and not decision.by_the_rule


def test_the_model_in_production_stays_there() -> None:
    assert decide_about({}, metrics(**WORSE), compared(is_production=True), False).stage == "production"


def scores(queries: dict[str, float], arm: str = "finetuned", eval_set: str = "human") -> pa.Table:
    rows = [
        {"eval_set": eval_set, "query_id": query, "arm": arm, "ndcg@10": value, "mrr@10": value, "recall@10": 1.0}
        for query, value in queries.items()
    ]
    return pa.Table.from_pylist(rows)


def test_models_are_compared_question_by_question_whatever_the_order_of_the_rows() -> None:
    old = {f"q{number}": number / 100 for number in range(60)}
    new = {query: value + 0.05 for query, value in reversed(old.items())}
    rows = compare_scores(scores(new), scores(old), 500, 1)
    [ndcg] = [row for row in rows if row["metric"] == "ndcg@10"]
    # The scores spread over .6, but every question gained .05: a paired interval has no width.
    assert ndcg["n_queries"] == 60
    assert (ndcg["delta"], ndcg["low"], ndcg["high"]) == pytest.approx((0.05, 0.05, 0.05))
    [recall] = [row for row in rows if row["metric"] == "recall@10"]
    assert (recall["delta"], recall["low"], recall["high"]) == (0, 0, 0)


def test_only_questions_that_both_models_were_asked_are_compared() -> None:
    rows = compare_scores(scores({"a": 1.0, "b": 0.0, "new": 0.0}), scores({"a": 0.5, "b": 0.5, "gone": 1.0}), 100, 1)
    assert {row["n_queries"] for row in rows} == {2}
    assert compare_scores(scores({"a": 1.0}), scores({"b": 1.0}), 100, 1) == []

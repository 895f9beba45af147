from __future__ import annotations

import pyarrow as pa
import pytest

from finetrieve.evaluation.comparison import compare_scores


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
    [ndcg] = [row for row in rows if row.metric == "ndcg@10"]
    # The scores spread over .6, but every question gained .05: a paired interval has no width.
    assert ndcg.n_queries == 60
    assert (ndcg.delta, ndcg.low, ndcg.high) == pytest.approx((0.05, 0.05, 0.05))
    [recall] = [row for row in rows if row.metric == "recall@10"]
    assert (recall.delta, recall.low, recall.high) == (0, 0, 0)


def test_only_questions_that_both_models_were_asked_are_compared() -> None:
    rows = compare_scores(scores({"a": 1.0, "b": 0.0, "new": 0.0}), scores({"a": 0.5, "b": 0.5, "gone": 1.0}), 100, 1)
    assert {row.n_queries for row in rows} == {2}
    assert compare_scores(scores({"a": 1.0}), scores({"b": 1.0}), 100, 1) == []

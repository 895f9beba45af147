"""What the quality benchmark records, prints and compares, on made-up runs."""

from __future__ import annotations

from typing import Any

import pytest
from quality_tables import (
    aligned,
    compared,
    forgetting_table,
    learning_table,
    left_out_of,
    record_of,
    sign_of,
    table_of,
)


def delta(value: float, spread: float = 0.01) -> dict[str, float]:
    return {"delta": value, "low": value - spread, "high": value + spread}


def a_run(name: str = "manual", seed: int = 13, **values: float) -> dict[str, Any]:
    arms = {"bm25": 0.7, "base": 0.6, "finetuned": 0.75, "fused_finetuned": 0.8} | values
    return {
        "set": name,
        "seed": seed,
        "kind": "human",
        "n_queries": 50,
        "n_pairs": 400,
        "arms": {arm: {"value": value, "low": value - 0.1, "high": value + 0.1} for arm, value in arms.items()},
        "best_untrained": "bm25",
        "headline": delta(0.1),
        "tuned": delta(0.15),
        "guard": {"ndcg@10": {"dense": {"base": 0.61, "finetuned": 0.6}, "late": {"base": 0.63, "finetuned": 0.64}}},
        "seconds": 200.0,
        "training_seconds": 80.0,
        "peak_mb": 2000.0,
    }


def saved(*runs: dict[str, Any], **facts: Any) -> dict[str, Any]:
    return {"quick": False, "config": None, "machine": "two cores", "runs": list(runs)} | facts


def row(table: list[list[str]], label: str) -> list[str]:
    [found] = [cells[1:] for cells in table if cells[0] == label]
    return found


def test_a_record_is_of_the_largest_human_set() -> None:
    def table(kind: str, n_queries: int) -> dict[str, Any]:
        comparisons = [
            {"arm": "fused_finetuned", "against": "bm25", "metric": metric, **delta(gain)}
            for metric, gain in (("recall@10", 0.4), ("ndcg@10", 0.05))
        ]
        arms = {"bm25": {"ndcg@10": {"value": 0.5, "low": 0.4, "high": 0.6}, "mrr@10": {}}}
        counts = {"n_queries": n_queries, "n_chunks": 9}
        return {"kind": kind, "arms": arms, "best_untrained": "bm25", "comparisons": comparisons, **counts}

    sets = {"generated": table("generated", 900), "mine": table("human", 50)}
    metrics = {"eval_sets": sets, "verdict": {"sentence": "Better."}, "training": {"seconds": 3.0}}
    found = record_of(metrics, "manual", 13, {"seconds": 9.0, "peak_mb": 1.0})
    assert (found["kind"], found["n_queries"], found["training_seconds"], found["seconds"]) == ("human", 50, 3.0, 9.0)
    assert found["headline"] == delta(0.05)
    assert found["tuned"] is None
    assert found["arms"] == {"bm25": {"value": 0.5, "low": 0.4, "high": 0.6}}


def test_generated_questions_are_right_when_they_have_the_sign_of_peoples() -> None:
    wrong = sign_of(delta(0.05), delta(-0.02))
    unclear = sign_of(delta(0.05), delta(0.002))
    assert wrong and (wrong["right"], wrong["clear"]) == (False, True)
    assert unclear and (unclear["right"], unclear["clear"]) == (True, False)
    assert sign_of(None, delta(0.1)) is None


def test_the_table_has_a_row_per_arm_and_a_column_per_set() -> None:
    sign = sign_of(delta(0.05), delta(-0.02))
    table = table_of([a_run(), a_run("api", late_base=0.5) | {"sign": sign}])
    assert table[0] == ["nDCG@10", "manual", "api"]
    assert row(table, "late_base") == ["-", "0.500"]
    assert row(table, "fused_finetuned - best untrained") == ["+10.0 [+9.0, +11.0] (bm25)"] * 2
    assert row(table, "  the right sign") == ["", "NO"]
    assert row(table, "guard, late") == ["0.630 -> 0.640"] * 2
    assert row(table, "seconds") == ["200", "200"]


def test_seeds_are_shown_as_their_mean_and_spread() -> None:
    table = table_of([a_run(finetuned=0.70), a_run(seed=14, finetuned=0.80)])
    assert row(table, "finetuned") == ["0.750 ±0.071"]  # the sample's standard deviation: 0.1 / sqrt(2)
    assert row(table, "seconds") == ["200 | 200"]


def test_two_saved_runs_are_compared_set_by_set_over_their_seeds() -> None:
    old = saved(a_run(finetuned=0.70), a_run(seed=14, finetuned=0.74), a_run("gone"))
    new = saved(a_run(finetuned=0.75, late_finetuned=0.8) | {"seconds": 100.0}, quick=True)
    table = compared(old, new)
    assert table[0] == ["nDCG@10", "manual"]
    assert row(table, "finetuned") == ["0.720 -> 0.750 (+3.0)"]
    assert row(table, "late_finetuned") == ["-"]
    assert row(table, "seconds") == ["200 -> 100 (x0.50)"]
    assert left_out_of(old, new) == ["only in one of them: gone", "quick: False and True", "seeds: [13, 14] and [13]"]
    assert left_out_of(old, old) == []


def test_what_a_model_forgot_is_shown_beside_the_base() -> None:
    arms = {"base": 0.5, "finetuned": 0.48, "late_base": 0.6, "late_finetuned": 0.6, "fused_base": 0.7, "fused_finetuned": 0.71}
    table = forgetting_table([a_run() | {"forgetting": {"api": arms}}])
    assert table[1] == ["manual", "api", "0.500 -> 0.480 (-2.0)", "0.600 -> 0.600 (+0.0)", "0.700 -> 0.710 (+1.0)"]
    assert forgetting_table([a_run()]) == []


def test_a_learning_curve_has_a_row_per_share() -> None:
    point = {"share": 0.25, "n_pairs": 100, "arms": {"finetuned": 0.7, "late_finetuned": 0.8, "fused_finetuned": 0.9}}
    assert learning_table([a_run() | {"learning_curve": [point]}])[1] == ["manual", "25%", "100", "0.700", "0.800", "0.900"]


@pytest.mark.parametrize(("rows", "text"), [([], ""), ([["a", "bb"], ["ccc", "d"]], "a    bb\nccc   d")])
def test_tables_are_aligned(rows: list[list[str]], text: str) -> None:
    assert aligned(rows) == text

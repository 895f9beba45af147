"""The verdict: which set speaks, and what it says."""

from __future__ import annotations

from typing import Any

import pytest

from finetrieve.core.training_record import Guard
from finetrieve.evaluation.result import SetResult
from finetrieve.evaluation.verdict import reach_verdict
from tests.evaluation.many_arms import eval_set


def verdict(eval_sets: dict[str, Any], headline_arm: str = "auto", guard: dict[str, Any] | None = None) -> dict[str, Any]:
    """Returns the verdict as metrics.json has it."""
    read = {name: SetResult.model_validate(found) for name, found in eval_sets.items()}
    return reach_verdict(read, headline_arm, Guard.model_validate(guard) if guard else None).as_json()


def _scores(
    kind: str, n_queries: int, base: float, finetuned: float, low: float, high: float, bm25: float = 0.1
) -> dict[str, Any]:
    values = {"bm25": bm25, "base": base, "finetuned": finetuned}
    facts = {"delta": finetuned - base, "low": low, "high": high, "p": 0.01}
    return {
        "kind": kind,
        "n_queries": n_queries,
        "arms": {arm: {"ndcg@10": {"value": value, "low": value, "high": value}} for arm, value in values.items()},
        "comparisons": [{"arm": "finetuned", "against": "base", "metric": "ndcg@10", **facts}],
    }


@pytest.mark.parametrize(
    ("low", "high", "finetuned", "better", "sentence"),
    [
        (
            0.02,
            0.08,
            0.75,
            True,
            "Fine-tuning made retrieval better: on 1,200 questions of 'phones' nDCG@10 rose from 0.700 to 0.750",
        ),
        (
            -0.08,
            -0.02,
            0.65,
            False,
            "Fine-tuning made retrieval worse: on 1,200 questions of 'phones' nDCG@10 fell from 0.700 to 0.650",
        ),
        (-0.01, 0.03, 0.71, None, "No clear difference: on 1,200 questions of 'phones' nDCG@10 went from 0.700 to 0.710"),
        (0.0, 0.03, 0.71, None, "No clear difference"),
    ],
)
def test_an_interval_without_zero_is_a_verdict(
    low: float, high: float, finetuned: float, better: bool | None, sentence: str
) -> None:
    found = verdict({"phones": _scores("human", 1_200, 0.70, finetuned, low, high)})
    assert found["better"] is better
    assert found["sentence"].startswith(sentence)
    assert (found["eval_set"], found["metric"], found["low"], found["high"]) == ("phones", "ndcg@10", low, high)


def test_human_questions_speak_before_generated_ones_however_few() -> None:
    sets = {
        "generated": _scores("generated", 900, 0.5, 0.9, 0.3, 0.5),
        "small": _scores("human", 40, 0.7, 0.6, -0.2, -0.1),
        "large": _scores("human", 50, 0.7, 0.8, 0.05, 0.2),
    }
    assert verdict(sets)["eval_set"] == "large"
    assert verdict({"generated": sets["generated"]})["eval_set"] == "generated"


@pytest.mark.parametrize(
    ("scores", "warning"),
    [
        (_scores("human", 14, 0.7, 0.8, 0.05, 0.2), "So few questions say little: 30 is the least to lean on."),
        (_scores("generated", 90, 0.7, 0.8, 0.05, 0.2), "judge by questions that people asked"),
    ],
)
def test_what_weakens_the_verdict_is_said(scores: dict[str, Any], warning: str) -> None:
    assert warning in verdict({"set": scores})["sentence"]


def test_nothing_to_compare_is_said() -> None:
    scores = _scores("human", 90, 0.7, 0.8, 0.05, 0.2) | {"comparisons": []}
    assert verdict({"phones": scores})["better"] is None
    assert verdict({})["sentence"].startswith("There was nothing to compare")


# 2. Several ways of searching.

MANUAL = {
    "bm25": 0.746,
    "base": 0.655,
    "hybrid_base": 0.774,
    "late_base": 0.784,
    "fused_base": 0.781,
    "finetuned": 0.742,
    "hybrid_finetuned": 0.791,
    "late_finetuned": 0.825,
    "fused_finetuned": 0.828,
    "rerank20_finetuned": 0.824,
}
LATE_POINT = {
    "way": "late",
    "dims": 128,
    "precision": "int8",
    "pooling": 1,
    "ndcg@10": {"value": 0.818, "low": 0.79, "high": 0.84},
    "bytes_per_chunk": 12_800,
    "ms_per_query": 3.2,
    "recommended": True,
}


def _arms(values: dict[str, float], half: float = 0.01, kind: str = "human", n_queries: int = 673) -> dict[str, Any]:
    """An evaluation set in which every tuned arm is compared with every untrained one; intervals are `half` wide to each side."""
    rows = [
        {
            "arm": arm,
            "against": against,
            "metric": "ndcg@10",
            "p": 0.01,
            "delta": delta,
            "low": delta - half,
            "high": delta + half,
        }
        for arm in values
        if arm.endswith("finetuned")
        for against in values
        if not against.endswith("finetuned")
        for delta in [values[arm] - values[against]]
    ]
    untrained = {arm: value for arm, value in values.items() if not arm.endswith("finetuned")}
    return {
        "kind": kind,
        "n_queries": n_queries,
        "arms": {arm: {"ndcg@10": {"value": value, "low": value, "high": value}} for arm, value in values.items()},
        "comparisons": rows,
        "best_untrained": max(untrained, key=lambda arm: untrained[arm]),
        "bill": {"points": [LATE_POINT], "n_queries": n_queries},
    }


def test_the_best_tuned_arm_is_held_against_the_best_that_needs_no_training() -> None:
    found = verdict({"tv": _arms(MANUAL)})
    # fused is .3 points above late, which is simpler; the reranker is no way of searching of its own.
    assert (found["arm"], found["against"], found["better"]) == ("late_finetuned", "late_base", True)
    assert (found["delta"], found["base_delta"]) == pytest.approx((0.041, 0.170))
    assert found["sentence"].startswith(
        "Fine-tuning made retrieval better: on 673 questions of 'tv' nDCG@10 rose from 0.784 to 0.825 "
        "(+4.1 points, 95% interval +3.1 to +5.1). Use 'Late, fine-tuned'; the best without training is 'Late, base'."
    )
    assert found["cost"] == LATE_POINT
    assert "12.8 kB per chunk, 3.2 ms per query, nDCG@10 0.818" in found["next"][0]
    assert "reranker of the hybrid's first 20 it scores 0.824" in found["next"][1]


def test_a_named_arm_is_the_one_that_is_judged_and_a_missing_one_is_not() -> None:
    sets = {"tv": _arms(MANUAL)}
    assert verdict(sets, "finetuned")["arm"] == "finetuned"
    assert verdict(sets, "finetuned")["better"] is False
    assert verdict(sets, "cross_finetuned")["arm"] == "late_finetuned"


def test_where_no_training_is_better_the_sentence_says_to_use_that() -> None:
    found = verdict({"lay": _arms({"bm25": 0.2, "base": 0.405, "late_base": 0.436, "finetuned": 0.33, "late_finetuned": 0.36})})
    assert found["better"] is False
    assert "Use 'Late, base', which needs no training" in found["sentence"]
    assert found["next"][0] == (
        "Search by 'Late, base': it needs no training. Give your search the base model as it is, and leave the trained one where "
        "it is."
    )
    lexical = verdict({"codes": _arms({"bm25": 0.9, "base": 0.4, "finetuned": 0.6})})
    assert lexical["sentence"].startswith("A way of searching that needs no training is better")
    assert "Plain BM25 still scores higher (0.900)" in lexical["sentence"]


def test_bm25_is_called_level_where_the_interval_holds_zero() -> None:
    found = verdict({"tv": _arms({"bm25": 0.75, "base": 0.5, "finetuned": 0.74}, half=0.05)})
    assert found["better"] is None
    assert "BM25 is level (0.750)" in found["sentence"] and "still scores higher" not in found["sentence"]
    assert found["next"][0] == (
        "Until a difference shows, 'BM25' is as good and needs no training. Your search engine's own full-text search is BM25: keep "
        "it, no model has to be deployed."
    )


def test_what_comes_next_depends_on_who_asked() -> None:
    few = verdict({"generated": _arms({"base": 0.5, "finetuned": 0.51}, half=0.05, kind="generated")})
    assert any("collect 30 questions" in step for step in few["next"]) and any("LLM" in step for step in few["next"])
    assert 1 <= len(few["next"]) <= 3
    generated = verdict({"generated": _arms(MANUAL, kind="generated")})
    assert generated["better"] is True and "collect 30 questions" in generated["next"][0]


def test_a_model_that_lost_general_understanding_carries_a_warning() -> None:
    fell = {"fell": True, "sentence": "On 60 lay questions dense fell by 5.0 points."}
    assert "cost the model general understanding. On 60 lay questions" in verdict({"tv": _arms(MANUAL)}, guard=fell)["sentence"]
    assert "understanding" not in verdict({"tv": _arms(MANUAL)}, guard={**fell, "fell": False})["sentence"]


def test_the_way_to_search_is_held_against_plain_vectors_also_where_training_adds_nothing() -> None:
    scores = eval_set()
    for row in scores["comparisons"]:
        if row["metric"] == "ndcg@10" and row["arm"] == "late_finetuned":
            row |= {"delta": 0.001, "low": -0.02, "high": 0.02}
    found = verdict({"tv": scores}, headline_arm="late_finetuned")
    against = found["against"]
    assert found["better"] is None and found["way"] == against
    gain = {"metric": "ndcg@10", "arm": against, "p": 0.001}
    scores["comparisons"] = [row for row in scores["comparisons"] if (row["arm"], row["against"]) != (against, "base")]
    assert not verdict({"tv": scores}, headline_arm="late_finetuned")["sentence"].startswith("Search by")
    scores["comparisons"].append({**gain, "against": "base", "delta": 0.03, "low": 0.01, "high": 0.05})
    found = verdict({"tv": scores}, headline_arm="late_finetuned")
    assert found["sentence"].startswith(
        "Search by 'Late, base': it gains +3.0 points [+1.0, +5.0] over the base model's vectors alone"
    )
    assert (found["way_delta"], found["way_low"], found["way_high"]) == (0.03, 0.01, 0.05)


def test_the_base_model_alone_is_not_called_a_trained_one() -> None:
    values = {"bm25": 0.7, "base": 0.81, "fused_base": 0.89}
    found = verdict({"tv": _arms(values)})
    assert (
        found["sentence"]
        == "No trained model was scored; of the ways without training, 'Fused, base' is the best on 'tv': nDCG@10 0.890."
    )
    assert found["arm"] is None and found["better"] is None and found["next"] == []


def test_what_training_gains_for_one_vector_is_said_where_the_best_way_gains_nothing_clear() -> None:
    values = {"bm25": 0.7, "base": 0.81, "late_base": 0.88, "fused_base": 0.89, "finetuned": 0.84, "fused_finetuned": 0.895}
    found = verdict({"tv": _arms(values)})
    assert found["better"] is None
    gain = "Where you search by one vector per text, 'Fine-tuned' gains +3.0 points [+2.0, +4.0] over the base model's."
    assert gain in found["sentence"]
    assert "one vector per text" not in verdict({"tv": _arms(values, half=0.04)})["sentence"]
    assert "one vector per text" not in verdict({"tv": _arms({**values, "fused_finetuned": 0.95})})["sentence"]


@pytest.mark.parametrize(
    ("arms", "kind", "half", "n_queries", "expected"),
    [
        (
            {"base": 0.5, "finetuned": 0.51},
            "human",
            0.05,
            12,
            ["Until a difference shows, 'Base model'", "collect 30", "by an LLM"],
        ),
        ({"base": 0.5, "finetuned": 0.51}, "human", 0.05, 300, ["Until a difference shows", "More questions", "by an LLM"]),
        (
            {"base": 0.5, "finetuned": 0.51},
            "generated",
            0.05,
            300,
            ["Until a difference", "from search logs and tickets", "by an LLM"],
        ),
        (
            {"base": 0.5, "finetuned": 0.6},
            "generated",
            0.01,
            300,
            ["from search logs and tickets", "'Fine-tuned'", "models export"],
        ),
        ({"base": 0.5, "finetuned": 0.6}, "human", 0.01, 300, ["Search by 'Fine-tuned'", "models export VERSION --to DIR"]),
        ({"bm25": 0.9, "base": 0.4, "finetuned": 0.6}, "human", 0.01, 300, ["full-text search is BM25", "with an LLM"]),
        ({"bm25": 0.1, "base": 0.6, "finetuned": 0.5}, "human", 0.01, 300, ["the base model as it is", "with an LLM"]),
        (
            {"bm25": 0.9, "base": 0.4, "finetuned": 0.6},
            "human",
            0.01,
            12,
            ["full-text search is BM25", "collect 30", "with an LLM"],
        ),
    ],
)
def test_each_verdict_says_what_to_do_next(
    arms: dict[str, float], kind: str, half: float, n_queries: int, expected: list[str]
) -> None:
    steps = verdict({"questions": _arms(arms, half=half, kind=kind, n_queries=n_queries)})["next"]
    assert len(steps) == len(expected)
    assert all(words in step for words, step in zip(expected, steps, strict=True)), steps

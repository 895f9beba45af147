"""The verdict: which set speaks, and what it says."""

from __future__ import annotations

from typing import Any

import pytest

from steps.evaluation.verdict import verdict


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
        (_scores("human", 90, 0.7, 0.8, 0.05, 0.2, bm25=0.85), "Plain BM25 still scores higher (0.850)"),
    ],
)
def test_what_weakens_the_verdict_is_said(scores: dict[str, Any], warning: str) -> None:
    assert warning in verdict({"set": scores})["sentence"]


def test_nothing_to_compare_is_said() -> None:
    scores = _scores("human", 90, 0.7, 0.8, 0.05, 0.2) | {"comparisons": []}
    assert verdict({"phones": scores})["better"] is None
    assert verdict({})["sentence"].startswith("There was nothing to compare")

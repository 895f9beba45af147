"""The verdict: did retrieval get better, in one sentence that a newcomer understands?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steps.evaluation.bootstrap import FEW_QUERIES
from steps.evaluation.metrics import HEADLINE

_QUESTION = ("finetuned", "base")


def verdict(eval_sets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Returns `eval_set`, `metric`, `better`, `delta`, `low`, `high` and `sentence`.

    The largest human set decides; generated queries do only where there is no human set. `better` is None when the interval
    holds zero, or when there is nothing to compare.

    Args:
        eval_sets: The part of `metrics.json` of that name.
    """
    candidates = [(name, scores) for name, scores in eval_sets.items() if _comparison(scores)]
    if not candidates:
        return {
            "eval_set": None,
            "metric": HEADLINE,
            "better": None,
            "delta": None,
            "low": None,
            "high": None,
            "sentence": "There was nothing to compare: no evaluation set with both the base and the fine-tuned model.",
        }
    name, scores = max(candidates, key=lambda item: (item[1]["kind"] == "human", item[1]["n_queries"]))
    found = _comparison(scores)
    better = None if found["low"] <= 0 <= found["high"] else found["delta"] > 0
    facts = {key: found[key] for key in ("delta", "low", "high")}
    return {"eval_set": name, "metric": HEADLINE, "better": better, **facts, "sentence": _sentence(name, scores, better, facts)}


def _comparison(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fine-tuned model against the base model on the headline metric, or nothing."""
    rows = [row for row in scores["comparisons"] if (row["arm"], row["against"]) == _QUESTION and row["metric"] == HEADLINE]
    return dict(rows[0]) if rows else {}


def _sentence(name: str, scores: Mapping[str, Any], better: bool | None, facts: Mapping[str, float]) -> str:
    before, after = (f"{scores['arms'][arm][HEADLINE]['value']:.3f}" for arm in ("base", "finetuned"))
    span = f"{_signed(facts['delta'])} points, 95% interval {_signed(facts['low'])} to {_signed(facts['high'])}"
    n_queries = scores["n_queries"]
    asked = f"{n_queries:,} {'question' if n_queries == 1 else 'questions'}"
    who = f"on {asked} of '{name}'" if scores["kind"] == "human" else f"on {asked} generated from the documents"
    result = {
        True: f"Fine-tuning made retrieval better: {who} nDCG@10 rose from {before} to {after} ({span}).",
        False: f"Fine-tuning made retrieval worse: {who} nDCG@10 fell from {before} to {after} ({span}).",
        None: f"No clear difference: {who} nDCG@10 went from {before} to {after} ({span}, which includes zero).",
    }[better]
    return " ".join([result, *_warnings(scores)])


def _warnings(scores: Mapping[str, Any]) -> list[str]:
    warnings = []
    if scores["n_queries"] < FEW_QUERIES:
        warnings.append(f"So few questions say little: {FEW_QUERIES} is the least to lean on.")
    if scores["kind"] == "generated":
        warnings.append("Generated questions share words with their answers, so judge by questions that people asked.")
    arms = scores["arms"]
    if "bm25" in arms and arms["bm25"][HEADLINE]["value"] > arms["finetuned"][HEADLINE]["value"]:
        warnings.append(f"Plain BM25 still scores higher ({arms['bm25'][HEADLINE]['value']:.3f}).")
    return warnings


def _signed(value: float) -> str:
    """Returns a difference in points, hundredths of the metric."""
    return f"{100 * value:+.1f}"

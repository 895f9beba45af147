"""The verdict: which way of searching to use, and is it better than the best that needs no training?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from finetrieve.evaluation.bootstrap import FEW_QUERIES
from finetrieve.evaluation.formats import TUNED_ARMS, UNTRAINED_ARMS, arm_name, cost_words, headline_of, known
from finetrieve.evaluation.metrics import HEADLINE

AUTO = "auto"
LEVEL = 0.005
"""nDCG@10 that a simpler way of searching may score less and still be preferred: half a point."""
_FACTS = ("eval_set", "better", "arm", "against", "delta", "low", "high", "base_delta", "base_low", "base_high", "cost")
_EMPTY = (*_FACTS, "way", "way_delta", "way_low", "way_high")


def verdict(
    eval_sets: Mapping[str, Mapping[str, Any]], headline_arm: str = AUTO, guard: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Returns which tuned arm to use and how it compares with the best arm that needs no training.

    Keys: `eval_set`, `metric`, `arm`, `against`, `better` (None when the interval holds zero, or when there is nothing to
    compare), `delta`, `low`, `high`, the same of that arm against the base model (`base_delta`, `base_low`, `base_high`),
    `cost` (the point of the bill that is recommended for it, or its vectors in full), `way` (the arm to search by: the tuned one
    where it is better, else the best untrained one) with its gain over the base model's vectors alone (`way_delta`, `way_low`,
    `way_high`), `sentence`, and `next`: what to do now, in one to three sentences.

    The largest human set decides; generated queries do only where there is no human set.

    Args:
        eval_sets: The part of `metrics.json` of that name.
        headline_arm: A tuned arm, or `auto`: the best of dense, hybrid, late and fused, a simpler one where it is level.
        guard: The training record's part of that name: what the model kept of general understanding.
    """
    found = {name: pair for name, scores in eval_sets.items() if (pair := _question(scores, headline_arm))}
    if not found:
        sentence = "There was nothing to compare: no evaluation set with both the base and the fine-tuned model."
        return {**dict.fromkeys(_EMPTY), "metric": HEADLINE, "sentence": sentence, "next": []}
    name = max(found, key=lambda item: (eval_sets[item]["kind"] == "human", eval_sets[item]["n_queries"]))
    scores, (arm, against) = eval_sets[name], found[name]
    row, base_row = comparison(scores, arm, against), comparison(scores, arm, "base")
    better = None if row["low"] <= 0 <= row["high"] else row["delta"] > 0
    facts = {
        "eval_set": name,
        "metric": HEADLINE,
        "better": better,
        "arm": arm,
        "against": against,
        **{key: row[key] for key in ("delta", "low", "high")},
        **{f"base_{key}": base_row.get(key) for key in ("delta", "low", "high")},
        "cost": _cost_of(scores, arm),
    }
    facts |= _search_gain(scores, facts)
    training, way = [_result(name, scores, facts), _advice(facts)], _way(scores, facts)
    told = [*training, way] if better else [way, *training]
    sentences = [*told, *_warnings(scores, facts), *_guard_warning(guard)]
    return {**facts, "sentence": " ".join(part for part in sentences if part), "next": _next(scores, facts)}


def comparison(scores: Mapping[str, Any], arm: str, against: str) -> dict[str, Any]:
    """Returns the paired difference of two arms in the headline metric, or nothing."""
    pair = (arm, against, HEADLINE)
    rows = [row for row in scores.get("comparisons") or [] if (row["arm"], row["against"], row["metric"]) == pair]
    return dict(rows[0]) if rows and known(rows[0].get("delta")) else {}


def best_untrained(scores: Mapping[str, Any]) -> str | None:
    """Returns the best arm that needs no training, the simplest of equals."""
    values = _values(scores, UNTRAINED_ARMS)
    named = scores.get("best_untrained")
    return str(named) if named in values else max(values, key=lambda arm: values[arm], default=None)


def best_tuned(scores: Mapping[str, Any], headline_arm: str = AUTO) -> str | None:
    """Returns the tuned arm that is named, or the simplest that is within `LEVEL` of the best."""
    if headline_arm.endswith("finetuned") and headline_of((scores.get("arms") or {}).get(headline_arm, {})):
        return headline_arm
    values = _values(scores, TUNED_ARMS)
    return next((arm for arm in values if values[arm] >= max(values.values()) - LEVEL), None)


def own_base(arm: str) -> str:
    """Returns the arm that searches in the same way with the base model."""
    return arm.replace("finetuned", "base")


def _values(scores: Mapping[str, Any], arms: Sequence[str]) -> dict[str, float]:
    tables = scores.get("arms") or {}
    found = {arm: headline_of(tables[arm]) for arm in arms if arm in tables}
    return {arm: headline["value"] for arm, headline in found.items() if headline}


def _question(scores: Mapping[str, Any], headline_arm: str) -> tuple[str, str] | None:
    """Returns the tuned arm and the untrained one that it is held against; nothing where they were not compared.

    Older metrics compare with fewer arms: then the best of those that there are.
    """
    arm, untrained = best_tuned(scores, headline_arm), best_untrained(scores)
    if arm is None or untrained is None:
        return None
    values = _values(scores, UNTRAINED_ARMS)
    ranked = [untrained, *sorted(values, key=lambda other: -values[other])]
    for tuned in dict.fromkeys((arm, "finetuned")):
        for other in ranked:
            if comparison(scores, tuned, other):
                return tuned, other
    return None


def _cost_of(scores: Mapping[str, Any], arm: str) -> dict[str, Any] | None:
    """Returns the point of the bill for the arm's vectors: the recommended one where it is of their kind, else all in full."""
    ways = ("late", "rerank20") if arm.startswith(("late", "fused")) else ("dense",)
    points = [point for point in (scores.get("bill") or {}).get("points") or [] if point.get("way") in ways]
    marked = [point for point in points if point.get("recommended")]
    return next((dict(point) for point in (*marked, *points)), None)


def _search_gain(scores: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arm to search by, and its paired difference from the base model's vectors alone, where they were compared."""
    way = facts["arm"] if facts["better"] else facts["against"]
    row = comparison(scores, way, "base")
    return {"way": way, **{f"way_{key}": row.get(key) for key in ("delta", "low", "high")}}


# 1. Sentences.


def _way(scores: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Returns what the recommended way of searching gains over the base model's vectors and over BM25, where that is clear."""
    if not known(facts["way_low"]) or facts["way_low"] <= 0:
        return ""
    lexical = comparison(scores, facts["way"], "bm25")
    over_bm25 = f", and {_spanned(lexical)} over BM25" if lexical else ""
    own = {key: facts[f"way_{key}"] for key in ("delta", "low", "high")}
    return f"Search by '{arm_name(facts['way'])}': it gains {_spanned(own)} over the base model's vectors alone{over_bm25}."


def _spanned(row: Mapping[str, float]) -> str:
    return f"{_signed(row['delta'])} points [{_signed(row['low'])}, {_signed(row['high'])}]"


def _result(name: str, scores: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    before, after = (f"{scores['arms'][facts[key]][HEADLINE]['value']:.3f}" for key in ("against", "arm"))
    span = f"{_signed(facts['delta'])} points, 95% interval {_signed(facts['low'])} to {_signed(facts['high'])}"
    n_queries = scores["n_queries"]
    asked = f"{n_queries:,} {'question' if n_queries == 1 else 'questions'}"
    who = f"on {asked} of '{name}'" if scores["kind"] == "human" else f"on {asked} generated from the documents"
    if facts["better"] is False and facts["against"] != own_base(facts["arm"]):
        without = f"nDCG@10 is {before} with it, {after} after training"
        return f"A way of searching that needs no training is better: {who} {without} ({span})."
    return {
        True: f"Fine-tuning made retrieval better: {who} nDCG@10 rose from {before} to {after} ({span}).",
        False: f"Fine-tuning made retrieval worse: {who} nDCG@10 fell from {before} to {after} ({span}).",
        None: f"No clear difference: {who} nDCG@10 went from {before} to {after} ({span}, which includes zero).",
    }[facts["better"]]


def _advice(facts: Mapping[str, Any]) -> str:
    tuned, untrained = arm_name(facts["arm"]), arm_name(facts["against"])
    return {
        True: f"Use '{tuned}'; the best without training is '{untrained}'.",
        False: f"Use '{untrained}', which needs no training; the best after training is '{tuned}'.",
        None: f"Compared are '{tuned}' and the best without training, '{untrained}'.",
    }[facts["better"]]


def _warnings(scores: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    warnings = []
    if scores["n_queries"] < FEW_QUERIES:
        warnings.append(f"So few questions say little: {FEW_QUERIES} is the least to lean on.")
    if scores["kind"] == "generated":
        warnings.append("Generated questions share words with their answers, so judge by questions that people asked.")
    lexical = comparison(scores, facts["arm"], "bm25")
    if lexical and lexical["delta"] < 0:
        value = f"{scores['arms']['bm25'][HEADLINE]['value']:.3f}"
        level = lexical["high"] >= 0
        warnings.append(f"BM25 is level ({value})." if level else f"Plain BM25 still scores higher ({value}).")
    return warnings


def _guard_warning(guard: Mapping[str, Any] | None) -> list[str]:
    if not guard or not guard.get("fell"):
        return []
    return [f"Training cost the model general understanding. {guard.get('sentence') or ''}".strip()]


def _next(scores: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """Returns what to do now, in one to three sentences."""
    tuned, untrained = arm_name(facts["arm"]), arm_name(facts["against"])
    if facts["better"]:
        return [*_ask_people(scores), f"Search by '{tuned}'{_cost(facts['cost'])}.", *_as_reranker(scores, facts["arm"])]
    if facts["better"] is False:
        return [
            f"Search by '{untrained}': it needs no training.",
            "Training may still pay with better queries: write them with an LLM (a recipe under generation.recipes).",
        ]
    return [
        f"Until a difference shows, '{untrained}' is as good and needs no training.",
        *(_ask_people(scores) or ["More questions would tell small differences apart."]),
        "Queries written by an LLM may teach more than those of the rules: add a recipe under generation.recipes.",
    ]


def _cost(point: Mapping[str, Any] | None) -> str:
    words = cost_words(point) if point else ""
    return f" ({words})" if words else ""


def _as_reranker(scores: Mapping[str, Any], arm: str) -> list[str]:
    headline = headline_of((scores.get("arms") or {}).get("rerank20_finetuned", {}))
    if not headline or not arm.startswith(("late", "fused")):
        return []
    return [f"As a reranker of the hybrid's first 20 it scores {headline['value']:.3f} and needs no index of token vectors."]


def _ask_people(scores: Mapping[str, Any]) -> list[str]:
    if scores["kind"] == "human" and scores["n_queries"] >= FEW_QUERIES:
        return []
    return [f"Before you rely on this, collect {FEW_QUERIES} questions that people asked and pass them with --eval-set."]


def _signed(value: float) -> str:
    """Returns a difference in points, hundredths of the metric."""
    return f"{100 * value:+.1f}"

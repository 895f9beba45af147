"""What is kept with a model version and with a run: the few facts that one sorts and filters by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finetrieve.evaluation.metrics import HEADLINE

_SHORT = 12


def facts_of(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Returns flat facts from the content of `metrics.json`; what it does not say is left out.

    `corpus`, `documents`, `chunks`, `queries`, `generator`, `cost`, `base_model`, `verdict`, `eval_set`, `eval_queries`, `arm`
    and `untrained_arm` (the verdict's two), and `ndcg_at_10` (`_low`, `_high`) of that arm, of the untrained arm
    (`untrained_`), of the base model (`base_`) and of BM25 (`bm25_`).
    """
    corpus, generation = metrics.get("corpus") or {}, metrics.get("generation") or {}
    facts = {
        "corpus": str(corpus.get("fingerprint", ""))[:_SHORT],
        "documents": corpus.get("documents"),
        "chunks": corpus.get("chunks"),
        "queries": generation.get("queries"),
        "generator": _generator(generation),
        "cost": _cost(generation),
        "base_model": (metrics.get("training") or {}).get("base_model"),
        **_headline(metrics),
    }
    return {name: value for name, value in facts.items() if value not in (None, "")}


def _generator(generation: Mapping[str, Any]) -> str | None:
    """Returns what wrote the queries, with how many each."""
    writers = generation.get("generators")
    return ", ".join(f"{name} ({count:,})" for name, count in writers.items()) if isinstance(writers, Mapping) else None


def _cost(generation: Mapping[str, Any]) -> float | None:
    """Returns what generation cost, in the currency of the prices that the configuration gives."""
    cost = generation.get("cost")
    return float(cost) if isinstance(cost, int | float) else None


def _headline(metrics: Mapping[str, Any]) -> dict[str, Any]:
    verdict = metrics.get("verdict") or {}
    eval_set, arm, untrained = (verdict.get(name) for name in ("eval_set", "arm", "against"))
    found = (metrics.get("eval_sets") or {}).get(eval_set) or {}
    scores = {name: table.get(HEADLINE, {}) for name, table in (found.get("arms") or {}).items()}
    tuned = scores.get(arm or "finetuned", {})
    return {
        "verdict": {True: "better", False: "worse", None: "no clear difference"}[verdict.get("better")] if eval_set else None,
        "eval_set": eval_set,
        "eval_queries": found.get("n_queries"),
        "arm": arm,
        "untrained_arm": untrained,
        "ndcg_at_10": tuned.get("value"),
        "ndcg_at_10_low": tuned.get("low"),
        "ndcg_at_10_high": tuned.get("high"),
        "untrained_ndcg_at_10": scores.get(untrained, {}).get("value"),
        "base_ndcg_at_10": scores.get("base", {}).get("value"),
        "bm25_ndcg_at_10": scores.get("bm25", {}).get("value"),
    }

"""What is kept with a model version and with a run: the few facts that one sorts and filters by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finetrieve.core.training_record import BaseModelCard
from finetrieve.evaluation.result import EvaluationResult, SetResult

_SHORT = 12
_BETTER = {True: "better", False: "worse", None: "no clear difference"}


def facts_of(metrics: EvaluationResult) -> dict[str, Any]:
    """Returns flat facts from the content of `metrics.json`; what it does not say is left out.

    `corpus`, `documents`, `chunks`, `queries`, `generator`, `cost`, `own_data` (sets of pairs and queries that somebody had, with
    their number of queries), `training_pairs`, `training_steps`, `base_model`, `base_name` and `base_revision` (its id on the
    Hub, and which version), `verdict`, `eval_set`, `eval_queries`, `arm` and `untrained_arm` (the verdict's two), and
    `ndcg_at_10` (`_low`, `_high`) of that arm, of the untrained arm (`untrained_`), of the base model (`base_`) and of BM25
    (`bm25_`).
    """
    made, base = metrics.generation, metrics.training.base or BaseModelCard()
    own = [(name, pairs.queries) for name, pairs in metrics.pairs.sets.items()]
    own += [(name, queries.queries) for name, queries in metrics.queries.sets.items()]
    facts = {
        "corpus": metrics.corpus.fingerprint[:_SHORT],
        "documents": metrics.corpus.documents,
        "chunks": metrics.corpus.chunks,
        "queries": made.queries,
        "generator": ", ".join(f"{name} ({count:,})" for name, count in made.generators.items()),
        "cost": None if made.cost is None else float(made.cost),
        "own_data": ", ".join(f"{name} ({count:,})" for name, count in own),
        "training_pairs": metrics.training.n_pairs or None,
        "training_steps": metrics.training.steps or None,
        "base_model": metrics.training.base_model,
        "base_name": base.name,
        "base_revision": base.revision,
        **_headline(metrics),
    }
    return {name: value for name, value in facts.items() if value not in (None, "")}


def made_by(record: Mapping[str, Any], run: Mapping[str, str]) -> dict[str, str]:
    """Returns what is known of the run that made a version; nothing where an earlier run did.

    A run that takes the training from the cache registers the same version again, but did not make it.
    """
    return {} if record.get("run") else dict(run)


def verdict_words(metrics: EvaluationResult) -> str:
    """Returns `better`, `worse` or `no clear difference`; nothing where there is no verdict."""
    return _BETTER[metrics.verdict.better] if metrics.verdict.eval_set else ""


def _headline(metrics: EvaluationResult) -> dict[str, Any]:
    verdict, found = metrics.verdict, metrics.headline_set or SetResult()
    tuned, scores = found.headline(verdict.arm or "finetuned"), found.headlines
    return {
        "verdict": verdict_words(metrics),
        "eval_set": verdict.eval_set,
        "eval_queries": found.n_queries or None,
        "arm": verdict.arm,
        "untrained_arm": verdict.against,
        "ndcg_at_10": tuned.value if tuned else None,
        "ndcg_at_10_low": tuned.low if tuned else None,
        "ndcg_at_10_high": tuned.high if tuned else None,
        "untrained_ndcg_at_10": scores.get(verdict.against or ""),
        "base_ndcg_at_10": scores.get("base"),
        "bm25_ndcg_at_10": scores.get("bm25"),
    }

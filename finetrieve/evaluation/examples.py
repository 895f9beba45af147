"""What the report shows of single queries: those that changed most, and how near queries stand to chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from finetrieve.core.rows import Chunk
from finetrieve.evaluation.details import ChangedQueries, ChangedQuery, FoundChunk, ModelAnswer, QuotedChunk, Similarities
from finetrieve.evaluation.metrics import HEADLINE, METRICS
from finetrieve.evaluation.scoring import ScoredSet

SHOWN = 10
"""Queries that got better, and as many that got worse."""
EXPECTED = 2
"""Relevant units of which a chunk is quoted."""
DRAWN = 2_000
"""Cosines per histogram, spread over the queries."""

_MODELS = ("base", "finetuned")


def examples_of(scored: ScoredSet) -> ChangedQueries:
    """Returns the queries whose nDCG@10 changed most, each with what both models found; none without both models."""
    if not all(model in scored.arms and model in scored.retrieved for model in _MODELS):
        return ChangedQueries(better=[], worse=[])
    column = METRICS.index(HEADLINE)
    before, after = (scored.arms[model][:, column] for model in _MODELS)
    order = np.argsort(after - before, kind="stable")
    delta = (after - before)[order]
    return ChangedQueries(
        better=[_example(scored, int(row)) for row in order[delta > 0][::-1][:SHOWN]],
        worse=[_example(scored, int(row)) for row in order[delta < 0][:SHOWN]],
    )


def _example(scored: ScoredSet, row: int) -> ChangedQuery:
    column = METRICS.index(HEADLINE)
    eval_set = scored.eval_set
    query_id = list(eval_set.queries)[row]
    base, finetuned = (
        ModelAnswer(ndcg=float(scored.arms[model][row, column]), found=_found(scored, model, row)) for model in _MODELS
    )
    relevant = [unit for unit, score in eval_set.qrels[query_id].items() if score > 0]
    return ChangedQuery(
        query_id=query_id,
        query=eval_set.queries[query_id],
        relevant=relevant,
        expected=[QuotedChunk(**_place(chunk)) for chunk in _answering_chunks(scored, row, relevant[:EXPECTED])],
        delta=finetuned.ndcg - base.ndcg,
        base=base,
        finetuned=finetuned,
    )


def _found(scored: ScoredSet, model: str, row: int) -> list[FoundChunk]:
    eval_set, retrieved = scored.eval_set, scored.retrieved[model]
    judged = eval_set.qrels[list(eval_set.queries)[row]]
    found = []
    for chunk_row, score in zip(retrieved.rows[row], retrieved.scores[row], strict=True):
        chunk = eval_set.chunks[chunk_row]
        is_relevant = any(judged.get(unit, 0) > 0 for unit in eval_set.units_of(chunk))
        found.append(FoundChunk(**_place(chunk), score=float(score), relevant=is_relevant))
    return found


def _answering_chunks(scored: ScoredSet, row: int, units: Sequence[str]) -> list[Chunk]:
    """Returns a chunk of each unit: of a document the one that a model found for the query, or else its first."""
    first: dict[str, Chunk] = {}
    found = [scored.eval_set.chunks[place] for model in reversed(_MODELS) for place in scored.retrieved[model].rows[row]]
    for chunk in (*found, *scored.eval_set.chunks):
        for unit in scored.eval_set.units_of(chunk):
            if unit in units:
                first.setdefault(unit, chunk)
    return [first[unit] for unit in units if unit in first]


def _place(chunk: Chunk) -> dict[str, Any]:
    return {"chunk_id": chunk.id, "doc_id": chunk.doc_id, "title": chunk.title, "section": chunk.section, "text": chunk.text}


def similarities_of(scored: ScoredSet) -> dict[str, Similarities]:
    """Returns model -> cosines of queries with their best relevant and best other unit."""
    result = {}
    for model, found in scored.retrieved.items():
        whole = np.flatnonzero(np.isfinite(found.relevant) & np.isfinite(found.hardest))
        rows = whole[:: max(1, -(-len(whole) // DRAWN))]
        result[model] = Similarities(relevant=found.relevant[rows].tolist(), hardest=found.hardest[rows].tolist())
    return result

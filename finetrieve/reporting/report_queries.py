"""What the report says of single queries: those that changed most, and how near queries stand to chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from finetrieve.core.html import one_line
from finetrieve.core.snippet import snippet
from finetrieve.evaluation.details import ChangedQueries, ChangedQuery, FoundChunk, QuotedChunk, Similarities
from finetrieve.evaluation.formats import arm_name, percent, points, score
from finetrieve.reporting.charts import axis_of, histograms

CHANGED = 6
"""Queries shown of each direction and set."""
SETS = 4
"""Sets of which single queries are shown."""
FOUND = 3
"""Chunks shown of what a model found."""
EXPECTED = 2
MODELS = ("base", "finetuned")


def similarities_view(similarities: Mapping[str, Mapping[str, Similarities]], order: Sequence[str]) -> list[dict[str, Any]]:
    """Returns per set the histograms before and after, and what they mean in a sentence."""
    names = [name for name in order if name in similarities]
    measured = {
        name: {model: found for model in MODELS if (found := similarities[name].get(model)) and found.relevant}
        for name in names[:SETS]
    }
    return [_similarity_view(name, found) for name, found in measured.items() if found]


def _similarity_view(name: str, found: Mapping[str, Similarities]) -> dict[str, Any]:
    return {
        "name": one_line(name, 120),
        "pictures": [
            _histogram("Similarity of a query to its right chunk", {model: cosines.relevant for model, cosines in found.items()}),
            _histogram(
                "Similarity of a query to the nearest wrong chunk", {model: cosines.hardest for model, cosines in found.items()}
            ),
        ],
        "rows": [_means(model, cosines) for model, cosines in found.items()],
        "models": [{"label": arm_name(model), "mark": model} for model in found],
    }


def _histogram(title: str, cosines: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    axis = axis_of((value for values in cosines.values() for value in values), low=-1.0, high=1.0)
    return {"title": title, "picture": histograms(title, [(arm_name(m), values, m) for m, values in cosines.items()], axis)}


def _means(model: str, found: Similarities) -> dict[str, Any]:
    means = [score(sum(values) / len(values), 2) for values in (found.relevant, found.hardest)]
    won = sum(right > wrong for right, wrong in zip(found.relevant, found.hardest, strict=True))
    return {"label": arm_name(model), "mark": model, "cells": [*means, percent(won / len(found.relevant))]}


def changes_view(examples: Mapping[str, ChangedQueries], order: Sequence[str]) -> list[dict[str, Any]]:
    """Returns per set the queries that got better and worse most, with what both models found."""
    views = []
    for name in order[:SETS]:
        changed = examples.get(name, ChangedQueries())
        better = sorted(changed.better, key=lambda query: query.delta)[::-1]  # of equal changes the first query first
        groups = [
            {"title": title, "queries": [_change(query) for query in group[:CHANGED]]}
            for title, group in (("Got better", better), ("Got worse", changed.worse))
            if group
        ]
        if groups:
            views.append({"name": one_line(name, 120), "groups": groups})
    return views


def _change(query: ChangedQuery) -> dict[str, Any]:
    answers = {"base": query.base, "finetuned": query.finetuned}
    return {
        "query": one_line(query.query, 300),
        "delta": points(query.delta),
        "class": "up" if query.delta > 0 else "down",
        "before": score(query.base.ndcg),
        "after": score(query.finetuned.ndcg),
        "expected": [_chunk(chunk, query.query) for chunk in query.expected[:EXPECTED]],
        "models": [
            {"label": arm_name(model), "mark": model, "found": [_found(chunk, query.query) for chunk in answer.found[:FOUND]]}
            for model, answer in answers.items()
        ],
    }


def _chunk(chunk: QuotedChunk, query: str) -> dict[str, Any]:
    place = " > ".join(one_line(words, 120) for words in (chunk.title, chunk.section) if words)
    return {"place": place, "text": snippet(chunk.text, 240, query), "score": "", "relevant": False}


def _found(chunk: FoundChunk, query: str) -> dict[str, Any]:
    return {**_chunk(chunk, query), "score": score(chunk.score, 2), "relevant": chunk.relevant}

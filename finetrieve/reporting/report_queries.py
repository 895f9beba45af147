"""What the report says of single queries: those that changed most, and how near queries stand to chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from finetrieve.core.html import one_line
from finetrieve.evaluation.formats import arm_name, known, percent, points, score
from finetrieve.reporting.charts import axis_of, histograms

CHANGED = 6
"""Queries shown of each direction and set."""
SETS = 4
"""Sets of which single queries are shown."""
FOUND = 3
"""Chunks shown of what a model found."""
EXPECTED = 2
MODELS = ("base", "finetuned")

_HISTOGRAMS = (
    ("relevant", "Similarity of a query to its right chunk"),
    ("hardest", "Similarity of a query to the nearest wrong chunk"),
)


def similarities_view(similarities: Mapping[str, Any], order: Sequence[str]) -> list[dict[str, Any]]:
    """Returns per set the histograms before and after, and what they mean in a sentence."""
    names = [name for name in order if name in similarities]
    views = [_similarity_view(name, similarities[name]) for name in names[:SETS]]
    return [view for view in views if view["pictures"]]


def _similarity_view(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    models = [model for model in MODELS if found.get(model)]
    pictures = []
    for key, title in _HISTOGRAMS:
        samples = [(arm_name(model), _finite(found[model].get(key)), model) for model in models]
        samples = [sample for sample in samples if sample[1]]
        if samples:
            axis = axis_of((value for _, values, _ in samples for value in values), low=-1.0, high=1.0)
            pictures.append({"title": title, "picture": histograms(title, samples, axis)})
    rows = [_means(model, found[model]) for model in models if _finite(found[model].get("relevant"))]
    return {
        "name": one_line(name, 120),
        "pictures": pictures,
        "rows": rows,
        "models": [{"label": arm_name(m), "mark": m} for m in models],
    }


def _finite(values: Any) -> list[float]:
    return [float(value) for value in values or [] if known(value)]


def _means(model: str, found: Mapping[str, Any]) -> dict[str, Any]:
    relevant, hardest = _finite(found.get("relevant")), _finite(found.get("hardest"))
    means = [score(sum(values) / len(values), 2) if values else "" for values in (relevant, hardest)]
    won = ""
    if relevant and len(relevant) == len(hardest):
        won = percent(sum(right > wrong for right, wrong in zip(relevant, hardest, strict=True)) / len(relevant))
    return {"label": arm_name(model), "mark": model, "cells": [*means, won]}


def changes_view(changes: Sequence[Mapping[str, Any]], order: Sequence[str]) -> list[dict[str, Any]]:
    """Returns per set the queries that got better and worse most, with what both models found."""
    views = []
    for name in order[:SETS]:
        rows = [row for row in changes if row.get("eval_set") == name and known(row.get("before")) and known(row.get("after"))]
        rows.sort(key=_delta)
        better, worse = [row for row in rows if _delta(row) > 0][::-1], [row for row in rows if _delta(row) < 0]
        groups = [
            {"title": title, "queries": [_change(row) for row in group[:CHANGED]]}
            for title, group in (("Got better", better), ("Got worse", worse))
            if group
        ]
        if groups:
            views.append({"name": one_line(name, 120), "groups": groups})
    return views


def _delta(row: Mapping[str, Any]) -> float:
    return float(row["after"]) - float(row["before"])


def _change(row: Mapping[str, Any]) -> dict[str, Any]:
    delta = _delta(row)
    return {
        "query": one_line(row.get("query", ""), 300),
        "delta": points(delta),
        "class": "up" if delta > 0 else "down",
        "before": score(row["before"]),
        "after": score(row["after"]),
        "expected": [_chunk(chunk) for chunk in (row.get("expected") or [])[:EXPECTED]],
        "models": [
            {"label": arm_name(model), "mark": model, "found": [_chunk(chunk) for chunk in (row.get(model) or [])[:FOUND]]}
            for model in MODELS
        ],
    }


def _chunk(chunk: Mapping[str, Any]) -> dict[str, Any]:
    place = " > ".join(one_line(chunk[key], 120) for key in ("title", "section") if chunk.get(key))
    similarity = score(chunk.get("score"), 2) if known(chunk.get("score")) else ""
    text = one_line(chunk.get("text", ""), 240)
    return {"place": place, "text": text, "score": similarity, "relevant": bool(chunk.get("relevant"))}

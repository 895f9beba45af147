"""What the report says of storage costs: what fewer dimensions, bits and token vectors save, and what they cost in nDCG@10."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from finetrieve.core.numbers import count, counted
from finetrieve.evaluation.formats import cost_words, kilobytes, milliseconds, score, span
from finetrieve.evaluation.result import StorageCosts, StoragePoint
from finetrieve.reporting.charts import Axis, Series, axis_of, lines

WAYS = {"late": "Late", "rerank20": "Late, first 20 only", "dense": "Dense"}
MARKS = {"late": "late_finetuned", "rerank20": "rerank20_finetuned", "dense": "finetuned"}
MOST_LOST = 0.05
CLEARLY = 0.005
"""nDCG@10 between two points of the short table."""
MOST_POINTS = 200
"""Rows that are shown of a longer table."""


def storage_costs_view(costs: StorageCosts | None) -> dict[str, Any] | None:
    """Returns the points between which one chooses, all points, and a picture of score over size."""
    points = [point for point in costs.points if _is_whole(point)][:MOST_POINTS] if costs else []
    if costs is None or len(points) < 2:
        return None
    marked = next((point for point in points if point.recommended), None)
    best = {way: _unbeaten([point for point in points if point.way == way]) for way in WAYS}
    main = _worth_storing(points, marked)
    return {
        "sentence": f"Recommended: {cost_words(marked)}." if marked else "",
        "questions": counted(costs.n_queries, "question") if costs.n_queries is not None else "",
        "rows": [_row(point) for point in main],
        "all": [_row(point) for point in points] if len(points) > len(main) else [],
        "picture": _picture(best, marked),
        "ways": [{"label": label, "mark": MARKS[way]} for way, label in WAYS.items() if best[way]],
    }


def _is_whole(point: StoragePoint) -> bool:
    return point.way in WAYS and point.ndcg is not None and point.bytes_per_chunk > 0


def _size(point: StoragePoint) -> float:
    return point.bytes_per_chunk


def _value(point: StoragePoint) -> float:
    assert point.ndcg is not None
    return point.ndcg.value


def _unbeaten(points: Iterable[StoragePoint]) -> list[StoragePoint]:
    """Returns the points that score more than all smaller ones, the smallest first."""
    kept: list[StoragePoint] = []
    for point in sorted(points, key=lambda point: (_size(point), -_value(point))):
        if not kept or _value(point) > _value(kept[-1]):
            kept.append(point)
    return kept


def _worth_storing(points: Sequence[StoragePoint], marked: StoragePoint | None) -> list[StoragePoint]:
    """Returns the few points between which one chooses: each scores clearly more than all smaller ones.

    The recommended point and each way's vectors in full are there whatever they score.
    """
    enough = max(map(_value, points)) - MOST_LOST
    kept: list[StoragePoint] = []
    for point in _unbeaten(points):
        if _value(point) >= enough and (not kept or _value(point) >= _value(kept[-1]) + CLEARLY):
            kept.append(point)
    full = [max((point for point in points if point.way == way), key=_size, default=None) for way in WAYS]
    kept += [point for point in (*full, marked) if point is not None and point not in kept]
    return sorted({id(point): point for point in kept}.values(), key=_size)


def _row(point: StoragePoint) -> dict[str, str]:
    assert point.ndcg is not None
    return {
        "way": WAYS[point.way],
        "mark": MARKS[point.way],
        "dims": count(point.dims),
        "precision": point.precision,
        "pooling": str(point.pooling) if point.pooling > 1 else "",
        "value": score(point.ndcg.value),
        "interval": span(point.ndcg.low, point.ndcg.high),
        "size": kilobytes(round(point.bytes_per_chunk)),
        "time": milliseconds(point.ms_per_query),
        "class": "chosen" if point.recommended else "",
    }


def _picture(best: Mapping[str, Sequence[StoragePoint]], marked: StoragePoint | None) -> Markup:
    series = []
    for way, points in best.items():
        places = [_place(point) for point in points]
        ringed = _place(marked) if marked is not None and marked.way == way else None
        series += [Series(WAYS[way], places, MARKS[way], ringed=ringed)] if places else []
    x_axis, words = _byte_axis([x for item in series for x, _ in item.points])
    heights = [y for item in series for _, y in (*item.points, *([item.ringed] if item.ringed else []))]
    y_axis = axis_of(heights, low=0.0, high=1.0)
    return lines("nDCG@10 by bytes per chunk, each step ten times as many", series, x_axis, y_axis, words)


def _place(point: StoragePoint) -> tuple[float, float]:
    return math.log10(_size(point)), _value(point)


def _byte_axis(logarithms: Sequence[float]) -> tuple[Axis, list[str]]:
    """Returns an axis of powers of ten around the points, with words for its ticks."""
    low, high = min(logarithms) - 0.15, max(logarithms) + 0.15
    ticks = tuple(float(power) for power in range(math.ceil(low), math.floor(high) + 1))
    return Axis(low, high, ticks), [kilobytes(round(10**tick)).replace(".0 ", " ") for tick in ticks]

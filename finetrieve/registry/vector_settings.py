"""How token vectors are stored where a model is handed out: as the storage costs recommend, or as a person asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from finetrieve.evaluation.result import EvaluationResult, StoragePoint
from finetrieve.retrieval.multi_vector import LateSettings, VectorPrecision

Measured = Mapping[str, Any]
"""nDCG@10 with its interval, `bytes_per_chunk`, `ms_per_query` and the evaluation set."""


_TOKEN_WAYS = ("late", "rerank20")
"""Ways of searching that store token vectors."""


def recommended_settings(metrics: EvaluationResult) -> tuple[LateSettings | None, Measured | None]:
    """Returns how token vectors should be stored and what that was measured to cost.

    Nothing where storage costs were not measured, or recommend the dense vector alone.
    """
    eval_set, points = _token_points(metrics)
    marked = next((point for point in points if point.recommended), None)
    return (_settings(marked), _measured(marked, eval_set)) if marked else (None, None)


def asked_settings(
    metrics: EvaluationResult, dims: int | None, precision: VectorPrecision | None, pooling: int | None
) -> tuple[LateSettings | None, Measured | None]:
    """Returns the settings that a person asked for, what was not asked for as recommended, with what was measured of them."""
    recommended, measured = recommended_settings(metrics)
    if dims is None and precision is None and pooling is None:
        return recommended, measured
    eval_set, points = _token_points(metrics)
    whole = max((point.dims for point in points), default=None)
    start = recommended or LateSettings(whole)
    asked = LateSettings(dims or start.dims, precision or start.precision, pooling or start.pooling)
    point = next((point for way in _TOKEN_WAYS for point in points if point.way == way and _settings(point) == asked), None)
    return asked, _measured(point, eval_set) if point else None


def _token_points(metrics: EvaluationResult) -> tuple[str, Sequence[StoragePoint]]:
    """Returns the name of an evaluation set with storage costs, the verdict's before others, and its points for token vectors."""
    for name in sorted(metrics.eval_sets, key=lambda name: name != metrics.verdict.eval_set):
        if points := metrics.eval_sets[name].points:
            return name, [point for point in points if point.way in _TOKEN_WAYS]
    return "", []


def _settings(point: StoragePoint) -> LateSettings:
    return LateSettings(point.dims, cast(VectorPrecision, point.precision), point.pooling)


def _measured(point: StoragePoint, eval_set: str) -> dict[str, Any]:
    facts = point.model_dump(include={"way", "ndcg", "bytes_per_chunk", "ms_per_query"}, exclude_unset=True)
    return {"eval_set": eval_set, **facts}

"""The point of the bill by which a model is handed out: the recommended one, or the one that a person asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from finetrieve.evaluation.metrics import HEADLINE
from finetrieve.retrieval.multi_vector import LateSettings, VectorPrecision

Measured = Mapping[str, Any]
"""nDCG@10 with its interval, `bytes_per_chunk`, `ms_per_query` and the evaluation set."""


_TOKEN_WAYS = ("late", "rerank20")
"""Ways of searching that store token vectors."""


def recommended_settings(metrics: Mapping[str, Any]) -> tuple[LateSettings | None, Measured | None]:
    """Returns how token vectors should be stored and what that was measured to cost.

    Nothing where no bill was made, or where it recommends the dense vector alone.
    """
    eval_set, points = _token_points(metrics)
    marked = next((point for point in points if point.get("recommended")), None)
    return (_settings(marked), _measured(marked, eval_set)) if marked else (None, None)


def asked_settings(
    metrics: Mapping[str, Any], dims: int | None, precision: VectorPrecision | None, pooling: int | None
) -> tuple[LateSettings | None, Measured | None]:
    """Returns the settings that a person asked for, what was not asked for as recommended, with what the bill says of them."""
    recommended, measured = recommended_settings(metrics)
    if dims is None and precision is None and pooling is None:
        return recommended, measured
    eval_set, points = _token_points(metrics)
    whole = max((int(point["dims"]) for point in points), default=None)
    start = recommended or LateSettings(whole)
    asked = LateSettings(dims or start.dims, precision or start.precision, pooling or start.pooling)
    point = next((point for way in _TOKEN_WAYS for point in points if point["way"] == way and _settings(point) == asked), None)
    return asked, _measured(point, eval_set) if point else None


def _token_points(metrics: Mapping[str, Any]) -> tuple[str, Sequence[Mapping[str, Any]]]:
    """Returns the name of an evaluation set with a bill, the verdict's before others, and its points for token vectors."""
    eval_sets = metrics.get("eval_sets") or {}
    first = (metrics.get("verdict") or {}).get("eval_set")
    for name in sorted(eval_sets, key=lambda name: name != first):
        points = (eval_sets[name].get("bill") or {}).get("points") or []
        if points:
            return str(name), [point for point in points if point.get("way") in _TOKEN_WAYS]
    return "", []


def _settings(point: Mapping[str, Any]) -> LateSettings:
    return LateSettings(int(point["dims"]), point["precision"], int(point["pooling"]))


def _measured(point: Mapping[str, Any], eval_set: str) -> dict[str, Any]:
    facts = {key: point[key] for key in ("way", HEADLINE, "bytes_per_chunk", "ms_per_query") if key in point}
    return {"eval_set": eval_set, **facts}

"""The point of the bill by which a model is handed out: the recommended one, or the one that a person asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from steps.evaluation.metrics import HEADLINE
from steps.retrieval.multi_vector import LateSettings, VectorPrecision

Measured = Mapping[str, Any]
"""nDCG@10 with its interval, `bytes_per_chunk`, `ms_per_query` and the evaluation set."""


def recommended_settings(metrics: Mapping[str, Any]) -> tuple[LateSettings | None, Measured | None]:
    """Returns how token vectors should be stored and what that was measured to cost; nothing where no bill was made."""
    eval_set, points = _late_points(metrics)
    marked = next((point for point in points if point.get("recommended")), None)
    return (_settings(marked), _measured(marked, eval_set)) if marked else (None, None)


def asked_settings(
    metrics: Mapping[str, Any], dims: int | None, precision: VectorPrecision | None, pooling: int | None
) -> tuple[LateSettings | None, Measured | None]:
    """Returns the settings that a person asked for, what was not asked for as recommended, with what the bill says of them."""
    recommended, measured = recommended_settings(metrics)
    if dims is None and precision is None and pooling is None:
        return recommended, measured
    eval_set, points = _late_points(metrics)
    whole = max((int(point["dims"]) for point in points), default=None)
    start = recommended or LateSettings(whole)
    asked = LateSettings(dims or start.dims, precision or start.precision, pooling or start.pooling)
    point = next((point for point in points if _settings(point) == asked), None)
    return asked, _measured(point, eval_set) if point else None


def _late_points(metrics: Mapping[str, Any]) -> tuple[str, Sequence[Mapping[str, Any]]]:
    """Returns the evaluation set of the verdict, and its bill's points for token vectors."""
    name = str((metrics.get("verdict") or {}).get("eval_set"))
    bill = ((metrics.get("eval_sets") or {}).get(name) or {}).get("bill") or {}
    return name, [point for point in bill.get("points") or [] if point.get("way") == "late"]


def _settings(point: Mapping[str, Any]) -> LateSettings:
    return LateSettings(int(point["dims"]), point["precision"], int(point["pooling"]))


def _measured(point: Mapping[str, Any], eval_set: str) -> dict[str, Any]:
    facts = {key: point[key] for key in (HEADLINE, "bytes_per_chunk", "ms_per_query") if key in point}
    return {"eval_set": eval_set, **facts}

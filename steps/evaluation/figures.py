"""How numbers and names are written in the report and in the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

from steps.evaluation.metrics import HEADLINE

ARM_NAMES = {
    "bm25": "BM25",
    "base": "Base model",
    "finetuned": "Fine-tuned",
    "hybrid_base": "Hybrid, base",
    "hybrid_finetuned": "Hybrid, fine-tuned",
}
METRIC_NAMES = {
    "ndcg@10": "nDCG@10",
    "mrr@10": "MRR@10",
    "recall@1": "Recall@1",
    "recall@5": "Recall@5",
    "recall@10": "Recall@10",
    "recall@100": "Recall@100",
    "map": "MAP",
}
UNKNOWN = "–"


def known(value: object) -> TypeGuard[float]:
    """Returns whether a value is a number that can be shown."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def score(value: Any, digits: int = 3) -> str:
    """Returns a metric's value, 0..1, in three decimals."""
    return f"{value:.{digits}f}" if known(value) else UNKNOWN


def points(value: Any) -> str:
    """Returns a difference of metrics in points, hundredths of the metric, with its sign."""
    if not known(value):
        return UNKNOWN
    text = f"{100 * value:+.1f}"
    return "0.0" if text in {"-0.0", "+0.0"} else text.replace("-", "−")


def span(low: Any, high: Any) -> str:
    """Returns an interval of metrics."""
    return f"{score(low)}–{score(high)}" if known(low) and known(high) else ""


def points_span(low: Any, high: Any) -> str:
    """Returns an interval of differences, in points."""
    return f"{points(low)} to {points(high)}" if known(low) and known(high) else ""


def p_value(value: Any) -> str:
    """Returns `p = 0.012` or `p < 0.001`."""
    if not known(value):
        return ""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def count(value: Any) -> str:
    """Returns a number of things with thousands separated; one decimal where it is no whole number."""
    if not known(value):
        return UNKNOWN
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def counted(number: Any, noun: str, plural: str | None = None) -> str:
    """Returns `1 query` or `1,234 queries`."""
    return f"{count(number)} {noun if number == 1 else plural or noun + 's'}"


def percent(share: Any) -> str:
    """Returns a share, 0..1, in per cent: whole ones, with a decimal where that would read 0 or 100 and is not."""
    if not known(share):
        return UNKNOWN
    whole = f"{100 * share:.0f}%"
    return f"{100 * share:.1f}%" if whole in {"0%", "100%"} and share not in {0, 1} else whole


def duration(seconds: Any) -> str:
    """Returns `48 s`, `3 min 20 s` or `2 h 5 min`."""
    if not known(seconds):
        return UNKNOWN
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def kilobytes(size: int) -> str:
    """Returns a vector's size: `256 B` or `1.5 kB`."""
    return f"{size} B" if size < 1_000 else f"{size / 1_000:.1f} kB"


def arm_name(arm: str) -> str:
    """Returns how an arm is called for people."""
    return ARM_NAMES.get(arm, arm)


def metric_name(metric: str) -> str:
    """Returns how a metric is written."""
    return METRIC_NAMES.get(metric, metric)


def headline_of(table: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `value`, `low` and `high` of the headline metric of an arm's table; nothing when it is missing."""
    found = table.get(HEADLINE)
    return dict(found) if isinstance(found, Mapping) and known(found.get("value")) else {}


def ordered_sets(eval_sets: Mapping[str, Any], first: str | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Returns evaluation sets with the one of the verdict first, then those of people, then by size."""
    return sorted(
        ((name, dict(found)) for name, found in eval_sets.items()),
        key=lambda item: (item[0] != first, item[1].get("kind") != "human", -item[1].get("n_queries", 0)),
    )

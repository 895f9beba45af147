"""How numbers and names are written in the report and in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from finetrieve.core.numbers import UNKNOWN, count, known

if TYPE_CHECKING:
    from finetrieve.evaluation.result import Comparison, FusionRecord, StoragePoint

UNTRAINED_ARMS = ("bm25", "base", "hybrid_base", "late_base", "fused_base")
"""Ways of searching that need no training, the simplest first."""
TUNED_ARMS = ("finetuned", "hybrid_finetuned", "late_finetuned", "fused_finetuned")
"""Ways of searching with the trained model, the simplest and cheapest first."""
WAY_NAMES = {
    "dense": "Dense",
    "hybrid": "Hybrid",
    "late": "Late",
    "fused": "Fused",
    "rerank20": "Rerank 20",
    "rerank100": "Rerank 100",
    "cross": "Cross-encoder",
}
"""How an arm is called beside others of the same model."""
ARM_NAMES = {
    "bm25": "BM25",
    "base": "Base model",
    "finetuned": "Fine-tuned",
    **{f"{way}_base": f"{name}, base" for way, name in WAY_NAMES.items() if way != "dense"},
    **{f"{way}_finetuned": f"{name}, fine-tuned" for way, name in WAY_NAMES.items() if way != "dense"},
}
ARM_ORDER = (
    *UNTRAINED_ARMS,
    *(f"{way}_base" for way in ("rerank20", "rerank100", "cross")),
    *TUNED_ARMS,
    *(f"{way}_finetuned" for way in ("rerank20", "rerank100", "cross")),
)
"""The untrained arms, then the tuned ones."""
METRIC_NAMES = {
    "ndcg@10": "nDCG@10",
    "mrr@10": "MRR@10",
    "recall@1": "Recall@1",
    "recall@5": "Recall@5",
    "recall@10": "Recall@10",
    "recall@100": "Recall@100",
    "map": "MAP",
}
STORAGE_WAYS = {
    "late": "late interaction",
    "rerank20": "late interaction over the hybrid's first 20 chunks",
    "dense": "dense vectors",
}


def score(value: Any, digits: int = 3) -> str:
    """Returns a metric's value, 0..1, in three decimals."""
    return f"{value:.{digits}f}" if known(value) else UNKNOWN


def points(value: Any) -> str:
    """Returns a difference of metrics in points, hundredths of the metric, with its sign."""
    if not known(value):
        return UNKNOWN
    text = f"{100 * value:+.1f}"
    return "0.0" if text in {"-0.0", "+0.0"} else text.replace("-", "−")


def points_of(value: float) -> str:
    """Returns a difference in points with its sign, in the characters of every terminal."""
    return f"{100 * value:+.1f}"


def in_points(row: Comparison) -> str:
    """Returns a comparison's difference with its interval in points."""
    return interval_in_points(row.delta, row.low, row.high)


def interval_in_points(delta: float, low: float, high: float) -> str:
    """Returns a difference with its interval in points, hundredths of the metric."""
    return f"{points_of(delta)} points [{points_of(low)}, {points_of(high)}]"


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


def way_name(arm: str) -> str:
    """Returns how an arm is called where its model is known from the place."""
    way = arm.removesuffix("_base").removesuffix("_finetuned")
    return "Dense" if arm in {"base", "finetuned"} else WAY_NAMES.get(way, arm_name(arm))


def is_tuned(arm: str) -> bool:
    """Returns whether an arm needs the trained model."""
    return arm.endswith("finetuned")


def ordered_arms(arms: Iterable[str]) -> list[str]:
    """Returns arms in the order in which they are shown; those without a place come last."""
    places = {arm: place for place, arm in enumerate(ARM_ORDER)}
    return sorted(arms, key=lambda arm: places.get(arm, len(places)))


def cost_words(point: StoragePoint) -> str:
    """Returns what a way to store vectors costs: `dense vectors, 384 dimensions, int8: 384 B per chunk, 3.4 ms per query`."""
    made = [STORAGE_WAYS.get(point.way, point.way), f"{count(point.dims)} dimensions", point.precision]
    made += [f"{point.pooling} tokens in one"] if point.pooling > 1 else []
    costs = costs_of(point)
    costs += [f"nDCG@10 {score(point.ndcg.value)}"] if point.ndcg else []
    return f"{', '.join(made)}: {', '.join(costs)}" if costs else ""


def costs_of(point: StoragePoint | None) -> list[str]:
    """Returns `4.6 kB per chunk` and `5.2 ms per query`, where they were measured."""
    if point is None:
        return []
    size = [f"{kilobytes(round(point.bytes_per_chunk))} per chunk"] if point.bytes_per_chunk else []
    return size + ([f"{milliseconds(point.ms_per_query)} per query"] if point.ms_per_query is not None else [])


def milliseconds(value: Any) -> str:
    """Returns `4.2 ms` or `38 ms`."""
    if not known(value):
        return UNKNOWN
    return f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms"


def fusion_words(fusion: Mapping[str, FusionRecord]) -> str:
    """Returns how arms add up their parts: `Fused, base: z-score, dense 1, late 1.5, BM25 1 (chosen on human dev)`."""
    return "; ".join(f"{arm_name(arm)}: {_parts(fusion[arm])}" for arm in ordered_arms(fusion))


def _parts(found: FusionRecord) -> str:
    named = {"dense": "dense", "late": "late", "lexical": "BM25"}
    parts = [f"{name} {found.parts[key]:.3g}" for key, name in named.items() if found.parts.get(key)]
    chosen_on = f" (chosen on {found.chosen_on})" if found.chosen_on not in (None, "default") else ""
    chosen_on = " (default)" if found.chosen_on == "default" else chosen_on
    return ", ".join([found.name.replace("_", "-"), *parts]) + chosen_on


def metric_name(metric: str) -> str:
    """Returns how a metric is written."""
    return METRIC_NAMES.get(metric, metric)

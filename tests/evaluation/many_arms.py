"""Metrics of a run with every way of searching, a bill, a guard and a learning curve, in the shape of `metrics.json`."""

from __future__ import annotations

from typing import Any

from finetrieve.core.training_record import Guard
from finetrieve.evaluation.result import SetResult
from finetrieve.evaluation.verdict import reach_verdict

METRICS = ("ndcg@10", "mrr@10", "recall@1", "recall@5", "recall@10", "recall@100", "map")
VALUES = {
    "bm25": 0.746,
    "base": 0.655,
    "finetuned": 0.742,
    "hybrid_base": 0.774,
    "hybrid_finetuned": 0.791,
    "late_base": 0.784,
    "late_finetuned": 0.825,
    "fused_base": 0.781,
    "fused_finetuned": 0.833,
    "rerank20_base": 0.785,
    "rerank20_finetuned": 0.824,
    "rerank100_base": 0.784,
    "rerank100_finetuned": 0.826,
    "cross_base": 0.771,
    "cross_finetuned": 0.779,
}


def many_arms(kind: str = "human") -> dict[str, Any]:
    """Returns the content of `metrics.json`."""
    eval_sets = {"tv-manual": eval_set(kind)}
    training: dict[str, Any] = {
        "n_pairs": 2_400,
        "steps": 34,
        "batch_size": 64,
        "seconds": 95.0,
        "device": "cpu",
        "precision": "bf16",
        "chosen": {"step": 34, "base_share": 0.0},
        "dev_is": "generated",
        "guard": {
            "n_queries": 96,
            "ndcg@10": {
                "dense": {"base": 0.612, "finetuned": 0.588, "low": -0.041, "high": -0.006},
                "late": {"base": 0.634, "finetuned": 0.629, "low": -0.021, "high": 0.011},
            },
            "fell": True,
            "sentence": "On 96 lay questions about other documents the dense vectors fell by 2.4 points.",
        },
        "learning_curve": [
            {"share": 0.25, "n_pairs": 600, "arms": {"finetuned": 0.702, "late_finetuned": 0.806}},
            {"share": 0.5, "n_pairs": 1_200, "arms": {"finetuned": 0.728, "late_finetuned": 0.818}},
            {"share": 1.0, "n_pairs": 2_400, "arms": {"finetuned": 0.742, "late_finetuned": 0.825}},
        ],
    }
    read = {name: SetResult.model_validate(found) for name, found in eval_sets.items()}
    verdict = reach_verdict(read, guard=Guard.model_validate(training["guard"]))
    return {"eval_sets": eval_sets, "verdict": verdict.as_json(), "training": training}


def eval_set(kind: str = "human") -> dict[str, Any]:
    """Returns an entry of `eval_sets`."""
    own = {arm: arm.replace("finetuned", "base") for arm in VALUES if arm.endswith("finetuned")}
    pairs = [
        *own.items(),
        *((arm, against) for arm in own for against in ("base", "bm25", "late_base")),
        ("hybrid_base", "bm25"),
        ("rerank20_finetuned", "fused_finetuned"),
    ]
    return {
        "n_queries": 673,
        "n_documents": 451,
        "n_chunks": 532,
        "kind": kind,
        "arms": {arm: {name: interval(value) for name in METRICS} for arm, value in VALUES.items()},
        "comparisons": [
            {
                "arm": arm,
                "against": against,
                "metric": metric,
                "delta": delta,
                "low": delta - 0.016,
                "high": delta + 0.016,
                "p": 0.01,
            }
            for arm, against in dict.fromkeys(pairs)
            for metric in ("ndcg@10", "mrr@10", "recall@10")
            for delta in [VALUES[arm] - VALUES[against]]
        ],
        "best_untrained": "late_base",
        "dimensions": {},
        "fusion": {
            "hybrid_finetuned": {
                "name": "z_score",
                "weights": {"dense": 1.0, "late": 0.0, "lexical": 1.0},
                "chosen_on": "default",
            },
            "fused_finetuned": {
                "name": "z_score",
                "weights": {"dense": 1.0, "late": 1.5, "lexical": 1.0},
                "chosen_on": "default",
            },
        },
        "bill": {"points": bill_points(), "n_queries": 300},
        "notes": [],
    }


def interval(value: float) -> dict[str, float]:
    """Returns a value with an interval around it."""
    return {"value": value, "low": value - 0.026, "high": value + 0.026}


def bill_points() -> list[dict[str, Any]]:
    """Returns every combination, with losses that grow as the vectors shrink."""
    numbers = {384: 0.0, 128: 0.007, 64: 0.024, 32: 0.06}
    bits = {"fp32": (4.0, 0.0), "int8": (1.0, 0.0007), "binary": (0.125, 0.006)}
    points = []
    for pooling in (1, 2, 3):
        for dims, lost in numbers.items():
            for precision, (size, less) in bits.items():
                stored = 96 / pooling * dims * size
                value = 0.825 - lost - less - 0.008 * (pooling - 1)
                facts = {"dims": dims, "precision": precision, "pooling": pooling, "recommended": False}
                points.append(
                    {"way": "late", **facts, "ndcg@10": interval(value), "bytes_per_chunk": stored, "ms_per_query": 5.2}
                )
                again = {"ndcg@10": interval(value + 0.002), "bytes_per_chunk": stored + dims, "ms_per_query": 14.3}
                points.append({"way": "rerank20", **facts, **again})
    for dims, lost in ((384, 0.0), (256, 0.006), (128, 0.013), (64, 0.03)):
        for precision, (size, less) in bits.items():
            facts = {"dims": dims, "precision": precision, "pooling": 1, "recommended": False}
            facts |= {"ndcg@10": interval(0.742 - lost - less), "bytes_per_chunk": dims * size, "ms_per_query": 3.4}
            points.append({"way": "dense", **facts})
    chosen = next(
        point
        for point in points
        if (point["way"], point["dims"], point["precision"], point["pooling"]) == ("late", 384, "binary", 1)
    )
    chosen["recommended"] = True
    return points

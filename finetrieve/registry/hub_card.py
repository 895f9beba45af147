"""The card of a model for the Hugging Face Hub: its own, with what it scored in the Hub's `model-index`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from finetrieve.evaluation.formats import METRIC_NAMES, arm_name, score
from finetrieve.evaluation.result import EvaluationResult, SetResult

_HEADER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


def hub_card(card: str, metrics: EvaluationResult, name: str, licence: str = "") -> str:
    """Returns a model's card with its metrics, in its header and as a table.

    Args:
        card: The card that the training wrote.
        metrics: What was measured.
        name: The model's.
        licence: In place of the base model's; empty keeps that.
    """
    found = _HEADER.match(card)
    header: dict[str, Any] = yaml.safe_load(found.group(1)) if found else {}
    if licence:
        header["license"] = licence
    header["model-index"] = [{"name": name, "results": [_result(label, item) for label, item in metrics.ordered_sets()]}]
    text = card[found.end() :] if found else card
    base = str(metrics.training.base_model or "")
    if base.startswith("/"):  # a folder of this machine is nobody else's business
        text = text.replace(base, Path(base).name)
    return f"---\n{yaml.safe_dump(header, sort_keys=False, allow_unicode=True)}---\n{text.rstrip()}\n\n{_tables(metrics)}"


def _result(label: str, found: SetResult) -> dict[str, Any]:
    metrics = [
        {
            "type": f"{arm}_{metric}",
            "name": f"{METRIC_NAMES.get(metric, metric)}, {arm_name(arm)}",
            "value": round(interval.value, 5),
        }
        for arm, values in found.arms.items()
        for metric, interval in values.items()
    ]
    return {
        "task": {"type": "information-retrieval", "name": "Information Retrieval"},
        "dataset": {"name": f"{label} ({found.kind}, {found.n_queries} queries)", "type": "unknown"},
        "metrics": metrics,
    }


def _tables(metrics: EvaluationResult) -> str:
    parts = ["## What it scores", ""]
    for label, found in metrics.ordered_sets():
        parts += [f"nDCG@10 with 95% interval on {label}: {found.n_queries:,} {found.kind} queries.", ""]
        parts += ["| way of searching | nDCG@10 | 95% interval |", "|---|---|---|"]
        for arm in found.arms:
            if value := found.headline(arm):
                parts.append(f"| {arm_name(arm)} | {score(value.value)} | {score(value.low)} to {score(value.high)} |")
        parts.append("")
    return "\n".join(parts)

"""What the report says of several base models that were trained and compared: each arm before and after, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from finetrieve.core.base_model_report import BaseModelComparison, BaseModelTrial
from finetrieve.core.html import one_line
from finetrieve.core.numbers import count
from finetrieve.evaluation.formats import arm_name, duration, interval_in_points, milliseconds, ordered_arms, score, span

_FEWEST = 2


def base_models_view(found: BaseModelComparison) -> dict[str, Any] | None:
    """Returns a table with a column per base model, the best first, and what failed; nothing where there was one alone."""
    if len(found.trials) < _FEWEST:
        return None
    shown = [trial for trial in found.trials if not trial.error]
    arms = ordered_arms(dict.fromkeys(arm for trial in shown for arm in trial.arms))
    return {
        "set": one_line(found.eval_set, 120),
        "n_queries": count(found.n_queries),
        "head": [f"{one_line(trial.base_model, 80)}{', the best' if trial.winner else ''}" for trial in shown],
        "arms": [{"name": arm_name(arm), "cells": [_cell(trial, arm) for trial in shown]} for arm in arms],
        "costs": [{"name": name, "cells": [say(trial) for trial in shown]} for name, say in _COSTS.items()],
        "failed": [[one_line(trial.base_model, 120), one_line(trial.error, 300)] for trial in found.trials if trial.error],
    }


def _cell(trial: BaseModelTrial, arm: str) -> dict[str, Any]:
    interval = trial.arms.get(arm)
    if interval is None:
        return {"value": "", "detail": "", "best": False}
    return {"value": score(interval.value), "detail": span(interval.low, interval.high), "best": arm == trial.arm}


def _against(trial: BaseModelTrial) -> str:
    if trial.delta is None or trial.low is None or trial.high is None:
        return ""
    return interval_in_points(trial.delta, trial.low, trial.high)


def _megabytes(trial: BaseModelTrial) -> str:
    return "" if trial.model_bytes is None else f"{trial.model_bytes / 1e6:,.0f} MB"


_COSTS: dict[str, Callable[[BaseModelTrial], str]] = {
    "By its best arm against the best model": _against,
    "Training": lambda trial: duration(trial.seconds),
    "Evaluation": lambda trial: duration(trial.evaluation_seconds),
    "Model": _megabytes,
    "Numbers in a dense vector": lambda trial: count(trial.dims),
    "Bytes per chunk, as recommended": lambda trial: count(trial.bytes_per_chunk),
    "Per query, encoding included": lambda trial: milliseconds(trial.ms_per_query),
}

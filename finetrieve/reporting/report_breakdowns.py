"""What the report says of a set beside its arms: by section, by traffic, questions without an answer, success@k."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from finetrieve.core.html import one_line
from finetrieve.core.numbers import UNKNOWN, counted
from finetrieve.evaluation.formats import arm_name, is_tuned, ordered_arms, percent, score, span
from finetrieve.evaluation.metrics import SUCCESS_CUTS
from finetrieve.evaluation.result import SectionScores, SetResult
from finetrieve.evaluation.verdict import best_tuned, best_untrained

MOST_SECTIONS = 40
"""Of a set, those with the most questions."""
_FIRST = ("bm25", "base")
"""Arms that everybody knows, beside the best of each kind."""


def breakdowns_view(found: SetResult) -> dict[str, Any] | None:
    """Returns `title` and the tables `sections`, `weighted`, `no_answer` and `success` that the set has; None without any."""
    tables = {
        "sections": _sections(found),
        "weighted": _weighted(found),
        "no_answer": _no_answer(found),
        "success": _success(found),
    }
    named = {"sections": "by section", "weighted": "by traffic", "no_answer": "without an answer", "success": "success@k"}
    shown = [words for table, words in named.items() if tables[table]]
    return {"title": f"More figures: {', '.join(shown)}", **tables} if shown else None


def _arms(found: SetResult) -> list[str]:
    """Returns the arms that a narrow table has room for: the known ones and the best without and with training."""
    wanted = (*_FIRST, best_untrained(found), best_tuned(found))
    return [arm for arm in ordered_arms(found.headlines) if arm in wanted]


def _sections(found: SetResult) -> dict[str, Any] | None:
    arms = _arms(found)
    rows = [_section_row(section, arms) for section in found.sections[:MOST_SECTIONS]]
    return {"arms": [{"label": arm_name(arm), "mark": arm} for arm in arms], "rows": rows} if rows else None


def _section_row(section: SectionScores, arms: Sequence[str]) -> dict[str, Any]:
    values = [score(section.arms.get(arm)) for arm in arms]
    top = max((value for value in values if value != UNKNOWN), default="")
    cells = [{"value": value, "class": "best" if value == top else ""} for value in values]
    return {"name": one_line(section.name, 80), "questions": f"{section.n_queries:,}", "cells": cells}


def _weighted(found: SetResult) -> list[dict[str, str]]:
    return [
        {
            "label": arm_name(arm),
            "mark": arm,
            "alike": score(found.headlines.get(arm)),
            "value": score(found.weighted[arm].value),
            "interval": span(found.weighted[arm].low, found.weighted[arm].high),
        }
        for arm in ordered_arms(found.weighted)
    ]


def _no_answer(found: SetResult) -> dict[str, Any] | None:
    rows = [
        {
            "label": arm_name(model),
            "mark": model,
            "threshold": score(scores.threshold),
            "refused": percent(scores.refused),
            "kept": percent(scores.kept),
            "auroc": score(scores.auroc),
        }
        for model, scores in found.no_answer.items()
    ]
    if not rows:
        return None
    return {"questions": counted(next(iter(found.no_answer.values())).n_queries, "question"), "rows": rows}


def _success(found: SetResult) -> dict[str, Any] | None:
    names = [f"success@{cut}" for cut in SUCCESS_CUTS]
    rows = [
        {
            "label": arm_name(arm),
            "mark": arm,
            "tuned": is_tuned(arm),
            "cells": [
                {"value": percent(cell.value), "detail": f"{percent(cell.low)} to {percent(cell.high)}"}
                for cell in (found.arms[arm][name] for name in names)
            ],
        }
        for arm in ordered_arms(found.headlines)
        if set(names) <= set(found.arms[arm])
    ]
    return {"names": [f"First {cut}" if cut > 1 else "First" for cut in SUCCESS_CUTS], "rows": rows} if rows else None

"""What the report says of an evaluation set: the arms, how they compare, and what shorter vectors cost."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from finetrieve.core.html import with_code
from finetrieve.core.numbers import UNKNOWN, counted
from finetrieve.core.record import Interval
from finetrieve.evaluation.bootstrap import FEW_QUERIES
from finetrieve.evaluation.formats import (
    METRIC_NAMES,
    TUNED_ARMS,
    arm_name,
    costs_of,
    fusion_words,
    is_tuned,
    kilobytes,
    metric_name,
    ordered_arms,
    p_value,
    percent,
    points,
    points_span,
    score,
    span,
    way_name,
)
from finetrieve.evaluation.metrics import HEADLINE
from finetrieve.evaluation.result import Comparison, SetResult, Verdict
from finetrieve.evaluation.verdict import best_tuned, best_untrained, own_base
from finetrieve.reporting.charts import Axis, IntervalRow, Series, axis_of, intervals, lines
from finetrieve.reporting.report_breakdowns import breakdowns_view
from finetrieve.reporting.report_storage_costs import storage_costs_view

Table = Mapping[str, Interval]
"""Metric -> mean."""
MOST_TILES = 5
BYTES_PER_NUMBER = 4
"""Vectors are stored as float32."""

_GENERATED = (
    "These questions were written from the documents and share words with their answers: differences between models tell more "
    "than the values themselves."
)
_STATES = {True: "better", False: "worse", None: "unclear"}
_HEADINGS = {
    True: "Retrieval got better",
    False: "Retrieval got worse",
    None: "No clear difference",
}
_BETTER_ON_GENERATED = "Better on generated questions"
_NO_TRAINING_NEEDED = "A way without training is better"
_BETTER_SEARCH = "A better way to search, without training"
_GROUPS = {False: "Without training", True: "With the trained model"}


def verdict_view(verdict: Verdict, measured: SetResult) -> dict[str, Any]:
    """Returns the page's opening: `state`, `heading`, `sentence`, `next` and the headline numbers as `tiles`.

    Args:
        verdict: Of the run.
        measured: The set that the verdict is about, else the first one.
    """
    tiles = _tiles(verdict, measured)
    view = {"state": "none", "heading": "Evaluation", "sentence": verdict.sentence, "tiles": tiles, "next": []}
    better = verdict.better
    if verdict.delta is None:
        return view
    heading = _HEADINGS[better]
    if better is False and verdict.against not in (None, own_base(str(verdict.arm))):
        heading = _NO_TRAINING_NEEDED
    elif better and measured.kind == "generated":
        heading = _BETTER_ON_GENERATED
    elif better is None and verdict.search_gains:
        heading = _BETTER_SEARCH
    steps = [with_code(step) for step in verdict.next]
    return {**view, "state": _STATES[better], "heading": heading, "next": steps}


def _tiles(verdict: Verdict, measured: SetResult) -> list[dict[str, str]]:
    """Returns what people ask for first: how to search, what that scores, the best without training, and the difference."""
    arm, against = verdict.arm or "finetuned", verdict.against or "base"
    tiles = [_use_tile(verdict, arm, against)] if verdict.arm else []
    tiles += _arm_tiles(measured, [arm, against])
    if verdict.delta is not None:
        limits = points_span(verdict.low, verdict.high)
        tiles.append({"label": "Difference, points", "value": points(verdict.delta), "detail": limits, "mark": "change"})
    return [*tiles, *_arm_tiles(measured, [name for name in ("base", "bm25") if name not in (arm, against)])][:MOST_TILES]


def _use_tile(verdict: Verdict, arm: str, against: str) -> dict[str, str]:
    better = verdict.better
    use = against if better is False or (better is None and verdict.search_gains) else arm
    stored = verdict.cost
    scored = (
        [f"stored as recommended: nDCG@10 {score(stored.ndcg.value)}"] if stored and stored.recommended and stored.ndcg else []
    )
    detail = ", ".join([*scored, *costs_of(stored)]) if use == arm else "needs no training"
    label = "Search by" if better is not None or use == against else "Best after training"
    return {"label": label, "value": arm_name(use), "detail": detail, "mark": f"use {use}"}


def _arm_tiles(measured: SetResult, arms: Sequence[str]) -> list[dict[str, str]]:
    found = [(arm, headline) for arm in arms if (headline := measured.headline(arm))]
    return [
        {"label": arm_name(arm), "value": score(headline.value), "detail": span(headline.low, headline.high), "mark": arm}
        for arm, headline in found
    ]


def set_view(name: str, found: SetResult) -> dict[str, Any]:
    """Returns an evaluation set's section."""
    arms = {arm: found.arms[arm] for arm in ordered_arms(found.headlines)}
    best = {best_untrained(found), best_tuned(found)}
    return {
        "name": name,
        "kind": found.kind,
        "facts": _facts(found),
        "notes": _notes(found),
        "picture": _arms_picture(name, arms, best) if arms else "",
        "metrics": list(METRIC_NAMES.values()),
        "groups": _arm_groups(arms, best),
        "comparisons": comparisons_view(found),
        "dimensions": dimensions_view(found.dimensions),
        "storage_costs": storage_costs_view(found.storage_costs),
        "fusions": fusion_words(found.fusion),
        "breakdowns": breakdowns_view(found),
    }


def _facts(found: SetResult) -> str:
    counts = ((found.n_queries, "question"), (found.n_documents, "document"), (found.n_chunks, "chunk"))
    return ", ".join(counted(number, noun) for number, noun in counts if number is not None)


def _notes(found: SetResult) -> list[str]:
    few = [f"Fewer than {FEW_QUERIES} questions: the intervals are too narrow to lean on."]
    return [
        *([_GENERATED] if found.kind == "generated" else []),
        *(few if found.n_queries < FEW_QUERIES else []),
        *found.notes,
    ]


def _arms_picture(name: str, arms: Mapping[str, Table], best: Container[str | None]) -> Markup:
    rows = []
    for arm, table in arms.items():
        headline, group = table[HEADLINE], _GROUPS[is_tuned(arm)]
        shown = score(headline.value)
        rows.append(IntervalRow(way_name(arm), headline.value, headline.low, headline.high, arm, shown, group, arm in best))
    axis = axis_of((number for row in rows for number in (row.low, row.value, row.high)), low=0.0, high=1.0)
    return intervals(f"nDCG@10 on {name}, with 95% intervals", rows, axis)


def _arm_groups(arms: Mapping[str, Table], best: Container[str | None]) -> list[dict[str, Any]]:
    """Returns the arms' metrics, those without training first."""
    top = {
        metric: max((score(table[metric].value) for table in arms.values() if metric in table), default="")
        for metric in METRIC_NAMES
    }
    groups: list[dict[str, Any]] = []
    for tuned, title in _GROUPS.items():
        rows = [_arm_row(arm, table, top, arm in best) for arm, table in arms.items() if is_tuned(arm) == tuned]
        groups += [{"title": title, "rows": rows}] if rows else []
    return groups


def _arm_row(arm: str, table: Table, top: Mapping[str, str], is_best: bool) -> dict[str, Any]:
    cells = []
    for metric in METRIC_NAMES:
        cell = table.get(metric)
        value, detail = (score(cell.value), span(cell.low, cell.high)) if cell else (UNKNOWN, "")
        cells.append({"value": value, "detail": detail, "class": "best" if cell and value == top[metric] else ""})
    return {"label": arm_name(arm), "mark": arm, "cells": cells, "class": "best" if is_best else ""}


def comparisons_view(found: SetResult) -> dict[str, Any] | None:
    """Returns the paired differences: `rows` against the own base and the best without training, and the `others`."""
    if not found.comparisons:
        return None
    metrics = list(dict.fromkeys(row.metric for row in found.comparisons))
    questions = list(dict.fromkeys((row.arm, str(row.against)) for row in found.comparisons))
    by_place = {(row.arm, row.against, row.metric): row for row in found.comparisons}
    rows = {
        (arm, against): {
            "label": f"{arm_name(arm)} against {_within(arm_name(against))}",
            "mark": arm,
            "cells": [_difference_cell(by_place.get((arm, against, metric))) for metric in metrics],
        }
        for arm, against in questions
    }
    untrained = best_untrained(found)
    main = [pair for pair in questions if pair[0] in TUNED_ARMS and pair[1] in (own_base(pair[0]), untrained)] or questions
    return {
        "metrics": [metric_name(metric) for metric in metrics],
        "rows": [rows[pair] for pair in main],
        "others": [rows[pair] for pair in questions if pair not in main],
    }


def _within(name: str) -> str:
    """Returns an arm's name inside a sentence."""
    return name if name == "BM25" else name[:1].lower() + name[1:]


def _difference_cell(row: Comparison | None) -> dict[str, str]:
    if row is None:
        return {"value": "", "detail": "", "class": ""}
    detail = ", ".join(part for part in (points_span(row.low, row.high), p_value(row.p)) if part)
    return {"value": points(row.delta), "detail": detail, "class": row.direction}


def dimensions_view(dimensions: Mapping[str, Mapping[str, Table]]) -> dict[str, Any] | None:
    """Returns what vectors of each length score and weigh: a picture, a table and the sentence that matters."""
    models = {model: found for model in ("base", "finetuned") if (found := _sizes(dimensions.get(model, {})))}
    sizes = sorted({size for found in models.values() for size in found}, reverse=True)
    if len(sizes) < 2:
        return None
    rows = [
        {
            "size": size,
            "storage": kilobytes(size * BYTES_PER_NUMBER),
            "cells": [_dimension_cell(found, size) for found in models.values()],
        }
        for size in sizes
    ]
    return {
        "models": [{"label": arm_name(model), "mark": model} for model in models],
        "rows": rows,
        "picture": _dimensions_picture(models, sizes[::-1]),
        "sentence": _short_enough(models),
    }


def _sizes(found: Mapping[str, Table]) -> dict[int, Interval]:
    return {int(size): table[HEADLINE] for size, table in found.items() if size.isdigit() and HEADLINE in table}


def _dimension_cell(found: Mapping[int, Interval], size: int) -> dict[str, str]:
    headline = found.get(size)
    if headline is None:
        return {"value": "", "detail": "", "more": ""}
    whole = found[max(found)].value
    kept = f"keeps {percent(headline.value / whole)}" if whole and size != max(found) else ""
    return {"value": score(headline.value), "detail": span(headline.low, headline.high), "more": kept}


def _dimensions_picture(models: Mapping[str, Mapping[int, Interval]], sizes: Sequence[int]) -> Markup:
    place = {size: float(index) for index, size in enumerate(sizes)}
    series = [
        Series(arm_name(model), [(place[size], found[size].value) for size in sizes if size in found], model)
        for model, found in models.items()
    ]
    x_axis = Axis(-0.3, len(sizes) - 0.7, tuple(place.values()))
    y_axis = axis_of((y for item in series for _, y in item.points), low=0.0, high=1.0, ticks=6)
    return lines("nDCG@10 by numbers per vector", series, x_axis, y_axis, [str(size) for size in sizes])


def _short_enough(models: Mapping[str, Mapping[int, Interval]]) -> str:
    """Returns the sentence about the shortest fine-tuned vector that scores no less than the base model's longest."""
    if set(models) != {"base", "finetuned"}:
        return ""
    longest = max(models["base"])
    bar = models["base"][longest].value
    enough = [size for size, headline in models["finetuned"].items() if headline.value >= bar and size < longest]
    if not enough:
        return ""
    size = min(enough)
    return (
        f"Cut to {size} numbers, the fine-tuned vectors score {score(models['finetuned'][size].value)}, no less than "
        f"the base model's {longest} ({score(bar)}), in {percent(size / longest)} of the storage."
    )

"""What the report says of an evaluation set: the arms, how they compare, and what shorter vectors cost."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from finetrieve.evaluation.bootstrap import FEW_QUERIES
from finetrieve.evaluation.formats import (
    METRIC_NAMES,
    TUNED_ARMS,
    arm_name,
    counted,
    fusion_words,
    headline_of,
    is_tuned,
    kilobytes,
    known,
    metric_name,
    milliseconds,
    ordered_arms,
    p_value,
    percent,
    points,
    points_span,
    score,
    span,
    way_name,
)
from finetrieve.evaluation.verdict import best_tuned, best_untrained, own_base
from finetrieve.reporting.charts import Axis, IntervalRow, Series, axis_of, intervals, lines
from finetrieve.reporting.report_storage_costs import bill_view

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


def verdict_view(verdict: Mapping[str, Any], sets: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Returns the page's opening: `state`, `heading`, `sentence`, `next` and the headline numbers as `tiles`."""
    tiles = _tiles(verdict, sets[0][1].get("arms", {})) if sets else []
    view = {"state": "none", "heading": "Evaluation", "sentence": verdict.get("sentence", ""), "tiles": tiles, "next": []}
    if not known(verdict.get("delta")):
        return view
    better = verdict.get("better")
    heading = _HEADINGS[better]
    if better is False and verdict.get("against") not in (None, own_base(str(verdict.get("arm")))):
        heading = _NO_TRAINING_NEEDED
    elif better and sets and sets[0][1].get("kind") == "generated":
        heading = _BETTER_ON_GENERATED
    elif better is None and _search_gains(verdict):
        heading = _BETTER_SEARCH
    return {**view, "state": _STATES[better], "heading": heading, "next": [str(step) for step in verdict.get("next") or []]}


def _search_gains(verdict: Mapping[str, Any]) -> bool:
    """Returns whether the recommended way of searching is clearly better than the base model's vectors alone."""
    low = verdict.get("way_low")
    return known(low) and low > 0


def _tiles(verdict: Mapping[str, Any], arms: Mapping[str, Any]) -> list[dict[str, str]]:
    """Returns what people ask for first: how to search, what that scores, the best without training, and the difference."""
    found = {arm: headline for arm, table in arms.items() if (headline := headline_of(table))}
    arm, against = str(verdict.get("arm") or "finetuned"), str(verdict.get("against") or "base")
    tiles = [_use_tile(verdict, arm, against)] if verdict.get("arm") else []
    tiles += [_arm_tile(name, found[name]) for name in (arm, against) if name in found]
    if known(verdict.get("delta")):
        limits = points_span(verdict.get("low"), verdict.get("high"))
        tiles.append({"label": "Difference, points", "value": points(verdict["delta"]), "detail": limits, "mark": "change"})
    others = [name for name in ("base", "bm25") if name in found and name not in (arm, against)]
    return [*tiles, *(_arm_tile(name, found[name]) for name in others)][:MOST_TILES]


def _use_tile(verdict: Mapping[str, Any], arm: str, against: str) -> dict[str, str]:
    better = verdict.get("better")
    use = against if better is False or (better is None and _search_gains(verdict)) else arm
    cost = verdict.get("cost") or {}
    costs = [kilobytes(round(cost["bytes_per_chunk"])) + " per chunk"] if known(cost.get("bytes_per_chunk")) else []
    costs += [milliseconds(cost["ms_per_query"]) + " per query"] if known(cost.get("ms_per_query")) else []
    detail = ", ".join(costs) if use == arm else "needs no training"
    label = "Search by" if better is not None or use == against else "Best after training"
    return {"label": label, "value": arm_name(use), "detail": detail, "mark": f"use {use}"}


def _arm_tile(arm: str, headline: Mapping[str, Any]) -> dict[str, str]:
    limits = span(headline.get("low"), headline.get("high"))
    return {"label": arm_name(arm), "value": score(headline["value"]), "detail": limits, "mark": arm}


def set_view(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an evaluation set's section."""
    measured = found.get("arms", {})
    arms = {arm: measured[arm] for arm in ordered_arms(measured) if headline_of(measured[arm])}
    return {
        "name": name,
        "kind": found.get("kind", ""),
        "facts": _facts(found),
        "notes": _notes(found),
        "picture": _arms_picture(name, arms, _best(found)) if arms else "",
        "metrics": list(METRIC_NAMES.values()),
        "groups": _arm_groups(arms, _best(found)),
        "comparisons": comparisons_view(found),
        "dimensions": dimensions_view(found.get("dimensions", {})),
        "bill": bill_view(found.get("bill") or {}),
        "fusions": fusion_words(found.get("fusion") or {}),
    }


def _best(found: Mapping[str, Any]) -> set[str | None]:
    """Returns the best arm without training and the best of the trained model."""
    return {best_untrained(found), best_tuned(found)}


def _facts(found: Mapping[str, Any]) -> str:
    nouns = (("n_queries", "question"), ("n_documents", "document"), ("n_chunks", "chunk"))
    return ", ".join(counted(found[key], noun) for key, noun in nouns if known(found.get(key)))


def _notes(found: Mapping[str, Any]) -> list[str]:
    notes = [str(note) for note in found.get("notes", [])]
    n_queries = found.get("n_queries")
    if known(n_queries) and n_queries < FEW_QUERIES:
        notes.insert(0, f"Fewer than {FEW_QUERIES} questions: the intervals are too narrow to lean on.")
    if found.get("kind") == "generated":
        notes.insert(0, _GENERATED)
    return notes


def _arms_picture(name: str, arms: Mapping[str, Any], best: Container[str | None]) -> Markup:
    rows = []
    for arm, table in arms.items():
        headline = headline_of(table)
        value = headline["value"]
        low, high = headline.get("low", value), headline.get("high", value)
        rows.append(IntervalRow(way_name(arm), value, low, high, arm, score(value), _GROUPS[is_tuned(arm)], arm in best))
    axis = axis_of((number for row in rows for number in (row.low, row.value, row.high)), low=0.0, high=1.0)
    return intervals(f"nDCG@10 on {name}, with 95% intervals", rows, axis)


def _arm_groups(arms: Mapping[str, Any], best: Container[str | None]) -> list[dict[str, Any]]:
    """Returns the arms' metrics, those without training first."""
    top = {
        metric: max((score(table.get(metric, {}).get("value")) for table in arms.values()), default="") for metric in METRIC_NAMES
    }
    groups: list[dict[str, Any]] = []
    for tuned, title in _GROUPS.items():
        rows = [_arm_row(arm, table, top, arm in best) for arm, table in arms.items() if is_tuned(arm) == tuned]
        groups += [{"title": title, "rows": rows}] if rows else []
    return groups


def _arm_row(arm: str, table: Mapping[str, Any], top: Mapping[str, str], is_best: bool) -> dict[str, Any]:
    cells = []
    for metric in METRIC_NAMES:
        cell = table.get(metric, {})
        value = score(cell.get("value"))
        strong = value == top[metric] and known(cell.get("value"))
        cells.append({"value": value, "detail": span(cell.get("low"), cell.get("high")), "class": "best" if strong else ""})
    return {"label": arm_name(arm), "mark": arm, "cells": cells, "class": "best" if is_best else ""}


def comparisons_view(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the paired differences: `rows` against the own base and the best without training, and the `others`."""
    known_rows = [row for row in found.get("comparisons") or [] if known(row.get("delta"))]
    metrics = list(dict.fromkeys(str(row["metric"]) for row in known_rows))
    if not known_rows:
        return None
    questions = list(dict.fromkeys((str(row["arm"]), str(row["against"])) for row in known_rows))
    by_place = {(str(row["arm"]), str(row["against"]), str(row["metric"])): row for row in known_rows}
    rows = {
        (arm, against): {
            "label": f"{arm_name(arm)} against {_within(arm_name(against))}",
            "mark": arm,
            "cells": [_difference_cell(by_place.get((arm, against, metric), {})) for metric in metrics],
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


def _difference_cell(row: Mapping[str, Any]) -> dict[str, str]:
    if not row:
        return {"value": "", "detail": "", "class": ""}
    low, high = row.get("low"), row.get("high")
    clear = known(low) and known(high) and not low <= 0 <= high
    kind = ("up" if row["delta"] > 0 else "down") if clear else "open"
    detail = ", ".join(part for part in (points_span(low, high), p_value(row.get("p"))) if part)
    return {"value": points(row["delta"]), "detail": detail, "class": kind}


def dimensions_view(dimensions: Mapping[str, Any]) -> dict[str, Any] | None:
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


def _sizes(found: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    tables = {int(size): headline_of(table) for size, table in found.items() if str(size).isdigit()}
    return {size: headline for size, headline in tables.items() if headline}


def _dimension_cell(found: Mapping[int, Mapping[str, Any]], size: int) -> dict[str, str]:
    headline = found.get(size)
    if headline is None:
        return {"value": "", "detail": "", "more": ""}
    whole = found[max(found)]["value"]
    kept = f"keeps {percent(headline['value'] / whole)}" if whole and size != max(found) else ""
    return {"value": score(headline["value"]), "detail": span(headline.get("low"), headline.get("high")), "more": kept}


def _dimensions_picture(models: Mapping[str, Mapping[int, Mapping[str, Any]]], sizes: Sequence[int]) -> Markup:
    place = {size: float(index) for index, size in enumerate(sizes)}
    series = [
        Series(arm_name(model), [(place[size], found[size]["value"]) for size in sizes if size in found], model)
        for model, found in models.items()
    ]
    x_axis = Axis(-0.3, len(sizes) - 0.7, tuple(place.values()))
    y_axis = axis_of((y for item in series for _, y in item.points), low=0.0, high=1.0, ticks=6)
    return lines("nDCG@10 by numbers per vector", series, x_axis, y_axis, [str(size) for size in sizes])


def _short_enough(models: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> str:
    """Returns the sentence about the shortest fine-tuned vector that scores no less than the base model's longest."""
    if set(models) != {"base", "finetuned"}:
        return ""
    longest = max(models["base"])
    bar = models["base"][longest]["value"]
    enough = [size for size, headline in models["finetuned"].items() if headline["value"] >= bar and size < longest]
    if not enough:
        return ""
    size = min(enough)
    return (
        f"Cut to {size} numbers, the fine-tuned vectors score {score(models['finetuned'][size]['value'])}, no less than "
        f"the base model's {longest} ({score(bar)}), in {percent(size / longest)} of the storage."
    )

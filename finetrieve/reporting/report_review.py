"""What the report says of the review: how much people looked at, what they changed, how far they agree, what it is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from finetrieve.core.html import one_line
from finetrieve.evaluation.formats import arm_name, count, counted, known, percent, points, points_span, score
from finetrieve.evaluation.metrics import HEADLINE
from finetrieve.reporting.charts import BarRow, bars

SHOWN = 12
"""Edits, rejects and disagreements that are shown; the others are counted."""
OUTCOMES = {
    "confirmed": "accepted as it was",
    "edited": "edited",
    "rejected": "rejected",
    "unfixed": "to be fixed",
}
QUERY_LENGTH = 200


def review_view(review: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the review section: facts, outcomes, people under pseudonyms, edits, disagreements and the effect on the metrics.

    Args:
        review: `annotation` of `metrics.json`.
    """
    if not review:
        return None
    reviewed, records = review.get("reviewed", 0), review.get("records", 0)
    outcomes = {str(name): int(number) for name, number in (review.get("outcomes") or {}).items() if known(number)}
    return {
        "dataset": one_line(review.get("dataset", ""), 120),
        "facts": _facts(review, reviewed, records),
        "picture": _picture(outcomes),
        "people": _people(review.get("annotators") or []),
        "agreement": _agreement(review.get("agreement") or {}, review.get("disagreements_in_all", 0)),
        "edits": [_edit(row) for row in (review.get("edits") or [])[:SHOWN]],
        "rejected": [_edit(row) for row in (review.get("rejected") or [])[:SHOWN]],
        "own": [one_line(row.get("query", ""), QUERY_LENGTH) for row in (review.get("own") or [])[:SHOWN]],
        "disagreements": [_disagreement(row) for row in (review.get("disagreements") or [])[:SHOWN]],
        "effect": _effect((review.get("effect") or {}).get("rows") or []),
        "notes": _notes(review),
    }


def _facts(review: Mapping[str, Any], reviewed: int, records: int) -> list[dict[str, str]]:
    share = f"{percent(reviewed / records)} of {count(records)}" if records else ""
    people = len(review.get("annotators") or [])
    return [
        {"label": "Reviewed", "value": count(reviewed), "detail": share},
        {"label": "People", "value": count(people), "detail": ""},
        {"label": "Queries of their own", "value": count(review.get("human_queries", 0)), "detail": ""},
    ]


def _picture(outcomes: Mapping[str, int]) -> Markup | str:
    if not outcomes:
        return ""
    whole = sum(outcomes.values())
    rows = [
        BarRow(label.capitalize(), outcomes[name] / whole, f"{count(outcomes[name])} ({percent(outcomes[name] / whole)})")
        for name, label in OUTCOMES.items()
        if name in outcomes
    ]
    return bars("What people made of the queries", rows, "plain")


def _people(annotators: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "name": one_line(person.get("name", ""), 40),
            "answers": count(person.get("answers")),
            "cells": [count((person.get("outcomes") or {}).get(name, 0)) for name in (*OUTCOMES, "human")],
        }
        for person in annotators[:SHOWN]
    ]


def _agreement(found: Mapping[str, Any], disagreements: int) -> str:
    number = found.get("records", 0)
    if not number:
        return ""
    pairwise, alpha = found.get("pairwise"), found.get("alpha")
    parts = [f"{counted(number, 'record')} had several answers; two of them agree in {percent(pairwise)} of the cases"]
    if known(alpha):
        parts.append(f" (Krippendorff's alpha {alpha:.2f}: 1 is full agreement, 0 is chance)")
    return "".join([*parts, f". On {counted(disagreements, 'record')} they differ; the majority counts, then the most recent."])


def _edit(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "place": one_line(str(row.get("place", "")).split("\n")[0], 120),
        "before": one_line(row.get("before", ""), QUERY_LENGTH),
        "after": one_line(row.get("after", ""), QUERY_LENGTH),
    }


def _disagreement(row: Mapping[str, Any]) -> dict[str, Any]:
    said = [
        {
            "annotator": one_line(answer.get("annotator", ""), 40),
            "said": OUTCOMES.get(str(answer.get("outcome")), one_line(answer.get("outcome", ""), 40)),
            "query": one_line(answer.get("query", ""), QUERY_LENGTH),
        }
        for answer in (row.get("answers") or [])[:SHOWN]
    ]
    return {"query": one_line(row.get("query", ""), QUERY_LENGTH), "answers": said}


def _effect(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Returns the headline metric with the review and without, per evaluation set and arm."""
    shown = []
    for row in rows:
        if row.get("metric") != HEADLINE or not known(row.get("delta")):
            continue
        low, high = row.get("low"), row.get("high")
        clear = known(low) and known(high) and not low <= 0 <= high
        shown.append(
            {
                "eval_set": one_line(row.get("eval_set", ""), 120),
                "arm": arm_name(str(row.get("arm", ""))),
                "with": score(row.get("value")),
                "without": score(row.get("value_against")),
                "delta": points(row["delta"]),
                "interval": points_span(low, high),
                "class": ("up" if row["delta"] > 0 else "down") if clear else "open",
            }
        )
    return shown


def _notes(review: Mapping[str, Any]) -> list[str]:
    used = review.get("used") or {}
    rows = ", ".join(f"{count(number)} {name}" for name, number in (used.get("rows") or {}).items())
    left_out = ", ".join(f"{count(number)} {name}" for name, number in (used.get("left_out") or {}).items())
    notes = [f"Used: {rows}." if rows else "", f"Left out: {left_out}." if left_out else ""]
    if changed := review.get("chunk_changed"):
        notes.append(f"The text of {counted(changed, 'answered record')} was changed since; the answers went with it.")
    if gone := review.get("chunk_gone"):
        notes.append(f"{counted(gone, 'answered record')} asked about text that is gone; the answers are kept in Argilla.")
    if not review.get("effect") and review.get("reviewed"):
        notes.append("What the review did to the metrics is measured with annotation.compare: true.")
    return [note for note in notes if note]

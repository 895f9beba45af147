"""What the report says of the review: how much people looked at, what they changed, how far they agree, what it is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from finetrieve.core.annotation_report import Agreement, AnnotatorSummary, Disagreement, JudgeAgreement
from finetrieve.core.html import one_line
from finetrieve.core.numbers import count, counted
from finetrieve.evaluation.formats import arm_name, percent, points, points_span, score
from finetrieve.evaluation.metrics import HEADLINE
from finetrieve.evaluation.result import Comparison, ReviewResult
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


def review_view(review: ReviewResult) -> dict[str, Any] | None:
    """Returns the review section: facts, outcomes, people under pseudonyms, edits, disagreements, effect on the metrics."""
    if not review.model_fields_set:
        return None
    return {
        "dataset": one_line(review.dataset, 120),
        "facts": _facts(review),
        "picture": _picture(review.outcomes),
        "people": _people(review.annotators),
        "agreement": _agreement(review.agreement, review.disagreements_in_all),
        "judge": _judge(review.judge),
        "edits": [_words(row.before, row.after, place=row.place) for row in review.edits[:SHOWN]],
        "rejected": [_words(row.before, place=row.place) for row in review.rejected[:SHOWN]],
        "own": [one_line(row.query, QUERY_LENGTH) for row in review.own[:SHOWN]],
        "disagreements": [_disagreement(row) for row in review.disagreements[:SHOWN]],
        "effect": [_effect(row) for row in review.effect.rows if row.metric == HEADLINE],
        "notes": _notes(review),
    }


def _facts(review: ReviewResult) -> list[dict[str, str]]:
    share = f"{percent(review.reviewed / review.records)} of {count(review.records)}" if review.records else ""
    return [
        {"label": "Reviewed", "value": count(review.reviewed), "detail": share},
        {"label": "People", "value": count(len(review.annotators)), "detail": ""},
        {"label": "Queries of their own", "value": count(review.human_queries), "detail": ""},
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


def _people(annotators: Sequence[AnnotatorSummary]) -> list[dict[str, Any]]:
    return [
        {
            "name": one_line(person.name, 40),
            "answers": count(person.answers),
            "cells": [count(person.outcomes.get(name, 0)) for name in (*OUTCOMES, "human")],
        }
        for person in annotators[:SHOWN]
    ]


def _agreement(found: Agreement, disagreements: int) -> str:
    if not found.records:
        return ""
    several = counted(found.records, "record")
    parts = [f"{several} had several answers; two of them agree in {percent(found.pairwise)} of the cases"]
    if found.alpha is not None:
        parts.append(f" (Krippendorff's alpha {found.alpha:.2f}: 1 is full agreement, 0 is chance)")
    return "".join([*parts, f". On {counted(disagreements, 'record')} they differ; the majority counts, then the most recent."])


def _judge(found: JudgeAgreement) -> str:
    if not found.records or found.share is None:
        return ""
    said = f"An LLM had judged {counted(found.records, 'record')}; with people it agrees in {percent(found.share)} of the cases"
    scale = f" on which queries are good (a score of {found.at_least:g} or more; accepted as it was)"
    kappa = f". Cohen's kappa is {found.kappa:.2f}: 1 is full agreement, 0 is chance" if found.kappa is not None else ""
    return f"{said}{scale}{kappa}."


def _words(*queries: str, place: str) -> list[str]:
    return [*(one_line(query, QUERY_LENGTH) for query in queries), one_line(place.split("\n")[0], 120)]


def _disagreement(row: Disagreement) -> dict[str, Any]:
    said = [
        {
            "annotator": one_line(answer.annotator, 40),
            "said": OUTCOMES.get(answer.outcome, one_line(answer.outcome, 40)),
            "query": one_line(answer.query, QUERY_LENGTH),
        }
        for answer in row.answers[:SHOWN]
    ]
    return {"query": one_line(row.query, QUERY_LENGTH), "answers": said}


def _effect(row: Comparison) -> dict[str, str]:
    """Returns the headline metric of an evaluation set and arm with the review and without."""
    return {
        "eval_set": one_line(row.eval_set or "", 120),
        "arm": arm_name(row.arm),
        "with": score(row.value),
        "without": score(row.value_against),
        "delta": points(row.delta),
        "interval": points_span(row.low, row.high),
        "class": row.direction,
    }


def _notes(review: ReviewResult) -> list[str]:
    rows, left_out = (
        ", ".join(f"{count(number)} {name}" for name, number in numbers.items())
        for numbers in (review.used.rows, review.used.left_out)
    )
    notes = [f"Used: {rows}." if rows else "", f"Left out: {left_out}." if left_out else ""]
    if review.chunk_changed:
        changed = counted(review.chunk_changed, "answered record")
        notes.append(f"The text of {changed} was changed since; the answers went with it.")
    if review.chunk_gone:
        gone = counted(review.chunk_gone, "answered record")
        notes.append(f"{gone} asked about text that is gone; the answers are kept in Argilla.")
    if "effect" not in review.model_fields_set and review.reviewed:
        notes.append("What the review did to the metrics is measured with annotation.compare: true.")
    return [note for note in notes if note]

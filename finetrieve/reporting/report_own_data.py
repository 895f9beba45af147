"""What the report says of pairs and queries of one's own: how they were matched or labelled, and how generated ones differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from finetrieve.core.html import one_line
from finetrieve.core.numbers import count, counted
from finetrieve.core.own_data_report import GradesReport, PairSetReport, PairsReport, QueriesReport, QueryDifferences, QueryManner
from finetrieve.evaluation.formats import percent, score
from finetrieve.reporting.report_diversity import lengths_picture

_WAYS = ("exact", "document", "text", "free text")


def own_pairs_view(pairs: PairsReport) -> dict[str, Any] | None:
    """Returns a row of counts per set, and some of what no chunk answers."""
    if not pairs.sets:
        return None
    return {
        "rows": [{"label": one_line(name, 80), "cells": _counts(found)} for name, found in pairs.sets.items()],
        "unmatched": [
            [one_line(row.query, 200), one_line(row.reason, 240)] for found in pairs.sets.values() for row in found.examples
        ],
    }


def _counts(found: PairSetReport) -> list[str]:
    ways = [found.matched.get(way, 0) for way in _WAYS]
    return [
        count(number)
        for number in (found.queries, found.pairs, *ways, found.negatives, found.unmatched, _sum(found.personal_data))
    ]


def _sum(personal: Mapping[str, int]) -> int:
    return sum(personal.values())


def own_queries_view(found: QueriesReport) -> dict[str, Any] | None:
    """Returns a row of counts per set, what labelled them, and how generated queries differ from them."""
    if not found.sets:
        return None
    rows = [
        {
            "label": one_line(name, 80),
            "cells": [
                count(number)
                for number in (item.queries, item.asked, item.clicked, item.sure, item.rare, _sum(item.personal_data))
            ],
        }
        for name, item in found.sets.items()
    ]
    return {
        "rows": rows,
        "teacher": one_line(found.teacher, 300),
        "grades": [f"{one_line(name, 80)}: {_graded(item.grades)}" for name, item in found.sets.items() if item.grades],
        "unanswered": [
            [one_line(name, 80), one_line(query, 200)]
            for name, item in found.sets.items()
            for query in (item.grades.unanswered_examples if item.grades else ())
        ],
        "clicks": any(item.clicked for item in found.sets.values()),
        "manners": _manners(found.differences),
        "distance": _distance(found.differences),
        "picture": lengths_picture(
            [
                ("Typed by people", found.differences.real.lengths, "base"),
                ("Generated", found.differences.generated.lengths, "finetuned"),
            ]
        ),
        "marks": [{"label": "Typed by people", "mark": "base"}, {"label": "Generated", "mark": "finetuned"}],
    }


def _graded(found: GradesReport) -> str:
    """Returns what an LLM graded, what it did not, and what that took."""
    graded = counted(found.graded, "query", "queries")
    parts = [f"{graded} graded, {count(found.unanswered)} that nothing in the documents answers"]
    if found.fallbacks:
        why = ", ".join(f"{kind} {count(number)}" for kind, number in found.fallbacks.items())
        parts += [f"labelled by the search instead: {why}"]
    asked = found.asked
    cost = f", cost {asked.money:.4f}" if asked.money else ""
    parts += [f"{counted(asked.requests, 'request')}, {count(asked.input_tokens + asked.output_tokens)} tokens{cost}"]
    return "; ".join(parts) + "."


def _manners(found: QueryDifferences) -> list[dict[str, Any]]:
    named: dict[str, Callable[[QueryManner], str]] = {
        "Words": lambda manner: f"{manner.words:.1f}",
        "Questions": lambda manner: percent(manner.questions),
        "At most four words, no question": lambda manner: percent(manner.keywords),
        "Words that the answering chunk has too": lambda manner: percent(manner.shared_words),
    }
    if not found.generated.queries:
        return []
    return [{"label": label, "cells": [say(found.real), say(found.generated)]} for label, say in named.items()]


def _distance(found: QueryDifferences) -> str:
    if found.nearest_generated is None or found.nearest_real is None:
        return ""
    return (
        f"The generated query nearest to a real one has a cosine of {score(found.nearest_generated, 2)} with it, "
        f"the nearest other real one {score(found.nearest_real, 2)}; both are means."
    )

"""What the report says of how varied the generated queries are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from finetrieve.core.generation_report import AttributeCoverage, DiversityReport, TopicCoverage
from finetrieve.core.html import one_line
from finetrieve.core.languages import language_name
from finetrieve.core.numbers import count
from finetrieve.evaluation.formats import percent, score
from finetrieve.reporting.charts import Axis, Series, lines


def diversity_view(found: DiversityReport | None) -> dict[str, Any] | None:
    """Returns rows of (label, value, what it means), sections without a query, and a row per grid of attributes."""
    if found is None or not found.queries:
        return None
    sample = f"of {count(found.sample)} queries"
    rows = [
        ("Different words among all words", _share(found.distinct_words), sample),
        ("Different pairs of words", _share(found.distinct_pairs), sample),
        (
            "Likeness to the nearest other query",
            "" if found.self_similarity is None else score(found.self_similarity, 2),
            "0..1, by words",
        ),
        ("Queries with the same words as another", count(found.repeated), f"of {count(found.queries)}"),
        ("Words per query", "" if found.words is None else f"{found.words:.1f}", f"{_share(found.questions)} are questions"),
        ("Languages", ", ".join(f"{percent(share)} {language_name(code)}" for code, share in found.languages.items()), ""),
        ("Chunks that answer a query", _share(found.chunks_asked), ""),
        ("Sections without a query", count(found.sections_unasked), f"of {count(found.sections)}"),
        ("Documents without a query", count(found.documents_unasked), f"of {count(found.documents)}"),
    ]
    return {
        "rows": [(label, value, detail) for label, value, detail in rows if value],
        "unasked": [one_line(section, 120) for section in found.unasked_examples],
        "picture": lengths_picture([("Generated", found.lengths, "finetuned")]),
        "topics": [_topic(label, topic) for label, topic in found.topics.items()],
        "grids": [_grid(recipe, grid) for recipe, grid in found.coverage.items()],
    }


def _share(share: float | None) -> str:
    return "" if share is None else percent(share)


def _topic(label: str, topic: TopicCoverage) -> tuple[str, str, str, str, str]:
    asked = f"{count(topic.chunks_asked)} ({percent(topic.chunks_asked / topic.chunks)})"
    return one_line(label, 80), count(topic.chunks), asked, count(topic.queries), count(topic.rows)


def _grid(recipe: str, grid: AttributeCoverage) -> tuple[str, str, str, str]:
    axes = " x ".join(f"{one_line(name, 30)} ({count(values)})" for name, values in grid.attributes.items())
    rarest = "; ".join(f"{one_line(name, 80)}: {count(rows)}" for name, rows in grid.rarest.items())
    return one_line(recipe, 40), axes, f"{count(grid.seen)} of {count(grid.combinations)}", rarest


def lengths_picture(shares: Sequence[tuple[str, Sequence[float], str]]) -> Markup | str:
    """Returns lines of the share of queries by their number of words: (label, shares of 1, 2, ... words, mark)."""
    known = [(label, own, mark) for label, own, mark in shares if own]
    if not known:
        return ""
    longest = max(len(own) for _, own, _ in known)
    top = max(max(own) for _, own, _ in known) or 1.0
    series = [Series(label, list(enumerate(own, 1)), mark, dots=False) for label, own, mark in known]
    ticks = tuple(float(words) for words in (1, 4, 8, 12, 16, 20, 24) if words <= longest)
    return lines(
        "Queries by their number of words", series, Axis(1.0, float(longest), ticks), Axis(0.0, top * 1.05, (0.0, round(top, 2)))
    )

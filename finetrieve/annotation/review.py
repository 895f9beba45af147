"""Review applied to the generated queries: the rows that are trained on, each with its provenance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from finetrieve.core.annotation_report import ReviewCounts
from finetrieve.core.rows import Annotation, GeneratedQuery
from finetrieve.core.text import normalise_query

CONFIRMED, EDITED, REJECTED, UNFIXED, HUMAN = "confirmed", "edited", "rejected", "unfixed", "human"
GENERATED = "generated"
ANNOTATED = "argilla"
"""The recipe of a row that only its annotation has."""
_KEPT = frozenset({CONFIRMED, EDITED})
_RANK = {HUMAN: 0, EDITED: 1, CONFIRMED: 2, GENERATED: 3}
"""Of two rows that ask a chunk the same, that of the lower rank stays."""

Use = Literal["all", "reviewed", "submitted"]


@dataclass(frozen=True)
class Reviewed:
    """The queries that are used."""

    triplets: list[GeneratedQuery]
    provenance: dict[str, str]
    """Query id -> `generated`, `confirmed`, `edited` or `human`."""
    counts: ReviewCounts


def review(
    triplets: Sequence[GeneratedQuery],
    annotations: Sequence[Annotation],
    chunk_ids: Collection[str],
    use: Use = "all",
    with_human_queries: bool = True,
) -> Reviewed:
    """Returns the rows to use: people's text wins, what they rejected goes, what they did not touch goes by `use`.

    An annotation belongs to the query of its id. Where its document was changed since, it belongs to the query that asks the
    same of the chunk that took its chunk's place. A query that people kept stays even if it is no longer generated, as long as
    every chunk that it needs is there.

    Args:
        triplets: Generated queries that passed the filters.
        annotations: Reconciled responses, and people's own queries.
        chunk_ids: The corpus; annotations of other chunks are left out.
        use: `all` keeps untouched rows; `submitted` only what somebody answered; `reviewed` only what as many answered as the
            dataset asks for.
        with_human_queries: Whether people's own queries are rows too.
    """
    corpus = frozenset(chunk_ids)
    reviewed = [annotation for annotation in annotations if annotation.status != HUMAN and annotation.chunk_id in corpus]
    by_id = {annotation.id: annotation for annotation in reviewed}
    by_question = {_question(annotation.chunk_id, annotation.generated_query): annotation for annotation in reviewed}
    left_out: Counter[str] = Counter()
    rows: list[tuple[GeneratedQuery, str]] = []
    used: set[str] = set()
    # 1. Generated rows, in their order.
    for triplet in triplets:
        annotation = by_id.get(triplet.id) or by_question.get(_question(triplet.chunk_id, triplet.query))
        if annotation is not None:
            used.add(annotation.id)
        status = _status(annotation, use)
        if status in _RANK:
            rows.append((_apply_annotation(triplet, annotation), status))
        else:
            left_out[status] += 1
    # 2. What people kept or added, beside them.
    for annotation in reviewed:
        if annotation.id not in used and _status(annotation, use) in _KEPT and corpus.issuperset(annotation.chunk_ids):
            rows.append((_triplet(annotation), annotation.status))
    if with_human_queries:
        own = [item for item in annotations if item.status == HUMAN and corpus.issuperset(item.chunk_ids)]
        rows += [(_triplet(annotation), HUMAN) for annotation in own]
    kept = _drop_repeated(rows)
    left_out["the same query"] += len(rows) - len(kept)
    return Reviewed(
        [triplet for triplet, _ in kept],
        {triplet.id: status for triplet, status in kept},
        ReviewCounts(rows=dict(Counter(status for _, status in kept)), left_out={name: n for name, n in left_out.items() if n}),
    )


def _question(chunk_id: str, query: str) -> tuple[str, str]:
    return chunk_id, normalise_query(query)


def _status(annotation: Annotation | None, use: Use) -> str:
    """Returns a row's provenance, or in words why it is left out."""
    if annotation is None:
        return GENERATED if use == "all" else "not reviewed"
    if annotation.status in _KEPT and use == "reviewed" and not annotation.complete:
        return "not reviewed by enough people"
    return annotation.status


def _apply_annotation(triplet: GeneratedQuery, annotation: Annotation | None) -> GeneratedQuery:
    if annotation is None:
        return triplet
    return replace(triplet, query=annotation.query, negative_query=annotation.negative_query)


def _triplet(annotation: Annotation) -> GeneratedQuery:
    style = annotation.style or ANNOTATED
    return GeneratedQuery(
        annotation.id,
        annotation.chunk_id,
        annotation.query,
        annotation.negative_query,
        style,
        ANNOTATED,
        ANNOTATED,
        further_chunk_ids=annotation.further_chunk_ids,
    )


def _drop_repeated(rows: Iterable[tuple[GeneratedQuery, str]]) -> list[tuple[GeneratedQuery, str]]:
    best: dict[tuple[str, str], tuple[GeneratedQuery, str]] = {}
    for triplet, status in rows:
        key = _question(triplet.chunk_id, triplet.query)
        if key not in best or _RANK[status] < _RANK[best[key][1]]:
            best[key] = (triplet, status)
    return list(best.values())

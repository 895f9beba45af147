"""Several people's answers made one: the majority's, and where there is none, the most recent."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, TypeVar

from finetrieve.annotation.dataset import BAD, FIXABLE
from finetrieve.annotation.responses import Answer, AnsweredRecord
from finetrieve.annotation.review import CONFIRMED, EDITED, HUMAN, REJECTED, UNFIXED
from finetrieve.core.rows import Annotation
from finetrieve.core.text import normalise_query

Item = TypeVar("Item")


@dataclass(frozen=True)
class Reconciled:
    """What a record came to."""

    annotation: Annotation
    own_queries: list[Annotation]
    disagreement: dict[str, Any] | None
    """The query and what each said, where not all said the same."""


def reconcile(record: AnsweredRecord, chunk_id: str | None = None) -> Reconciled:
    """Returns the annotation of a record, and people's own queries.

    Whether a query stays is decided first, then its words among those who keep it: an edit outvotes nobody who rejected it.

    Args:
        record: With at least one answer.
        chunk_id: The chunk that it is about today, where that is not the one that was shown.
    """
    chunk_id = record.chunk_id if chunk_id is None else chunk_id
    outcomes = [(answer, _outcome(answer, record.suggested_query)) for answer in record.answers]
    kept = _prevailing([outcome in (CONFIRMED, EDITED) for _, outcome in outcomes], lambda keeps: keeps)
    deciding = [(answer, outcome) for answer, outcome in outcomes if (outcome in (CONFIRMED, EDITED)) == kept]
    winner, status = _prevailing(deciding, lambda pair: (pair[1], _same(pair[0].query) if kept else ""))
    agreeing = [pair for pair in deciding if pair[1] == status and (not kept or _same(pair[0].query) == _same(winner.query))]
    negative = _prevailing([answer.negative for answer, _ in agreeing], lambda text: _same(text or ""))
    annotation = Annotation(
        id=record.external_id,
        chunk_id=chunk_id,
        query=_clean(winner.query) if kept else record.suggested_query,
        negative_query=_clean(negative) if negative and kept else None,
        generated_query=record.suggested_query,
        style=record.style,
        status=status,
        annotators=" ".join(sorted({answer.annotator for answer in record.answers})),
        agreement=round(len(agreeing) / len(outcomes), 4),
        complete=record.complete,
    )
    return Reconciled(annotation, _own_queries(record, chunk_id), _disagreement(record, outcomes))


def _outcome(answer: Answer, suggested: str) -> str:
    """Returns what an answer makes of the query."""
    if answer.discarded or answer.verdict == BAD or not answer.query:
        return REJECTED
    if _same(answer.query) != _same(suggested):
        return EDITED
    return UNFIXED if answer.verdict == FIXABLE else CONFIRMED


def _same(query: str) -> str:
    """Returns the form in which two answers are the same: white space aside, every sign counts."""
    return _clean(query)


def _clean(query: str) -> str:
    return " ".join(query.split())


def _prevailing(items: Sequence[Item], key: Callable[[Item], Hashable]) -> Item:
    """Returns the last item of the largest group; of groups of one size, that with the most recent item."""
    sizes = Counter(key(item) for item in items)
    most = max(sizes.values())
    return next(item for item in reversed(items) if sizes[key(item)] == most)


def _own_queries(record: AnsweredRecord, chunk_id: str) -> list[Annotation]:
    authors: dict[str, list[Answer]] = {}
    for answer in record.answers:
        for query in answer.own_queries:
            authors.setdefault(query, []).append(answer)
    return [
        Annotation(
            id=hashlib.sha256("\x1f".join((chunk_id, HUMAN, query)).encode()).hexdigest()[:16],
            chunk_id=chunk_id,
            query=query,
            negative_query=None,
            generated_query="",
            style=HUMAN,
            status=HUMAN,
            annotators=" ".join(sorted({answer.annotator for answer in answers})),
            agreement=1.0,
            complete=True,
        )
        for query, answers in authors.items()
    ]


def distinct_own_queries(annotations: Sequence[Annotation]) -> list[Annotation]:
    """Returns people's own queries, each once per chunk however it is written, with everyone who wrote it."""
    groups: dict[tuple[str, str], list[Annotation]] = {}
    for annotation in annotations:
        groups.setdefault((annotation.chunk_id, normalise_query(annotation.query)), []).append(annotation)
    return [_merged(group) for group in groups.values()]


def _merged(group: Sequence[Annotation]) -> Annotation:
    names = sorted({name for annotation in group for name in annotation.annotators.split()})
    return replace(group[0], annotators=" ".join(names))


def _disagreement(record: AnsweredRecord, outcomes: Sequence[tuple[Answer, str]]) -> dict[str, Any] | None:
    if len({(outcome, _same(answer.query) if outcome == EDITED else "") for answer, outcome in outcomes}) < 2:
        return None
    said = [
        {"annotator": answer.annotator, "outcome": outcome, "query": _clean(answer.query) if outcome == EDITED else ""}
        for answer, outcome in outcomes
    ]
    return {"query": record.suggested_query, "place": record.place, "answers": said}


# Agreement over a dataset.


def agreement(records: Sequence[AnsweredRecord]) -> dict[str, Any]:
    """Returns how far people who saw the same records agreed: `records` with several answers, `pairwise` share, `alpha`.

    `alpha` is Krippendorff's for nominal data (Krippendorff 2004, chapter 11) over confirmed, edited, unfixed and rejected:
    1 is full agreement, 0 what chance gives. None where it is undefined.
    """
    units = [
        [_outcome(answer, record.suggested_query) for answer in record.answers] for record in records if len(record.answers) > 1
    ]
    pairs = [(left == right) for unit in units for left, right in combinations(unit, 2)]
    return {
        "records": len(units),
        "pairwise": round(sum(pairs) / len(pairs), 4) if pairs else None,
        "alpha": _alpha(units),
    }


def _alpha(units: Sequence[Sequence[str]]) -> float | None:
    totals = Counter(value for unit in units for value in unit)
    n = sum(totals.values())
    expected = n * n - sum(count * count for count in totals.values())
    if n < 2 or not expected:
        return None
    observed = sum((len(unit) ** 2 - sum(count * count for count in Counter(unit).values())) / (len(unit) - 1) for unit in units)
    return round(1 - (n - 1) * observed / expected, 4)

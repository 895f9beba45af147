"""Several people's responses made one: the majority's, and where there is none, the most recent."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeVar

from finetrieve.annotation.dataset import BAD, FIXABLE
from finetrieve.annotation.responses import Response, ReviewedRecord
from finetrieve.annotation.review import CONFIRMED, EDITED, HUMAN, REJECTED, UNFIXED
from finetrieve.core.annotation_report import Agreement, Disagreement, JudgeAgreement, Opinion
from finetrieve.core.rows import Annotation
from finetrieve.core.text import normalise_query

JUDGED_GOOD = 7.0
"""The judge's score, 0..10, from which on it calls a query good; what the judge drops by default is below."""
Item = TypeVar("Item")


@dataclass(frozen=True)
class Reconciled:
    """What a record came to."""

    annotation: Annotation
    own_queries: list[Annotation]
    disagreement: Disagreement | None


def reconcile(record: ReviewedRecord, chunk_ids: Sequence[str] = ()) -> Reconciled:
    """Returns the annotation of a record, and people's own queries.

    Whether a query stays is decided first, then its words among those who keep it: an edit outvotes nobody who rejected it.

    Args:
        record: With at least one response.
        chunk_ids: The chunks that it is about today, its own first, where those are not the ones that were shown.
    """
    chunk_id, *others = chunk_ids or record.chunk_ids
    further = " ".join(others)
    outcomes = [(response, _outcome(response, record.suggested_query)) for response in record.responses]
    kept = _prevailing([outcome in (CONFIRMED, EDITED) for _, outcome in outcomes], lambda keeps: keeps)
    deciding = [(response, outcome) for response, outcome in outcomes if (outcome in (CONFIRMED, EDITED)) == kept]
    winner, status = _prevailing(deciding, lambda pair: (pair[1], _clean(pair[0].query) if kept else ""))
    agreeing = [pair for pair in deciding if pair[1] == status and (not kept or _clean(pair[0].query) == _clean(winner.query))]
    negative = _prevailing([response.negative for response, _ in agreeing], lambda text: _clean(text or ""))
    annotation = Annotation(
        id=record.external_id,
        chunk_id=chunk_id,
        query=_clean(winner.query) if kept else record.suggested_query,
        negative_query=_clean(negative) if negative and kept else None,
        generated_query=record.suggested_query,
        style=record.style,
        status=status,
        annotators=" ".join(sorted({response.annotator for response in record.responses})),
        agreement=round(len(agreeing) / len(outcomes), 4),
        complete=record.complete,
        further_chunk_ids=further,
    )
    return Reconciled(annotation, _own_queries(record, chunk_id, further), _disagreement(record, outcomes))


def _outcome(response: Response, suggested: str) -> str:
    """Returns what a response makes of the query."""
    if response.discarded or response.verdict == BAD or not response.query:
        return REJECTED
    if _clean(response.query) != _clean(suggested):
        return EDITED
    return UNFIXED if response.verdict == FIXABLE else CONFIRMED


def _clean(query: str) -> str:
    """Returns a query with its white space collapsed.

    Two responses are the same where this is: unlike in `normalise_query` every sign counts, since a person who adds a question
    mark has edited the query.
    """
    return " ".join(query.split())


def _prevailing(items: Sequence[Item], key: Callable[[Item], Hashable]) -> Item:
    """Returns the last item of the largest group; of groups of one size, that with the most recent item."""
    sizes = Counter(key(item) for item in items)
    most = max(sizes.values())
    return next(item for item in reversed(items) if sizes[key(item)] == most)


def _own_queries(record: ReviewedRecord, chunk_id: str, further: str) -> list[Annotation]:
    authors: dict[str, list[Response]] = {}
    for response in record.responses:
        for query in response.own_queries:
            authors.setdefault(query, []).append(response)
    return [
        Annotation(
            id=hashlib.sha256("\x1f".join((chunk_id, HUMAN, query)).encode()).hexdigest()[:16],
            chunk_id=chunk_id,
            query=query,
            negative_query=None,
            generated_query="",
            style=HUMAN,
            status=HUMAN,
            annotators=" ".join(sorted({response.annotator for response in responses})),
            agreement=1.0,
            complete=True,
            further_chunk_ids=further,
        )
        for query, responses in authors.items()
    ]


def merge_own_queries(annotations: Sequence[Annotation]) -> list[Annotation]:
    """Returns people's own queries, each once per chunk however it is written, with everyone who wrote it."""
    groups: dict[tuple[str, str], list[Annotation]] = {}
    for annotation in annotations:
        groups.setdefault((annotation.chunk_id, normalise_query(annotation.query)), []).append(annotation)
    return [_merge(group) for group in groups.values()]


def _merge(group: Sequence[Annotation]) -> Annotation:
    names = sorted({name for annotation in group for name in annotation.annotators.split()})
    return replace(group[0], annotators=" ".join(names))


def _disagreement(record: ReviewedRecord, outcomes: Sequence[tuple[Response, str]]) -> Disagreement | None:
    if len({(outcome, _clean(response.query) if outcome == EDITED else "") for response, outcome in outcomes}) < 2:
        return None
    opinions = [
        Opinion(annotator=response.annotator, outcome=outcome, query=_clean(response.query) if outcome == EDITED else "")
        for response, outcome in outcomes
    ]
    return Disagreement(query=record.suggested_query, place=record.place, answers=opinions)


# Agreement over a dataset.


def measure_agreement(records: Sequence[ReviewedRecord]) -> Agreement:
    """Returns how far people who saw the same records agreed."""
    units = [
        [_outcome(response, record.suggested_query) for response in record.responses]
        for record in records
        if len(record.responses) > 1
    ]
    pairs = [(left == right) for unit in units for left, right in combinations(unit, 2)]
    pairwise = round(sum(pairs) / len(pairs), 4) if pairs else None
    return Agreement(records=len(units), pairwise=pairwise, alpha=_alpha(units))


def _alpha(units: Sequence[Sequence[str]]) -> float | None:
    totals = Counter(value for unit in units for value in unit)
    n = sum(totals.values())
    expected = n * n - sum(count * count for count in totals.values())
    if n < 2 or not expected:
        return None
    observed = sum((len(unit) ** 2 - sum(count * count for count in Counter(unit).values())) / (len(unit) - 1) for unit in units)
    return round(1 - (n - 1) * observed / expected, 4)


def measure_judge(judged: Sequence[tuple[float | None, str]]) -> JudgeAgreement:
    """Returns how far the LLM that judged queries and people agree.

    Args:
        judged: The score of each reviewed record, None without one, and the status that people brought it to.
    """
    from sklearn.metrics import cohen_kappa_score

    scored = [(score >= JUDGED_GOOD, status == CONFIRMED) for score, status in judged if score is not None]
    if not scored:
        return JudgeAgreement()
    judge, people = zip(*scored, strict=True)
    varied = len(set(judge)) > 1 and len(set(people)) > 1
    return JudgeAgreement(
        records=len(scored),
        at_least=JUDGED_GOOD,
        share=round(sum(left == right for left, right in scored) / len(scored), 4),
        kappa=round(float(cohen_kappa_score(judge, people)), 4) if varied else None,
    )

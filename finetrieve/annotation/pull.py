"""Pull of people's responses from Argilla: reconciled annotations, and the report on the review."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from finetrieve.annotation.client import Server, find_dataset, read_records
from finetrieve.annotation.dataset import check_dataset, question_ids
from finetrieve.annotation.reconcile import Reconciled, measure_agreement, measure_judge, merge_own_queries, reconcile
from finetrieve.annotation.responses import ReviewedRecord, parse_responses
from finetrieve.annotation.review import EDITED, REJECTED
from finetrieve.annotation.sanitize_markdown import sanitize_markdown
from finetrieve.core.annotation_report import AnnotationReport, AnnotatorSummary, OwnQuery, ReviewedQuery
from finetrieve.core.progress import Progress
from finetrieve.core.rows import Annotation, Chunk

LISTED = 50
"""Edits, rejects, own queries and disagreements that the report lists; it counts all of them."""
SAME_CHUNK = 80.0
"""From this likeness (0..100, edits between the texts) on, a chunk is the changed form of one that is gone."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Pulled:
    """What came back."""

    annotations: list[Annotation]
    """One for each answered record and for each query of people's own, ordered by id."""
    report: AnnotationReport


def pull(server: Server, workspace: Json, name: str, chunks: Iterable[Chunk], progress: Callable[[str], Progress]) -> Pulled:
    """Returns what people made of a dataset; nothing where there is no such dataset yet.

    The same responses give the same result, whatever else happened on the server.

    Raises:
        InputError: The dataset of that name is not one of ours.
    """
    dataset = find_dataset(server, workspace, name)
    if dataset is None or dataset["status"] == "draft":
        return from_records([], name, 0, chunks)
    check_dataset(server, dataset, None)
    ids = question_ids(server, dataset)
    seen = Counter[str]()
    raw = read_records(server, dataset["id"], ["responses", "suggestions"], progress("Records read"))
    reviewed = parse_responses(_count_records(raw, seen), dataset["id"], ids)
    return from_records(reviewed, name, seen["records"], chunks)


def _count_records(records: Iterable[Json], seen: Counter[str]) -> Iterator[Json]:
    """Yields the records and counts them: all of them at once would not fit where there are very many."""
    for record in records:
        seen["records"] += 1
        yield record


def from_records(records: Sequence[ReviewedRecord], name: str, n_records: int, chunks: Iterable[Chunk]) -> Pulled:
    """Returns the annotations and the report of reviewed records.

    Args:
        records: The reviewed ones.
        name: The dataset's.
        n_records: All that there are.
        chunks: The corpus as it is today; read several times.
    """
    ordered = sorted(records, key=lambda record: record.external_id)
    homes = current_chunks(ordered, chunks)
    reconciled = [(record, reconcile(record, homes[record.external_id])) for record in ordered]
    reviewed = [found.annotation for _, found in reconciled]
    own = merge_own_queries([query for _, found in reconciled for query in found.own_queries])
    known = {chunk.id for chunk in chunks}
    disagreements = [found.disagreement for _, found in reconciled if found.disagreement]
    report = AnnotationReport(
        dataset=name,
        records=n_records,
        reviewed=len(reviewed),
        outcomes=dict(sorted(Counter(annotation.status for annotation in reviewed).items())),
        human_queries=len(own),
        annotators=_summarize_annotators(ordered, reviewed, own),
        agreement=measure_agreement(ordered),
        judge=measure_judge([(record.judge_score, found.annotation.status) for record, found in reconciled]),
        edits=_list_queries(reconciled, EDITED),
        rejected=_list_queries(reconciled, REJECTED),
        own=[OwnQuery(query=annotation.query) for annotation in own[:LISTED]],
        disagreements=disagreements[:LISTED],
        disagreements_in_all=len(disagreements),
        chunk_changed=sum(record.chunk_ids != homes[record.external_id] for record in ordered),
        chunk_gone=sum(not known.issuperset(homes[record.external_id]) for record in ordered),
    )
    return Pulled(sorted([*reviewed, *own], key=lambda annotation: (annotation.id, annotation.status)), report)


def current_chunks(records: Sequence[ReviewedRecord], chunks: Iterable[Chunk]) -> dict[str, tuple[str, ...]]:
    """Returns record id -> the chunks it is about today: those that were shown, or what they became when a document was edited.

    A chunk that is gone and has no likeness in its document keeps its id, which is then none of the corpus's.
    """
    from rapidfuzz import fuzz, process

    known = {chunk.id for chunk in chunks}
    lost = {doc_id for record in records for chunk_id, doc_id, _ in record.shown_chunks if chunk_id not in known}
    texts: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for chunk in chunks:
        if chunk.doc_id in lost:
            texts[chunk.doc_id][chunk.id] = sanitize_markdown(chunk.text)

    def home(chunk_id: str, doc_id: str, text: str) -> str:
        if chunk_id in known or not texts[doc_id]:
            return chunk_id
        best = process.extractOne(text, texts[doc_id], scorer=fuzz.ratio, score_cutoff=SAME_CHUNK)
        return best[2] if best else chunk_id

    return {record.external_id: tuple(home(*shown) for shown in record.shown_chunks) for record in records}


def _summarize_annotators(
    records: Sequence[ReviewedRecord], reviewed: Sequence[Annotation], own: Sequence[Annotation]
) -> list[AnnotatorSummary]:
    n_answers = Counter(response.annotator for record in records for response in record.responses)
    outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for annotation in (*reviewed, *own):
        for name in annotation.annotators.split():
            outcomes[name][annotation.status] += 1
    ordered = sorted(n_answers.items(), key=lambda item: (-item[1], item[0]))
    return [AnnotatorSummary(name=name, answers=count, outcomes=dict(sorted(outcomes[name].items()))) for name, count in ordered]


def _list_queries(reconciled: Sequence[tuple[ReviewedRecord, Reconciled]], status: str) -> list[ReviewedQuery]:
    found = [(record, item.annotation) for record, item in reconciled if item.annotation.status == status]
    return [
        ReviewedQuery(place=record.place, before=annotation.generated_query, after=annotation.query)
        for record, annotation in found[:LISTED]
    ]

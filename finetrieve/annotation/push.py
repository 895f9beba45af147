"""Sends queries to Argilla so that what is there becomes what there should be, and nothing that a person did is lost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from finetrieve.annotation.client import Server, find_untouched, read_records
from finetrieve.annotation.dataset import FINGERPRINT, NEGATIVE, question_ids
from finetrieve.annotation.records import NEGATIVE_SIMILARITY, Record, as_json
from finetrieve.core.annotation_report import PushReport
from finetrieve.core.errors import InputError
from finetrieve.core.progress import Progress

BATCH_RECORDS = 200
BATCH_BYTES = 4_000_000
"""A batch is sent when it reaches either: a lost one costs little, and long texts do not pile up in memory."""
DELETED_AT_ONCE = 100

Json = dict[str, Any]


@dataclass(frozen=True)
class ExistingRecord:
    """A record that the server has."""

    server_id: str
    external_id: str
    fingerprint: str | None
    """None: not of ours."""
    chunk_id: str
    touched: bool
    """A person answered it, discarded it or keeps a draft of it."""
    has_negative: bool = False
    doc_id: str = ""


@dataclass(frozen=True)
class Plan:
    """What has to be done."""

    new: list[Record]
    changed: list[Record]
    unchanged: int
    changed_but_touched: int
    """Would look otherwise today, but a person has answered: left as they saw it."""
    chunk_gone: list[ExistingRecord]
    """Not touched, and what they asked about is no longer in the corpus."""
    query_gone: list[ExistingRecord]
    """Not touched, and the query is no longer among those that are generated and pass the filters."""
    gone_but_touched: int
    foreign: int
    """Records that people added themselves."""


def push(
    server: Server,
    dataset: Json,
    records: Sequence[Record],
    query_ids: Collection[str],
    chunk_ids: Collection[str],
    progress: Callable[[str], Progress],
    document_ids: Collection[str] | None = None,
) -> PushReport:
    """Returns what was done to make a dataset hold the records.

    It can be cut off anywhere and run again: what was sent is found and compared by its fingerprint.

    Args:
        server: The server.
        dataset: As the server describes it.
        records: Those wanted, in the order in which people should see them.
        query_ids: All triplets that exist; a record of another one is withdrawn if no person touched it.
        chunk_ids: All chunks that exist.
        progress: Shows how far a phase is.
        document_ids: All documents that exist, where records of another corpus have to stay; None withdraws them like any other.

    Raises:
        InputError: The dataset holds another corpus's records, which would be withdrawn.
    """
    # 1. What is there.
    existing = list(read_existing_records(server, dataset["id"], progress("Records compared")))
    plan = make_plan(records, existing, query_ids, chunk_ids)
    if document_ids is not None:
        refuse_other_corpus(str(dataset.get("name")), plan, existing, document_ids)
    # 2. What has to come or to change.
    _send(server, dataset, [*plan.new, *plan.changed], progress("Records sent"))
    _drop_negatives(server, dataset, plan, existing)
    # 3. What has to go.
    chunk_gone, touched_chunk = _withdraw(server, dataset, plan.chunk_gone, progress("Records withdrawn"))
    query_gone, touched_query = _withdraw(server, dataset, plan.query_gone, progress("Records withdrawn"))
    return PushReport(
        added=len(plan.new),
        updated=len(plan.changed),
        unchanged=plan.unchanged,
        kept_because_touched=plan.changed_but_touched,
        withdrawn_chunk_gone=chunk_gone,
        withdrawn_query_gone=query_gone,
        gone_but_touched=plan.gone_but_touched + touched_chunk + touched_query,
        foreign=plan.foreign,
    )


def read_existing_records(server: Server, dataset_id: str, on_page: Progress) -> Iterator[ExistingRecord]:
    """Yields what the server has, as far as a push must know it."""
    for record in read_records(server, dataset_id, ["responses"], on_page):
        yield _parse_existing(record)


def _parse_existing(record: Json) -> ExistingRecord:
    metadata = record.get("metadata") or {}
    return ExistingRecord(
        server_id=record["id"],
        external_id=record.get("external_id") or "",
        fingerprint=metadata.get(FINGERPRINT),
        chunk_id=str(metadata.get("chunk_id") or ""),
        touched=bool(record.get("responses")),
        has_negative=NEGATIVE_SIMILARITY in metadata,
        doc_id=str(metadata.get("doc_id") or ""),
    )


def refuse_other_corpus(name: str, plan: Plan, existing: Iterable[ExistingRecord], document_ids: Collection[str]) -> None:
    """Raises an InputError where records would be withdrawn because the dataset is another corpus's.

    It is where most of its records are about documents that this corpus does not have; a page that was deleted is no such case.
    """
    ours = [item for item in existing if item.fingerprint is not None]
    others = [item for item in ours if item.doc_id not in document_ids]
    lost = [item for item in plan.chunk_gone if item.doc_id not in document_ids]
    if lost and 2 * len(others) > len(ours):
        raise InputError(
            f"The Argilla dataset '{name}' holds {len(others):,} queries about other documents, such as '{lost[0].doc_id}': this "
            f"push would withdraw {len(lost):,} of them. Give annotation.dataset another name, or set "
            "annotation.withdraw_others: true."
        )


def make_plan(
    records: Sequence[Record], existing: Iterable[ExistingRecord], query_ids: Collection[str], chunk_ids: Collection[str]
) -> Plan:
    """Returns what has to be done, each record in one place."""
    found = list(existing)
    ours = {item.external_id: item for item in found if item.fingerprint is not None}
    new, changed, unchanged, touched = [], [], 0, 0
    for record in records:
        there = ours.get(record.external_id)
        if there is None:
            new.append(record)
        elif there.fingerprint == record.fingerprint:
            unchanged += 1
        elif there.touched:
            touched += 1
        else:
            changed.append(record)
    gone = [item for item in ours.values() if item.external_id not in query_ids]
    return Plan(
        new,
        changed,
        unchanged,
        touched,
        chunk_gone=[item for item in gone if not item.touched and item.chunk_id not in chunk_ids],
        query_gone=[item for item in gone if not item.touched and item.chunk_id in chunk_ids],
        gone_but_touched=sum(item.touched for item in gone),
        foreign=len(found) - len(ours),
    )


def _send(server: Server, dataset: Json, records: Sequence[Record], on_progress: Progress) -> None:
    ids = question_ids(server, dataset) if records else {}
    done = 0
    for batch in batches(records):
        items = [as_json(record, ids) for record in batch]
        server.request("PUT", f"/datasets/{dataset['id']}/records/bulk", {"items": items})
        done += len(batch)
        on_progress(done, len(records))


def batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Yields the records in groups few enough and small enough to go at once."""
    batch: list[Record] = []
    size = 0
    for record in records:
        n_bytes = _size(record)
        if batch and (len(batch) == BATCH_RECORDS or size + n_bytes > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += n_bytes
    if batch:
        yield batch


def _size(record: Record) -> int:
    """Returns about how many bytes a record has as JSON."""
    texts = [*record.fields.values(), *(str(suggestion["value"]) for suggestion in record.suggestions)]
    return 1_500 + 2 * sum(map(len, texts)) + sum(9 * len(vector) for vector in record.vectors.values())


def _drop_negatives(server: Server, dataset: Json, plan: Plan, existing: Sequence[ExistingRecord]) -> None:
    """Deletes the suggested negative of records that have none any more: an update leaves what it does not name."""
    had_one = {item.external_id: item.server_id for item in existing if item.has_negative}
    without = [
        record.external_id
        for record in plan.changed
        if record.external_id in had_one and all(item["question"] != NEGATIVE for item in record.suggestions)
    ]
    if not without:
        return
    negative = question_ids(server, dataset)[NEGATIVE]
    for external_id in without:
        path = f"/records/{had_one[external_id]}/suggestions"
        ids = [item["id"] for item in server.items(path) if item["question_id"] == negative]
        if ids:
            server.request("DELETE", path, params={"ids": ",".join(ids)})


def _withdraw(server: Server, dataset: Json, gone: Sequence[ExistingRecord], on_progress: Progress) -> tuple[int, int]:
    """Deletes records that nobody has touched until now; returns how many went, and how many were touched meanwhile."""
    withdrawn = 0
    for start in range(0, len(gone), DELETED_AT_ONCE):
        part = [item.server_id for item in gone[start : start + DELETED_AT_ONCE]]
        # Asked again right before: somebody may have answered since the records were compared.
        free = find_untouched(server, dataset["id"], part)
        if free:
            server.request("DELETE", f"/datasets/{dataset['id']}/records", params={"ids": ",".join(free)})
        withdrawn += len(free)
        on_progress(start + len(part), len(gone))
    return withdrawn, len(gone) - withdrawn

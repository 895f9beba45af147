"""Responses: what people submitted or discarded in Argilla, parsed from its records."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from finetrieve.annotation.dataset import (
    CHUNK_SEPARATOR,
    FURTHER_CHUNKS,
    FURTHER_DOCUMENTS,
    JUDGE_SCORE,
    NEGATIVE,
    OWN_QUERIES,
    QUERY,
    VERDICT,
)

SUBMITTED, DISCARDED = "submitted", "discarded"
OWN_QUERY_LENGTH = 2_000
"""Characters; a longer line is text that was pasted, not a query."""
_BULLET = re.compile(r"^(?:[-*•–]|\d{1,3}[.)])\s+")

Json = dict[str, Any]


@dataclass(frozen=True)
class Response:
    """What one person submitted for, or how they discarded, one record."""

    annotator: str
    """A pseudonym: the same person has the same one throughout a dataset."""
    discarded: bool
    query: str
    """As they left it; empty when they discarded the record without answering."""
    negative: str | None
    verdict: str
    own_queries: tuple[str, ...]
    at: str
    """When, as ISO 8601: later ones sort after earlier ones."""


@dataclass(frozen=True)
class ReviewedRecord:
    """A record that at least one person submitted or discarded."""

    external_id: str
    chunk_id: str
    doc_id: str
    place: str
    chunk_text: str
    """As it was shown."""
    suggested_query: str
    style: str
    complete: bool
    responses: tuple[Response, ...]
    """The earliest first."""
    judge_score: float | None = None
    """What an LLM gave the suggested query, 0..10; None where none was asked."""
    further: tuple[tuple[str, str], ...] = ()
    """The other chunks that the query needs, and the document of each."""

    @property
    def chunk_ids(self) -> tuple[str, ...]:
        """Every chunk that was shown, the query's own first."""
        return (self.chunk_id, *(chunk_id for chunk_id, _ in self.further))

    @property
    def shown_chunks(self) -> list[tuple[str, str, str]]:
        """Chunk id, document id and text of every chunk that was shown."""
        places = ((self.chunk_id, self.doc_id), *self.further)
        texts = self.chunk_text.split(CHUNK_SEPARATOR) if self.further else [self.chunk_text]
        texts += [""] * (len(places) - len(texts))
        return [(*place, text) for place, text in zip(places, texts, strict=False)]


def pseudonym(dataset_id: str, user_id: str) -> str:
    """Returns a name for a person that tells nobody who they are, unless the server's users are tried one by one."""
    return f"annotator-{hashlib.sha256(f'{dataset_id}/{user_id}'.encode()).hexdigest()[:6]}"


def parse_responses(records: Iterable[Json], dataset_id: str, question_ids: Mapping[str, str]) -> list[ReviewedRecord]:
    """Returns the records that have responses, of however many that pass by; drafts are nobody's response yet.

    Args:
        records: As the server gives them, with responses and suggestions.
        dataset_id: The dataset's.
        question_ids: Question name -> id.
    """
    names = {question_id: name for name, question_id in question_ids.items()}
    return [found for record in records if (found := _record(record, dataset_id, names)).responses]


def _record(record: Json, dataset_id: str, names: Mapping[str, str]) -> ReviewedRecord:
    metadata, fields = record.get("metadata") or {}, record.get("fields") or {}
    suggested = {names.get(item["question_id"]): item["value"] for item in record.get("suggestions") or []}
    responses = [
        _response(item, dataset_id) for item in record.get("responses") or [] if item["status"] in (SUBMITTED, DISCARDED)
    ]
    return ReviewedRecord(
        external_id=record.get("external_id") or "",
        chunk_id=str(metadata.get("chunk_id") or ""),
        doc_id=str(metadata.get("doc_id") or ""),
        place=str(fields.get("place") or ""),
        chunk_text=str(fields.get("chunk") or ""),
        suggested_query=str(suggested.get(QUERY) or ""),
        style=str(metadata.get("style") or ""),
        complete=record.get("status") == "completed",
        responses=tuple(sorted(responses, key=lambda response: (response.at, response.annotator))),
        judge_score=float(score) if isinstance(score := metadata.get(JUDGE_SCORE), int | float) else None,
        further=_further(metadata),
    )


def _further(metadata: Json) -> tuple[tuple[str, str], ...]:
    chunk_ids = str(metadata.get(FURTHER_CHUNKS) or "").split()
    documents = json.loads(metadata[FURTHER_DOCUMENTS]) if chunk_ids else []
    return tuple(zip(chunk_ids, documents, strict=True))


def _response(response: Json, dataset_id: str) -> Response:
    values = {name: item.get("value") for name, item in (response.get("values") or {}).items()}
    discarded = response["status"] == DISCARDED
    return Response(
        annotator=pseudonym(dataset_id, str(response["user_id"])),
        discarded=discarded,
        query=_text(values.get(QUERY)),
        negative=_text(values.get(NEGATIVE)) or None,
        verdict=_text(values.get(VERDICT)),
        own_queries=() if discarded else split_queries(_text(values.get(OWN_QUERIES))),
        at=str(response.get("updated_at") or response.get("inserted_at") or ""),
    )


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def split_queries(text: str) -> tuple[str, ...]:
    """Returns the queries that somebody wrote one per line, without bullets, each once."""
    lines = (" ".join(_BULLET.sub("", line.strip()).split()) for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line and len(line) <= OWN_QUERY_LENGTH))

"""Queries as Argilla records."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from finetrieve.annotation.dataset import (
    CHUNK,
    CHUNK_SEPARATOR,
    CHUNK_VECTOR,
    FINGERPRINT,
    FURTHER_CHUNKS,
    FURTHER_DOCUMENTS,
    JUDGE_SCORE,
    NEGATIVE,
    PLACE,
    PRIORITY,
    QUERY,
    QUERY_VECTOR,
)
from finetrieve.annotation.enrichment import vectors_by_id
from finetrieve.annotation.sanitize_markdown import sanitize_markdown
from finetrieve.core.corpus import Corpus
from finetrieve.core.html import clean
from finetrieve.core.rows import Chunk, GeneratedQuery, QueryFacts, heading_path
from finetrieve.core.tables import to_rows

NEGATIVE_SIMILARITY = "similarity-anchor-negative"
AGENT_LENGTH, SECTION_LENGTH = 200, 200
_OTHER_LINE = "\n\n***\n\n"
VECTOR_DECIMALS = 5
"""An error of 1e-5 in a cosine is nothing to a search, and a record is half as large to send, store and read."""
_NO_AGENT = re.compile(r"[^a-zA-Z0-9_:./\s-]+")

Vector = npt.NDArray[np.float32]
Json = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """A record as we want it to be, with its vectors apart: they are written out when it is sent."""

    external_id: str
    chunk_id: str
    fields: dict[str, str]
    metadata: Json
    suggestions: list[Json]
    """`question` (its name), `value`, `agent`, `score`."""
    vectors: dict[str, Vector]

    @property
    def fingerprint(self) -> str:
        """A hash of everything above."""
        return str(self.metadata[FINGERPRINT])


def records_of(
    queries: pa.Table, corpus: Corpus, facts: pa.Table, query_vectors: pa.Table, chunk_vectors: pa.Table
) -> list[Record]:
    """Returns the records of the queries that the facts (`QueryFacts`) are about, in their order.

    Args:
        queries: Rows are `GeneratedQuery`.
        corpus: What they ask about.
        facts: Of the queries that are wanted.
        query_vectors: `id` of the query and `vector`.
        chunk_vectors: `id` of the chunk and `vector`.
    """
    of_query = {row.id: row for row in to_rows(queries, GeneratedQuery)}
    wanted = to_rows(facts, QueryFacts)
    named = {chunk_id for fact in wanted for chunk_id in of_query[fact.id].chunk_ids}
    of_chunk = {chunk.id: chunk for chunk in corpus.chunk_rows() if chunk.id in named}
    return make_records(wanted, of_query, of_chunk, vectors_by_id(chunk_vectors), vectors_by_id(query_vectors))


def make_records(
    facts: Iterable[QueryFacts],
    triplets: Mapping[str, GeneratedQuery],
    chunks: Mapping[str, Chunk],
    chunk_vectors: Mapping[str, Vector],
    query_vectors: Mapping[str, Vector],
) -> list[Record]:
    """Returns the records of queries, in the order of the facts; what a chunk shows is written once for all of its queries.

    Args:
        facts: Of the queries that are wanted.
        triplets: Id -> query.
        chunks: Id -> chunk.
        chunk_vectors: Chunk id -> vector.
        query_vectors: Query id -> vector.
    """
    shown: dict[str, dict[str, str]] = {}
    records = []
    for fact in facts:
        triplet = triplets[fact.id]
        chunk = chunks[triplet.chunk_id]
        key = " ".join(triplet.chunk_ids)
        further = [chunks[other] for other in triplet.chunk_ids[1:] if other in chunks]
        if key not in shown:
            shown[key] = render_chunk(chunk, further)
        vectors = chunk_vectors[chunk.id], query_vectors[fact.id]
        records.append(make_record(triplet, chunk, fact, *vectors, shown[key], further))
    return records


def render_chunk(chunk: Chunk, further: Sequence[Chunk] = ()) -> dict[str, str]:
    """Returns the fields that show a chunk and its place, sanitized; below it the others that the query needs as well."""
    places = [render_place(chunk), *(render_place(other) for other in further)]
    texts = [sanitize_markdown(chunk.text) or " ", *(sanitize_markdown(other.text) for other in further)]
    if further:  # the way back parts the texts again
        texts = [text.replace(CHUNK_SEPARATOR, _OTHER_LINE) for text in texts]
    return {PLACE: "\n\n".join(places), CHUNK: CHUNK_SEPARATOR.join(texts)}


def make_record(
    triplet: GeneratedQuery,
    chunk: Chunk,
    facts: QueryFacts,
    chunk_vector: Vector,
    query_vector: Vector,
    fields: dict[str, str],
    further: Sequence[Chunk] = (),
) -> Record:
    """Returns the record of a query, with everything that filtering and sorting want, and its fingerprint."""
    suggestions = [_suggestion(QUERY, triplet.query, triplet, facts.chunk_similarity)]
    if triplet.negative_query:
        suggestions.append(_suggestion(NEGATIVE, triplet.negative_query, triplet, facts.negative_chunk_similarity))
    vectors = {CHUNK_VECTOR: _round_vector(chunk_vector), QUERY_VECTOR: _round_vector(query_vector)}
    metadata = {**_metadata(triplet, chunk, facts), **_further(further)}
    digest = hashlib.sha256(json.dumps([fields, metadata, suggestions], sort_keys=True).encode())
    for vector in vectors.values():
        digest.update(vector.tobytes())
    metadata = {**metadata, FINGERPRINT: digest.hexdigest()[:16]}
    return Record(triplet.id, chunk.id, fields, metadata, suggestions, vectors)


def render_place(chunk: Chunk) -> str:
    """Returns where a chunk stands, for people: title, heading path, source."""
    place = heading_path(chunk.title, chunk.section)
    return clean(f"{place}\n{chunk.source}" if place and chunk.source not in ("", place) else place or chunk.source) or " "


def render_query(query: str) -> str:
    """Returns a query as it is suggested; an answer that says the same confirms it."""
    return clean(query)


def _suggestion(question: str, value: str, triplet: GeneratedQuery, similarity: float | None) -> Json:
    """Returns a suggestion whose score is its cosine with the text, as far as Argilla's range from 0 to 1 can say it."""
    agent = " ".join(_NO_AGENT.sub(" ", triplet.generator).split())[:AGENT_LENGTH]
    score = None if similarity is None else min(1.0, max(0.0, similarity))
    return {"question": question, "value": render_query(value), "agent": agent or None, "score": score}


def _metadata(triplet: GeneratedQuery, chunk: Chunk, facts: QueryFacts) -> Json:
    values: Json = {
        PRIORITY: float(facts.review_priority),
        "reason": facts.reason,
        "parent_section": clean(chunk.section or chunk.title, SECTION_LENGTH) or "-",
        "style": triplet.style,
        "recipe": triplet.recipe,
        "generator": triplet.generator,
        "split": facts.split,
        "token_count": chunk.n_tokens,
        "round_trip_rank": triplet.round_trip_rank,
        JUDGE_SCORE: triplet.judge_score,
        "similarity-anchor-positive": facts.chunk_similarity,
        NEGATIVE_SIMILARITY: facts.negative_chunk_similarity,
        "similarity-positive-negative": facts.negative_query_similarity,
        # Without a property, so that no filter lists thousands of them: what the way back needs.
        "chunk_id": chunk.id,
        "doc_id": chunk.doc_id,
    }
    return {name: clean(value) if isinstance(value, str) else value for name, value in values.items() if value is not None}


def _further(chunks: Sequence[Chunk]) -> Json:
    """Returns what the way back needs of the other chunks of a query; a query of one chunk has none of it."""
    if not chunks:
        return {}
    documents = json.dumps([chunk.doc_id for chunk in chunks], ensure_ascii=False)
    return {FURTHER_CHUNKS: " ".join(chunk.id for chunk in chunks), FURTHER_DOCUMENTS: clean(documents)}


def _round_vector(vector: Vector) -> Vector:
    rounded: Vector = np.round(vector.astype(np.float64), VECTOR_DECIMALS).astype(np.float32)
    return rounded


def as_json(record: Record, question_ids: dict[str, str]) -> Json:
    """Returns the record as the server takes it."""
    suggestions = [
        {
            "question_id": question_ids[suggestion["question"]],
            "type": "model",
            **{key: suggestion[key] for key in ("value", "agent", "score")},
        }
        for suggestion in record.suggestions
    ]
    # As float64 of five decimals: a float32 is written with eight digits that say nothing.
    vectors = {
        name: [round(value, VECTOR_DECIMALS) for value in vector.astype(np.float64).tolist()]
        for name, vector in record.vectors.items()
    }
    return {
        "external_id": record.external_id,
        "fields": record.fields,
        "metadata": record.metadata,
        "suggestions": suggestions,
        "vectors": vectors,
    }

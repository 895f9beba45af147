"""Rows that the annotation tests share."""

from __future__ import annotations

from typing import Any

from finetrieve.core.rows import Annotation, Chunk, GeneratedQuery

QUESTION_IDS = {"query": "id-query", "verdict": "id-verdict", "negative": "id-negative", "own_queries": "id-own"}


def chunk(
    chunk_id: str = "c1", text: str = "Open cover 3 to reach the pump.", doc_id: str = "pump.md", section: str = "Repair"
) -> Chunk:
    return Chunk(chunk_id, doc_id, doc_id, "The pump", section, text, 12, 0)


def triplet(triplet_id: str, query: str = "how do I reach the pump", chunk_id: str = "c1", **rest: Any) -> GeneratedQuery:
    settings = {"negative_query": None, "style": "how_to", "recipe": "rules", "generator": "rules 3", **rest}
    return GeneratedQuery(triplet_id, chunk_id, query, **settings)


def annotation(annotation_id: str, status: str, query: str = "pump stuck", **rest: Any) -> Annotation:
    values = {
        "chunk_id": "c1",
        "negative_query": None,
        "generated_query": "" if status == "human" else "how do I reach the pump",
        "style": "how_to",
        "annotators": "annotator-a",
        "agreement": 1.0,
        "complete": True,
        **rest,
    }
    return Annotation(id=annotation_id, query=query, status=status, **values)


def response(user: str, status: str = "submitted", at: str = "2026-01-01T00:00:00", **values: str) -> dict[str, Any]:
    return {
        "id": f"r-{user}",
        "user_id": user,
        "status": status,
        "values": {name: {"value": value} for name, value in values.items()},
        "inserted_at": at,
        "updated_at": at,
    }


def raw_record(
    *responses: dict[str, Any], query: str = "how do I reach the pump", external_id: str = "t1", **metadata: Any
) -> dict[str, Any]:
    """A record as the server gives it."""
    return {
        "id": f"server-{external_id}",
        "external_id": external_id,
        "status": "completed" if any(item["status"] == "submitted" for item in responses) else "pending",
        "fields": {"place": "The pump > Repair", "chunk": "Open cover 3 to reach the pump."},
        "metadata": {"chunk_id": "c1", "doc_id": "pump.md", "style": "how_to", "fingerprint": "f", **metadata},
        "suggestions": [{"id": "s", "question_id": "id-query", "value": query}],
        "responses": list(responses),
    }

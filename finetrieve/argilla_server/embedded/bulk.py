"""Bulk pushes without reading back what was just written. Imports only argilla_server and what it brings.

Argilla inserts suggestions and vectors with statements of thousands of parameters that are compiled each time, reads every
vector back twice, and sends them to a client that has just sent them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import argilla_server.bulk.records_bulk as argilla_bulk
from argilla_server.models import Record, Response, Suggestion, Vector
from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload
from sqlalchemy.orm.attributes import set_committed_value


def apply_patches() -> None:
    """Replaces the three methods in which the time goes."""
    argilla_bulk.CreateRecordsBulk._upsert_records_suggestions = _write_suggestions
    argilla_bulk.CreateRecordsBulk._upsert_records_vectors = _write_vectors
    argilla_bulk._preload_records_relationships_before_index = _load_for_the_answer


async def _write_suggestions(self: Any, pairs: list[tuple[Record, Any]]) -> None:
    rows = [
        {**suggestion.model_dump(), "record_id": record.id} for record, suggestions in pairs for suggestion in suggestions or []
    ]
    await _upsert(self._db, Suggestion, rows, ["record_id", "question_id"])


async def _write_vectors(self: Any, pairs: list[tuple[Record, dict[str, list[float]] | None]]) -> None:
    rows = [
        {"value": value, "record_id": record.id, "vector_settings_id": record.dataset.vector_settings_by_name(name).id}
        for record, vectors in pairs
        for name, value in (vectors or {}).items()
    ]
    await _upsert(self._db, Vector, rows, ["record_id", "vector_settings_id"])
    self._search_engine.expect((row["vector_settings_id"], row["record_id"], row["value"]) for row in rows)


async def _upsert(db: AsyncSession, model: Any, rows: list[dict[str, Any]], key: list[str]) -> None:
    if not rows:
        return
    statement = insert(model.__table__)
    changed = {name: statement.excluded[name] for name in model.__upsertable_columns__}
    statement = statement.on_conflict_do_update(index_elements=key, set_={**changed, "updated_at": datetime.utcnow()})
    await (await db.connection()).execute(statement, rows)


async def _load_for_the_answer(db: AsyncSession, records: Sequence[Record]) -> None:
    await db.execute(
        select(Record)
        .filter(Record.id.in_([record.id for record in records]))
        .options(
            selectinload(Record.responses).selectinload(Response.user),
            selectinload(Record.suggestions).selectinload(Suggestion.question),
        )
        .execution_options(populate_existing=True)
    )
    for record in records:  # Argilla's client cannot read an answer without vectors
        set_committed_value(record, "vectors", [])

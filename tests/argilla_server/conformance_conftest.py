"""Replaces tests/unit/search_engine/conftest.py of argilla-server's source package; runs inside the server's environment.

The tests there write responses and texts straight into Elasticsearch documents. Here those documents are rows of Argilla's
own database: the stand-in takes the writes down, and the engine brings them into the tables before it answers.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from argilla_server.models import Field, Record, Response
from embedded import text_search
from embedded.search_engine import DatabaseSearchEngine
from opensearchpy.serializer import JSONSerializer
from sqlalchemy import delete, event, select
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncSession
from tests.database import TestSession

event.listen(Engine, "connect", text_search.register)


class Indices:
    """An index is a dataset, and that is there."""

    def create(self, **_: Any) -> None: ...

    def refresh(self, **_: Any) -> None: ...

    def delete(self, **_: Any) -> None: ...


class Transport:
    """Where `opensearchpy.helpers.bulk` looks for a serializer."""

    serializer = JSONSerializer()


class Documents:
    """The part of the OpenSearch client that writes documents."""

    def __init__(self) -> None:
        self.indices, self.transport = Indices(), Transport()
        self.documents: dict[str, dict[str, Any]] = {}
        self.changed: list[str] = []

    def get(self, index: str, id: Any) -> dict[str, Any]:
        return {"_source": self.documents.setdefault(str(id), {})}

    def update(self, index: str, id: Any, body: dict[str, Any]) -> None:
        self.documents.setdefault(str(id), {}).update(body["doc"])
        self.changed.append(str(id))

    def bulk(self, body: Any, **_: Any) -> dict[str, Any]:
        lines = [json.loads(line) for line in body.splitlines() if line]
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            self.update("", action["index"]["_id"], {"doc": document})
        return {"errors": False, "items": [{"index": {"status": 200}} for _ in lines[::2]]}

    async def into_tables(self, db: AsyncSession) -> None:
        for record_id in dict.fromkeys(self.changed):
            record = (await db.execute(select(Record).where(Record.id == UUID(record_id)))).scalar_one()
            document = self.documents[record_id]
            if "fields" in document:
                await self._write_fields(db, record, document["fields"])
            if "responses" in document:
                await self._write_responses(db, record, document["responses"])
        self.changed.clear()
        await db.flush()

    async def _write_fields(self, db: AsyncSession, record: Record, fields: dict[str, str]) -> None:
        record.fields = fields
        there = (await db.execute(select(Field.name).where(Field.dataset_id == record.dataset_id))).scalars().all()
        db.add_all(
            Field(name=name, title=name, settings={"type": "text"}, dataset_id=record.dataset_id)
            for name in fields.keys() - set(there)
        )
        await db.flush()

    async def _write_responses(self, db: AsyncSession, record: Record, responses: list[dict[str, Any]]) -> None:
        await db.execute(delete(Response).where(Response.record_id == record.id))
        last = {response["user_id"]: response for response in responses}  # one response per person and record
        db.add_all(
            Response(
                record_id=record.id,
                user_id=UUID(user_id),
                status=response["status"],
                values={"rating": {"value": response["rating"]}},
            )
            for user_id, response in last.items()
        )


class EngineUnderTest(DatabaseSearchEngine):
    """The engine on the session of a test."""

    def __init__(self, documents: Documents) -> None:
        @asynccontextmanager
        async def session() -> AsyncIterator[AsyncSession]:
            db = TestSession()
            await documents.into_tables(db)
            await db.flush()
            yield db

        super().__init__(session)

    async def _bulk_op_request(self, actions: Any) -> None: ...


@pytest.fixture
def opensearch() -> Documents:
    return Documents()


@pytest.fixture
def search_engine(opensearch: Documents) -> EngineUnderTest:
    return EngineUnderTest(opensearch)


@pytest.fixture(autouse=True)
def empty_job_queues() -> None: ...


@pytest.fixture(autouse=True)
def sync_db() -> None: ...
